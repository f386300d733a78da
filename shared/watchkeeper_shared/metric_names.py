"""The public metric names, each in its family (architecture section 5).

Data, not maths: a policy names a metric, the monitor computes it, the console groups by
family. What a name means is defined beside its computation in the monitor.
"""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """What kind of question a metric answers; the order is the order of display."""

    DRIFT = "drift"
    DATA_QUALITY = "data quality"
    PERFORMANCE = "performance"
    FAIRNESS = "fairness"
    OPERATION = "operation"
    EXPLANATION = "explanation"
    ESTIMATED = "estimated performance"


FAMILIES: dict[Family, tuple[str, ...]] = {
    Family.DRIFT: (
        "psi",
        "js_distance",
        "hellinger",
        "tvd",
        "wasserstein",
        "ks",
        "group_mix_psi",
        "group_mix_js_distance",
        "group_mix_tvd",
    ),
    Family.DATA_QUALITY: (
        "missing_share",
        "type_error_share",
        "unseen_share",
        "out_of_range_share",
        "volume",
        "freshness_seconds",
        "label_coverage",
    ),
    Family.PERFORMANCE: (
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
        "brier",
        "log_loss",
        "ece",
        "weighted_precision",
        "weighted_recall",
        "weighted_f1",
        "class_precision",
        "class_recall",
        "class_f1",
        "confusion_share",
        "mae",
        "rmse",
        "mean_error",
        "r2",
        "mape",
        "max_error",
        "accuracy_drop",
        "balanced_accuracy_drop",
        "recall_drop",
        "roc_auc_drop",
        "brier_rise",
        "log_loss_rise",
        "mae_rise",
        "rmse_rise",
    ),
    Family.FAIRNESS: (
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "group_precision",
        "group_accuracy",
        "group_ece",
        "group_mean_prediction",
        "group_mean_error",
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
        "fpr_difference",
        "predictive_parity_difference",
        "accuracy_difference",
        "ece_difference",
        "mean_prediction_difference",
        "mean_error_difference",
        "estimated_equal_opportunity_difference",
    ),
    Family.OPERATION: ("latency_p50", "latency_p95", "latency_p99", "error_share"),
    Family.EXPLANATION: (
        "explanation_coverage",
        "attribution_share",
        "attribution_js_distance",
        "attribution_psi",
    ),
    Family.ESTIMATED: (
        "estimated_accuracy",
        "estimated_precision",
        "estimated_recall",
        "estimated_f1",
        "estimated_roc_auc",
        "estimation_error_accuracy",
        "estimation_error_precision",
        "estimation_error_recall",
        "estimation_error_f1",
        "estimation_error_roc_auc",
    ),
}

METRIC_NAMES: tuple[str, ...] = tuple(name for names in FAMILIES.values() for name in names)
"""Every metric that a rule may name."""

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}


def family_of(metric: str) -> Family | None:
    """Return the family of a metric, or None for a name that is not public.

    Examples
    --------
    >>> family_of("psi").value
    'drift'
    """
    return _FAMILY_OF.get(metric)


CONFUSION = "confusion_share"
"""The metric whose segments are no rows but what a class was taken for: `prediction=3`."""

BY_CLASS = ("class_precision", "class_recall", "class_f1", CONFUSION)
"""Metrics of a multiclass system whose column is a class."""

BY_FEATURE = (Family.DRIFT, Family.DATA_QUALITY)
"""Families whose columns are features, the score and the prediction."""


def takes_attribute(metric: str) -> bool:
    """Return whether a rule on this metric may name an attribute.

    Examples
    --------
    >>> takes_attribute("group_mix_psi"), takes_attribute("psi")
    (True, False)
    """
    return family_of(metric) is Family.FAIRNESS or metric.startswith("group_mix_")


def takes_columns(metric: str) -> bool:
    """Return whether a rule on this metric may name columns.

    Examples
    --------
    >>> takes_columns("psi"), takes_columns("class_recall"), takes_columns("recall")
    (True, True, False)
    """
    if metric in BY_CLASS or metric == "attribution_share":
        return True
    return family_of(metric) in BY_FEATURE and not metric.startswith("group_mix_")
