"""What every metric means, how exact it is and what it is checked against: data for people.

Documentation and the decision's default minimum rows come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What a metric is about."""

    DRIFT = "drift"
    QUALITY = "data quality"
    PERFORMANCE = "performance"
    FAIRNESS = "fairness"


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric.

    Parameters
    ----------
    family
        What it is about.
    formula
        q and p are the shares of window and reference, G and F their distribution functions.
    bound
        How far the number can be from that of the raw rows.
    oracle
        What a test compares it with.
    source
        Where the definition comes from.
    min_rows
        Rows (drift, quality), labels (performance) or rows of each group (fairness) that a
        judgement needs unless the rule says otherwise.
    """

    family: Family
    formula: str
    bound: str
    oracle: str
    source: str
    min_rows: int


_EXACT = "exact, to 1e-12"


def _drift(formula: str, bound: str, oracle: str, source: str) -> Entry:
    return Entry(Family.DRIFT, formula, bound, oracle, source, 500)


def _quality(formula: str, min_rows: int = 30) -> Entry:
    return Entry(Family.QUALITY, formula, _EXACT, "numpy", "a plain count", min_rows)


def _performance(formula: str, oracle: str, bound: str = _EXACT, source: str = "") -> Entry:
    return Entry(Family.PERFORMANCE, formula, bound, oracle, source or f"as {oracle}", 100)


def _fairness(formula: str, oracle: str, source: str) -> Entry:
    return Entry(Family.FAIRNESS, formula, _EXACT, oracle, source, 100)


CATALOGUE: dict[str, Entry] = {
    "psi": _drift(
        "sum (q - p) ln(q/p) over ten reference-decile bins, or values; shares at least 1e-4",
        "exact for these bins",
        "numpy on the raw rows",
        "Yurdakul and Naranjo 2020",
    ),
    "js_distance": _drift(
        "sqrt of the Jensen-Shannon divergence in nats, on the bins of psi",
        "exact for these bins",
        "scipy.spatial.distance.jensenshannon",
        "Lin 1991",
    ),
    "wasserstein": _drift(
        "integral |G - F| dx in reference standard deviations",
        "computed with each value; straight lines inside cells, exact tails",
        "scipy.stats.wasserstein_distance",
        "Vallender 1974",
    ),
    "ks": _drift(
        "sup |G - F| at the cells' edges",
        "computed with each value; never above the true distance",
        "scipy.stats.ks_2samp",
        "Smirnov 1948",
    ),
    "volume": _quality("predictions in the window", 0),
    "label_coverage": _quality("predictions with a label / predictions", 0),
    "missing_share": _quality("missing values / rows"),
    "type_error_share": _quality("values of a numeric column that are no numbers / rows"),
    "out_of_range_share": _quality("values outside the reference's range / values"),
    "unseen_share": _quality("values that the reference never held / values"),
    "accuracy": _performance("right / labels", "sklearn.metrics.accuracy_score"),
    "precision": _performance("TP / (TP + FP)", "sklearn.metrics.precision_score"),
    "recall": _performance("TP / (TP + FN)", "sklearn.metrics.recall_score"),
    "f1": _performance("2 TP / (2 TP + FP + FN)", "sklearn.metrics.f1_score"),
    "roc_auc": _performance(
        "P(score of a positive > score of a negative) + half of the ties",
        "sklearn.metrics.roc_auc_score",
        "computed with each value: half the share of pairs in one cell",
        "Hanley and McNeil 1982; variance DeLong 1988",
    ),
    "brier": _performance("mean (score - label)^2", "sklearn.metrics.brier_score_loss"),
    "log_loss": _performance(
        "mean -ln(probability of the label), clipped at 2.2e-16", "sklearn.metrics.log_loss"
    ),
    "mae": _performance("mean |prediction - label|", "sklearn.metrics.mean_absolute_error"),
    "rmse": _performance(
        "sqrt mean (prediction - label)^2", "sklearn.metrics.root_mean_squared_error"
    ),
    "selection_rate": _fairness(
        "positive predictions / predictions of a group",
        "fairlearn.metrics.selection_rate",
        "fairlearn",
    ),
    "demographic_parity_difference": _fairness(
        "greatest - least selection rate",
        "fairlearn.metrics.demographic_parity_difference",
        "fairlearn",
    ),
    "demographic_parity_ratio": _fairness(
        "least / greatest selection rate",
        "fairlearn.metrics.demographic_parity_ratio",
        "29 CFR 1607.4(D)",
    ),
    "equal_opportunity_difference": _fairness(
        "greatest - least true positive rate",
        "fairlearn.metrics.equal_opportunity_difference",
        "Hardt, Price, Srebro 2016",
    ),
    "equalized_odds_difference": _fairness(
        "the greater of the gaps in true and false positive rate",
        "fairlearn.metrics.equalized_odds_difference",
        "Hardt, Price, Srebro 2016",
    ),
}
