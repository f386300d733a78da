"""The public metrics: each with its family, the side on which it is bad, and its range.

Data, not maths: a policy names a metric, the monitor computes it, the console groups by
family, `apply` refuses a limit that could never be passed or always would be, and
`docs/metrics.md` says what is bad. What a name means is defined beside its computation in
the monitor.
"""

from __future__ import annotations

import math
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


class Worse(StrEnum):
    """On which side a metric is bad."""

    LOWER = "lower"
    HIGHER = "higher"
    EITHER = "either"  # what is bad depends on the system


_LOW, _HIGH, _EITHER = Worse

_SHARE = (0.0, 1.0)
_POSITIVE = (0.0, math.inf)
_SIGNED = (-1.0, 1.0)
_ANY = (-math.inf, math.inf)
_NATS = (0.0, math.sqrt(math.log(2)))
"""Two distributions that share nothing are sqrt(ln 2) apart."""
_BRIER = (0.0, 2.0)
"""Summed over the classes: all the probability on a wrong one gives 1 + 1."""
_RISE = (-1.0, math.inf)
"""What is never negative, against the same of the reference: now / then - 1."""
_R2 = (-math.inf, 1.0)

_TABLE: dict[Family, dict[str, tuple[Worse, tuple[float, float]]]] = {
    Family.DRIFT: {
        "psi": (_HIGH, _POSITIVE),
        "js_distance": (_HIGH, _NATS),
        "hellinger": (_HIGH, _SHARE),
        "tvd": (_HIGH, _SHARE),
        "wasserstein": (_HIGH, _POSITIVE),
        "ks": (_HIGH, _SHARE),
        "group_mix_psi": (_HIGH, _POSITIVE),
        "group_mix_js_distance": (_HIGH, _NATS),
        "group_mix_tvd": (_HIGH, _SHARE),
    },
    Family.DATA_QUALITY: {
        "missing_share": (_HIGH, _SHARE),
        "type_error_share": (_HIGH, _SHARE),
        "unseen_share": (_HIGH, _SHARE),
        "out_of_range_share": (_HIGH, _SHARE),
        "volume": (_EITHER, _POSITIVE),
        "freshness_seconds": (_HIGH, _POSITIVE),
        "label_coverage": (_LOW, _SHARE),
    },
    Family.PERFORMANCE: {
        "accuracy": (_LOW, _SHARE),
        "balanced_accuracy": (_LOW, _SHARE),
        "precision": (_LOW, _SHARE),
        "recall": (_LOW, _SHARE),
        "specificity": (_LOW, _SHARE),
        "f1": (_LOW, _SHARE),
        "mcc": (_LOW, _SIGNED),
        "kappa": (_LOW, _SIGNED),
        "roc_auc": (_LOW, _SHARE),
        "pr_auc": (_LOW, _SHARE),
        "brier": (_HIGH, _BRIER),
        "log_loss": (_HIGH, _POSITIVE),
        "ece": (_HIGH, _SHARE),
        "weighted_precision": (_LOW, _SHARE),
        "weighted_recall": (_LOW, _SHARE),
        "weighted_f1": (_LOW, _SHARE),
        "class_precision": (_LOW, _SHARE),
        "class_recall": (_LOW, _SHARE),
        "class_f1": (_LOW, _SHARE),
        "confusion_share": (_EITHER, _SHARE),
        "mae": (_HIGH, _POSITIVE),
        "rmse": (_HIGH, _POSITIVE),
        "mean_error": (_EITHER, _ANY),
        "r2": (_LOW, _R2),
        "mape": (_HIGH, _POSITIVE),
        "max_error": (_HIGH, _POSITIVE),
        "accuracy_drop": (_HIGH, _SIGNED),
        "balanced_accuracy_drop": (_HIGH, _SIGNED),
        "recall_drop": (_HIGH, _SIGNED),
        "roc_auc_drop": (_HIGH, _SIGNED),
        "brier_rise": (_HIGH, _RISE),
        "log_loss_rise": (_HIGH, _RISE),
        "mae_rise": (_HIGH, _RISE),
        "rmse_rise": (_HIGH, _RISE),
    },
    Family.FAIRNESS: {
        "selection_rate": (_EITHER, _SHARE),
        "true_positive_rate": (_LOW, _SHARE),
        "false_positive_rate": (_HIGH, _SHARE),
        "group_precision": (_LOW, _SHARE),
        "group_accuracy": (_LOW, _SHARE),
        "group_ece": (_HIGH, _SHARE),
        "group_mean_prediction": (_EITHER, _ANY),
        "group_mean_error": (_EITHER, _ANY),
        "demographic_parity_difference": (_HIGH, _SHARE),
        "demographic_parity_ratio": (_LOW, _SHARE),
        "equal_opportunity_difference": (_HIGH, _SHARE),
        "equalized_odds_difference": (_HIGH, _SHARE),
        "fpr_difference": (_HIGH, _SHARE),
        "predictive_parity_difference": (_HIGH, _SHARE),
        "accuracy_difference": (_HIGH, _SHARE),
        "ece_difference": (_HIGH, _SHARE),
        "mean_prediction_difference": (_HIGH, _POSITIVE),
        "mean_error_difference": (_HIGH, _POSITIVE),
        "estimated_equal_opportunity_difference": (_HIGH, _SHARE),
    },
    Family.OPERATION: {
        "latency_p50": (_HIGH, _POSITIVE),
        "latency_p95": (_HIGH, _POSITIVE),
        "latency_p99": (_HIGH, _POSITIVE),
        "error_share": (_HIGH, _SHARE),
    },
    Family.EXPLANATION: {
        "explanation_coverage": (_LOW, _SHARE),
        "attribution_share": (_EITHER, _SHARE),
        "attribution_js_distance": (_HIGH, _NATS),
        "attribution_psi": (_HIGH, _POSITIVE),
    },
    Family.ESTIMATED: {
        "estimated_accuracy": (_LOW, _SHARE),
        "estimated_precision": (_LOW, _SHARE),
        "estimated_recall": (_LOW, _SHARE),
        "estimated_f1": (_LOW, _SHARE),
        "estimated_roc_auc": (_LOW, _SHARE),
        "estimation_error_accuracy": (_EITHER, _SIGNED),
        "estimation_error_precision": (_EITHER, _SIGNED),
        "estimation_error_recall": (_EITHER, _SIGNED),
        "estimation_error_f1": (_EITHER, _SIGNED),
        "estimation_error_roc_auc": (_EITHER, _SIGNED),
    },
}

FAMILIES: dict[Family, tuple[str, ...]] = {family: tuple(names) for family, names in _TABLE.items()}

METRIC_NAMES: tuple[str, ...] = tuple(name for names in FAMILIES.values() for name in names)
"""Every metric that a rule may name."""

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}
_SIDE_OF = {name: side for names in _TABLE.values() for name, (side, _) in names.items()}
_RANGE_OF = {name: span for names in _TABLE.values() for name, (_, span) in names.items()}


def family_of(metric: str) -> Family | None:
    """Return the family of a metric, or None for a name that is not public.

    Examples
    --------
    >>> family_of("psi").value
    'drift'
    """
    return _FAMILY_OF.get(metric)


def worse(metric: str) -> Worse:
    """Return the bad side of a metric; of one that only a newer release knows, the usual one.

    Examples
    --------
    >>> worse("accuracy").value, worse("psi").value, worse("volume").value
    ('lower', 'higher', 'either')
    """
    return _SIDE_OF.get(metric, Worse.HIGHER)


def range_of(metric: str) -> tuple[float, float]:
    """Return the least and the greatest value that a public metric can have, whatever the task.

    Examples
    --------
    >>> range_of("missing_share"), range_of("psi"), range_of("mcc")
    ((0.0, 1.0), (0.0, inf), (-1.0, 1.0))
    """
    return _RANGE_OF[metric]


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
