"""Which limits make sense for a metric: the range of its values, and its bad side.

Data, not maths, beside the public names: `apply` refuses a limit that could never be passed or
always would be, and `docs/metrics.md` says what is bad.
"""

from __future__ import annotations

from enum import StrEnum


class Worse(StrEnum):
    """On which side a metric is bad."""

    LOWER = "lower"
    HIGHER = "higher"
    EITHER = "either"  # what is bad depends on the system


_LOWER = frozenset(
    [
        "label_coverage",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "mcc",
        "kappa",
        "roc_auc",
        "pr_auc",
        "weighted_precision",
        "weighted_recall",
        "weighted_f1",
        "class_precision",
        "class_recall",
        "class_f1",
        "r2",
        "true_positive_rate",
        "group_precision",
        "group_accuracy",
        "demographic_parity_ratio",
        "explanation_coverage",
        "estimated_accuracy",
        "estimated_precision",
        "estimated_recall",
        "estimated_f1",
        "estimated_roc_auc",
    ]
)
_EITHER = frozenset(
    [
        "volume",
        "confusion_share",
        "mean_error",
        "selection_rate",
        "group_mean_prediction",
        "group_mean_error",
        "attribution_share",
        "estimation_error_accuracy",
        "estimation_error_precision",
        "estimation_error_recall",
        "estimation_error_f1",
        "estimation_error_roc_auc",
    ]
)


def worse(metric: str) -> Worse:
    """Return the bad side of a metric: distances, errors, gaps, drops and delays are bad high.

    Examples
    --------
    >>> worse("accuracy").value, worse("psi").value, worse("volume").value
    ('lower', 'higher', 'either')
    """
    if metric in _LOWER:
        return Worse.LOWER
    return Worse.EITHER if metric in _EITHER else Worse.HIGHER


_WITHIN_ONE = frozenset(
    [
        "js_distance",
        "hellinger",
        "tvd",
        "ks",
        "group_mix_js_distance",
        "group_mix_tvd",
        "label_coverage",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "roc_auc",
        "pr_auc",
        "brier",
        "ece",
        "weighted_precision",
        "weighted_recall",
        "weighted_f1",
        "class_precision",
        "class_recall",
        "class_f1",
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "group_precision",
        "group_accuracy",
        "group_ece",
        "demographic_parity_ratio",
        "explanation_coverage",
        "attribution_js_distance",
        "estimated_accuracy",
        "estimated_precision",
        "estimated_recall",
        "estimated_f1",
        "estimated_roc_auc",
    ]
)


def is_within_one(metric: str) -> bool:
    """Return whether the values of a metric lie between 0 and 1, so that its limits must too.

    Examples
    --------
    >>> is_within_one("missing_share"), is_within_one("accuracy"), is_within_one("psi")
    (True, True, False)
    """
    return metric in _WITHIN_ONE or metric.endswith("_share")
