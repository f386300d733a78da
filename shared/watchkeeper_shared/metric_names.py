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


FAMILIES: dict[Family, tuple[str, ...]] = {
    Family.DRIFT: ("psi", "js_distance", "wasserstein", "ks"),
    Family.DATA_QUALITY: (
        "missing_share",
        "type_error_share",
        "unseen_share",
        "out_of_range_share",
        "volume",
        "label_coverage",
    ),
    Family.PERFORMANCE: (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "brier",
        "log_loss",
        "mae",
        "rmse",
    ),
    Family.FAIRNESS: (
        "selection_rate",
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
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
