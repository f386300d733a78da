"""Whether groups are treated alike."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import EXACT, Entry

_ROWS = 100
_HARDT = "Hardt, Price and Srebro 2016"
_COUNTS = "confusion counts of each group"
_BINS = "calibration bins of each group"
_SUMS = "exact sums of each group"


def _fair(
    formula: str, oracle: str, source: str = "fairlearn", form: str = _COUNTS, rows: int = _ROWS
) -> Entry:
    return Entry(formula, form, EXACT, oracle, source, rows)


ENTRIES: dict[str, Entry] = {
    "selection_rate": _fair(
        "positive predictions / predictions of a group", "fairlearn.metrics.selection_rate"
    ),
    "true_positive_rate": _fair(
        "positive predictions / positive labels of a group", "fairlearn.metrics.true_positive_rate"
    ),
    "false_positive_rate": _fair(
        "positive predictions / negative labels of a group",
        "fairlearn.metrics.false_positive_rate",
    ),
    "group_precision": _fair(
        "positive labels / positive predictions of a group", "sklearn.metrics.precision_score"
    ),
    "group_accuracy": _fair("right / labels of a group", "sklearn.metrics.accuracy_score"),
    "group_ece": _fair(
        "ece of a group, 15 bins", "numpy on the raw rows", "as ece", _BINS, rows=2_000
    ),
    "group_mean_prediction": _fair(
        "mean prediction of a group", "numpy on the raw rows", "a plain mean", _SUMS
    ),
    "group_mean_error": _fair(
        "mean (prediction - label) of a group", "numpy on the raw rows", "a plain mean", _SUMS
    ),
    "demographic_parity_difference": _fair(
        "greatest - least selection rate", "fairlearn.metrics.demographic_parity_difference"
    ),
    "demographic_parity_ratio": _fair(
        "least / greatest selection rate",
        "fairlearn.metrics.demographic_parity_ratio",
        "29 CFR 1607.4(D)",
    ),
    "equal_opportunity_difference": _fair(
        "greatest - least true positive rate",
        "fairlearn.metrics.equal_opportunity_difference",
        _HARDT,
    ),
    "equalized_odds_difference": _fair(
        "the greater of the gaps in true and false positive rate",
        "fairlearn.metrics.equalized_odds_difference",
        _HARDT,
    ),
    "fpr_difference": _fair(
        "greatest - least false positive rate",
        "fairlearn.metrics.MetricFrame",
        "Chouldechova 2017 (error rate balance)",
    ),
    "predictive_parity_difference": _fair(
        "greatest - least precision", "fairlearn.metrics.MetricFrame", "Chouldechova 2017"
    ),
    "accuracy_difference": _fair(
        "greatest - least accuracy", "fairlearn.metrics.MetricFrame", "fairlearn"
    ),
    "ece_difference": _fair(
        "greatest - least group_ece", "numpy on the raw rows", "as ece", _BINS, rows=2_000
    ),
    "mean_prediction_difference": _fair(
        "greatest - least mean prediction",
        "fairlearn.metrics.MetricFrame",
        "Agarwal, Dudik and Wu 2019 (statistical parity of a regression, its mean)",
        _SUMS,
    ),
    "mean_error_difference": _fair(
        "greatest - least mean error",
        "fairlearn.metrics.MetricFrame",
        "Agarwal, Dudik and Wu 2019 (bounded group loss)",
        _SUMS,
    ),
}
