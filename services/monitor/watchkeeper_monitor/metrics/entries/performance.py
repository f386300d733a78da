"""How often the system is right, once labels have come."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import BY_VALUE, EXACT, Entry

_LABELS = 100
_CONFUSION = "the confusion matrix"
_SCORES = "score histograms by label, 1,024 cells even in log odds"
_BINS = "rows, positives and sums of scores in 15 equal bins"
_SUMS = "exact sums"
_SAME = "the entry that it compares"


def _exact(formula: str, oracle: str, form: str = _CONFUSION, source: str = "") -> Entry:
    return Entry(formula, form, EXACT, oracle, source or f"as {oracle}", _LABELS)


def _against(formula: str) -> Entry:
    return Entry(
        formula, "the reference's labels and the window's", f"as {_SAME}", _SAME, _SAME, _LABELS
    )


_BINARY: dict[str, Entry] = {
    "accuracy": _exact("right / labels", "sklearn.metrics.accuracy_score"),
    "balanced_accuracy": _exact(
        "mean recall of the classes that labels hold", "sklearn.metrics.balanced_accuracy_score"
    ),
    "precision": _exact(
        "TP / (TP + FP); multiclass: mean over classes", "sklearn.metrics.precision_score"
    ),
    "recall": _exact(
        "TP / (TP + FN); multiclass: mean over classes", "sklearn.metrics.recall_score"
    ),
    "specificity": _exact("TN / (TN + FP)", "sklearn.metrics.recall_score of the negative class"),
    "f1": _exact(
        "2 TP / (2 TP + FP + FN); multiclass: mean over classes", "sklearn.metrics.f1_score"
    ),
    "mcc": _exact(
        "(TP TN - FP FN) / sqrt of the product of the margins; none where a margin is 0",
        "sklearn.metrics.matthews_corrcoef",
        source="Matthews 1975; variance Bishop, Fienberg and Holland 1975",
    ),
    "kappa": _exact(
        "(agreement - agreement by chance) / (1 - agreement by chance)",
        "sklearn.metrics.cohen_kappa_score",
        source="Cohen 1960",
    ),
    "roc_auc": Entry(
        "P(score of a positive > score of a negative) + half of the ties",
        _SCORES,
        f"{BY_VALUE}: half the share of pairs in one cell that spans several values",
        "sklearn.metrics.roc_auc_score",
        "Hanley and McNeil 1982; variance DeLong 1988",
        _LABELS,
    ),
    "pr_auc": Entry(
        "average precision: sum of (recall gained) x precision, from the highest score down",
        _SCORES,
        f"{BY_VALUE}: the best and the worst order inside each cell",
        "sklearn.metrics.average_precision_score",
        "interval: Boyd, Eng and Page 2013",
        _LABELS,
    ),
    "brier": _exact(
        "mean (score - label)^2; multiclass: summed over classes",
        "sklearn.metrics.brier_score_loss",
        _SUMS,
        "Brier 1950",
    ),
    "log_loss": _exact(
        "mean -ln(probability of the label), clipped at 2.2e-16",
        "sklearn.metrics.log_loss",
        _SUMS,
    ),
    "ece": Entry(
        "sum over 15 equal bins of |positives - sum of scores| / rows, less what chance adds: "
        "all of the mean deviation of a bin whose gap is noise, nothing of one far off; at least 0",
        _BINS,
        f"{EXACT}, for these bins; bias: `metrics/calibration.py`",
        "numpy on the raw rows; chance: simulation",
        "Naeini, Cooper and Hauskrecht 2015; chance: de Moivre 1730, Leone et al. 1961",
        2_000,
    ),
}

_CLASSES: dict[str, Entry] = {
    "weighted_precision": _exact(
        "mean precision weighted by the labels of each class", "sklearn.metrics.precision_score"
    ),
    "weighted_recall": _exact(
        "mean recall weighted by the labels of each class", "sklearn.metrics.recall_score"
    ),
    "weighted_f1": _exact(
        "mean F1 weighted by the labels of each class", "sklearn.metrics.f1_score"
    ),
    "class_precision": _exact(
        "precision of the class in `column`", "sklearn.metrics.precision_score"
    ),
    "class_recall": _exact("recall of the class in `column`", "sklearn.metrics.recall_score"),
    "class_f1": _exact("F1 of the class in `column`", "sklearn.metrics.f1_score"),
    "confusion_share": _exact(
        "labels of the class in `column` that were predicted as the class in `segment`",
        "sklearn.metrics.confusion_matrix",
    ),
}

_REGRESSION: dict[str, Entry] = {
    "mae": _exact("mean |prediction - label|", "sklearn.metrics.mean_absolute_error", _SUMS),
    "rmse": Entry(
        "sqrt mean (prediction - label)^2",
        _SUMS,
        "each row's square is rounded to 2^-40 reference variances, without a reference not at "
        "all; exact from there on",
        "sklearn.metrics.root_mean_squared_error",
        "as sklearn.metrics.root_mean_squared_error",
        _LABELS,
    ),
    "mean_error": _exact("mean (prediction - label)", "numpy on the raw rows", _SUMS),
    "r2": Entry(
        "1 - sum of squared errors / sum of squared distances of labels from their mean",
        _SUMS,
        "1e-9",
        "sklearn.metrics.r2_score",
        "as sklearn.metrics.r2_score",
        _LABELS,
    ),
    "mape": _exact(
        "mean |prediction - label| / |label|, |label| at least a thousandth of a reference sd, "
        "without a reference 2.2e-16",
        "sklearn.metrics.mean_absolute_percentage_error",
        _SUMS,
    ),
    "max_error": Entry(
        "greatest |prediction - label|",
        "a histogram of errors, cells at most 3 % wide",
        "1.6 % of the value",
        "sklearn.metrics.max_error",
        "as sklearn.metrics.max_error",
        _LABELS,
    ),
}

_CHANGES: dict[str, Entry] = {
    name: _against(f"{what} of the reference - {what} of the window")
    for name, what in (
        ("accuracy_drop", "accuracy"),
        ("balanced_accuracy_drop", "balanced_accuracy"),
        ("recall_drop", "recall"),
        ("roc_auc_drop", "roc_auc"),
    )
} | {
    f"{what}_rise": _against(f"{what} of the window / {what} of the reference - 1")
    for what in ("brier", "log_loss", "mae", "rmse")
}

ENTRIES: dict[str, Entry] = {**_BINARY, **_CLASSES, **_REGRESSION, **_CHANGES}
