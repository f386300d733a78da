"""Default limits per risk tier, each with what supports it: data for the page and the policies.

No standard sets these numbers. Where nothing public supports one, the source says
`project default`. Every limit counts only together with the evidence that the alarm budget asks
for, so a small window does not breach by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper_shared.specs import Task, Tier

Pair = tuple[float | None, float | None]
"""The limit to warn at, and the limit to breach at."""

PROJECT = "project default"
_PSI = "rule of thumb 0.10 / 0.25, open about its lack of error rates (Yurdakul and Naranjo 2020)"
_EVIDENTLY = "Evidently's default 0.1 for a reference of more than 1,000 rows"
_QUALITY = f"measures: ISO/IEC 5259-2:2024; values: {PROJECT}"
_GAPS = f"metrics: ISO/IEC TR 24027:2021 and Hardt 2016; values: {PROJECT}"
_ECE = f"metric: Naeini 2015; no standard sets a limit; values: {PROJECT}"
_LEVEL = f"Regulation (EU) 2024/1689 art. 9(8) asks for limits set beforehand; values: {PROJECT}"
_FOUR_FIFTHS = f"29 CFR 1607.4(D), with a significance test; 0.90: {PROJECT}"
_EVERY, _NUMBERS = frozenset(Task), frozenset({Task.REGRESSION})
_BINARY, _CLASSES = frozenset({Task.BINARY}), frozenset({Task.BINARY, Task.MULTICLASS})


@dataclass(frozen=True, slots=True)
class Limit:
    """The default limits of one metric.

    Parameters
    ----------
    by_tier
        Tier → limits; a tier that is left out measures without a limit.
    source
        What supports them.
    tasks
        Tasks whose default policy has a rule; empty for limits that are a hint only.
    columns
        Of the rule; `*` is every feature.
    below
        Small values are bad.
    """

    by_tier: dict[Tier, Pair]
    source: str
    tasks: frozenset[Task] = frozenset()
    columns: tuple[str, ...] = ()
    below: bool = False


def _tiers(low: Pair | None, limited: Pair | None, high: Pair | None) -> dict[Tier, Pair]:
    pairs = zip((Tier.LOW, Tier.LIMITED, Tier.HIGH), (low, limited, high), strict=True)
    return {tier: pair for tier, pair in pairs if pair is not None}


def _at(low: float | None, limited: float, high: float) -> dict[Tier, Pair]:
    return _tiers(None if low is None else (None, low), (None, limited), (None, high))


_PSI_TIERS = _tiers((0.10, 0.25), (0.10, 0.25), (0.10, 0.25))
_GAP_TIERS = _tiers(None, (None, 0.15), (0.05, 0.10))

LIMITS: dict[str, Limit] = {
    "psi": Limit(_PSI_TIERS, _PSI, _EVERY, ("*", "prediction")),
    "js_distance": Limit(_at(0.15, 0.10, 0.10), _EVIDENTLY),
    "wasserstein": Limit(_at(0.15, 0.10, 0.10), _EVIDENTLY),
    "group_mix_psi": Limit(_PSI_TIERS, f"as psi; {PROJECT}"),
    "missing_share": Limit(_at(0.05, 0.02, 0.005), _QUALITY, _EVERY, ("*",)),
    "out_of_range_share": Limit(_at(0.02, 0.01, 0.005), _QUALITY, _EVERY, ("*",)),
    "unseen_share": Limit(_at(0.02, 0.01, 0.005), _QUALITY, _EVERY, ("*",)),
    "balanced_accuracy_drop": Limit(_at(0.10, 0.05, 0.03), _LEVEL, _CLASSES),
    "recall_drop": Limit(_at(0.10, 0.05, 0.03), _LEVEL, _BINARY),
    "roc_auc_drop": Limit(_at(0.10, 0.05, 0.03), _LEVEL, _BINARY),
    "brier_rise": Limit(_at(0.20, 0.10, 0.05), PROJECT, _BINARY),
    "log_loss_rise": Limit(_at(0.20, 0.10, 0.05), PROJECT),
    "mae_rise": Limit(_at(0.20, 0.10, 0.05), PROJECT, _NUMBERS),
    "rmse_rise": Limit(_at(0.20, 0.10, 0.05), PROJECT, _NUMBERS),
    "ece": Limit(_at(0.10, 0.07, 0.05), _ECE, _BINARY),
    "demographic_parity_ratio": Limit(
        _tiers(None, (None, 0.80), (0.90, 0.80)), _FOUR_FIFTHS, _BINARY, below=True
    ),
    "demographic_parity_difference": Limit(_at(None, 0.15, 0.10), _GAPS, _BINARY),
    "equal_opportunity_difference": Limit(_GAP_TIERS, _GAPS, _BINARY),
    "equalized_odds_difference": Limit(_GAP_TIERS, _GAPS),
    "fpr_difference": Limit(_GAP_TIERS, _GAPS, _BINARY),
    "accuracy_difference": Limit(_GAP_TIERS, PROJECT, frozenset({Task.MULTICLASS})),
    "ece_difference": Limit(_at(None, 0.07, 0.05), PROJECT, _BINARY),
    "explanation_coverage": Limit(
        _tiers(None, (None, 0.95), (None, 0.99)),
        f"Regulation (EU) 2024/1689 art. 13 and 86; values: {PROJECT}",
        below=True,
    ),
}
