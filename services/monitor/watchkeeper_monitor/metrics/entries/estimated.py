"""How right the system will turn out to be, before labels come, and how far off that was."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import BY_VALUE, Entry

_ROWS = 500
_SOURCE = "CBPE; Bialek et al., arXiv 2401.08348"
_ORACLE = "nannyml 0.13.1; scikit-learn's IsotonicRegression on the raw rows"
_SUMS = "rows, and exact sums of calibrated probabilities, by predicted class (and group)"
_CELLS = "the score histogram, cells cut at every bend of the calibration"
_ROUNDED = "each row's probability is rounded to 2^-40; exact from there on"


def _estimate(formula: str) -> Entry:
    return Entry(formula, _SUMS, _ROUNDED, _ORACLE, _SOURCE, _ROWS)


def _error(name: str) -> Entry:
    formula = f"estimated - realised {name}, both of the rows whose labels came"
    return Entry(formula, _SUMS, _ROUNDED, "the raw rows", _SOURCE, _ROWS)


ENTRIES: dict[str, Entry] = {
    "estimated_accuracy": _estimate("expected (TP + TN) / rows with a score"),
    "estimated_precision": _estimate("expected TP / predicted positives"),
    "estimated_recall": _estimate("expected TP / expected positives"),
    "estimated_f1": _estimate("2 expected TP / (predicted + expected positives)"),
    "estimated_roc_auc": Entry(
        "as roc_auc; the calibrated probability is the share of positives in a cell",
        _CELLS,
        BY_VALUE,
        _ORACLE,
        _SOURCE,
        _ROWS,
    ),
    "estimation_error_accuracy": _error("accuracy"),
    "estimation_error_precision": _error("precision"),
    "estimation_error_recall": _error("recall"),
    "estimation_error_f1": _error("F1"),
    "estimation_error_roc_auc": Entry(
        "estimated - realised ROC AUC, both of the rows whose labels came",
        _CELLS,
        BY_VALUE,
        "the raw rows",
        _SOURCE,
        _ROWS,
    ),
}
"""The family of estimates."""

FAIRNESS: dict[str, Entry] = {
    "estimated_equal_opportunity_difference": Entry(
        "|difference in estimated recall| of a group and the reference group",
        _SUMS,
        _ROUNDED,
        "the raw rows of both groups",
        f"{_SOURCE}; Hardt, Price, Srebro 2016",
        100,
    ),
}
"""What belongs to the family of fairness."""
