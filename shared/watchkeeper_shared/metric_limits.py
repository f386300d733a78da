"""Which limits make sense for a metric: the range of its values, and its bad side.

Data, not maths, beside the public names: `apply` refuses a limit that could never be passed or
always would be, and `docs/metrics.md` says what is bad.
"""

from __future__ import annotations

import math
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


_RANGES: dict[tuple[float, float], tuple[str, ...]] = {
    (0, 1): (
        "hellinger",
        "tvd",
        "ks",
        "group_mix_tvd",
        "missing_share",
        "type_error_share",
        "unseen_share",
        "out_of_range_share",
        "label_coverage",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "specificity",
        "f1",
        "roc_auc",
        "pr_auc",
        "ece",
        "weighted_precision",
        "weighted_recall",
        "weighted_f1",
        "class_precision",
        "class_recall",
        "class_f1",
        "confusion_share",
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "group_precision",
        "group_accuracy",
        "group_ece",
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
        "fpr_difference",
        "predictive_parity_difference",
        "accuracy_difference",
        "ece_difference",
        "estimated_equal_opportunity_difference",
        "error_share",
        "explanation_coverage",
        "attribution_share",
        "estimated_accuracy",
        "estimated_precision",
        "estimated_recall",
        "estimated_f1",
        "estimated_roc_auc",
    ),
    # In nats: two distributions that share nothing are sqrt(ln 2) apart.
    (0, math.sqrt(math.log(2))): (
        "js_distance",
        "group_mix_js_distance",
        "attribution_js_distance",
    ),
    # Summed over the classes: all the probability on a wrong one gives 1 + 1.
    (0, 2): ("brier",),
    (-1, 1): (
        "mcc",
        "kappa",
        "accuracy_drop",
        "balanced_accuracy_drop",
        "recall_drop",
        "roc_auc_drop",
        "estimation_error_accuracy",
        "estimation_error_precision",
        "estimation_error_recall",
        "estimation_error_f1",
        "estimation_error_roc_auc",
    ),
    # What is never negative, against the same of the reference: now / then - 1.
    (-1, math.inf): ("brier_rise", "log_loss_rise", "mae_rise", "rmse_rise"),
    (-math.inf, 1): ("r2",),
    (-math.inf, math.inf): ("mean_error", "group_mean_prediction", "group_mean_error"),
    (0, math.inf): (
        "psi",
        "wasserstein",
        "group_mix_psi",
        "volume",
        "freshness_seconds",
        "log_loss",
        "mae",
        "rmse",
        "mape",
        "max_error",
        "mean_prediction_difference",
        "mean_error_difference",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "attribution_psi",
    ),
}
_RANGE_OF = {name: span for span, names in _RANGES.items() for name in names}


def range_of(metric: str) -> tuple[float, float]:
    """Return the least and the greatest value that a public metric can have, whatever the task.

    Examples
    --------
    >>> range_of("missing_share"), range_of("psi"), range_of("mcc")
    ((0, 1), (0, inf), (-1, 1))
    """
    return _RANGE_OF[metric]
