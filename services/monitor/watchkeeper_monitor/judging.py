"""From measured values and a policy to judged measurements: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from watchkeeper_monitor.decision import Judgement, decide, levels
from watchkeeper_monitor.metrics import Value
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What a breach is of: one metric of one column and segment, under one rule."""

    rule: str
    metric: str
    column: str
    segment: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one window, judged by one rule ("" where no rule looks at it)."""

    series: Series
    value: float | None
    low: float | None
    high: float | None
    n: int
    reference: str | None
    reference_n: int | None
    warn: float | None
    breach: float | None
    state: State
    reason: str


def judge(
    values: Sequence[Value],
    policy: OversightPolicy | None,
    features: Collection[str],
    reference: str | None,
) -> list[Measurement]:
    """Judge every value by every rule that looks at it; keep the others too.

    A rule that looks at nothing is an error of its own: it would otherwise hold for ever.

    Parameters
    ----------
    features
        What `columns: ["*"]` stands for.
    reference
        Id of the reference that was compared with, where there was one.
    """
    rules = () if policy is None else policy.rules
    matches = [[rule for rule in rules if looks_at(rule, value, features)] for value in values]
    series = sum(map(len, matches))
    alpha = levels(policy, series) if policy is not None and series else 1.0
    found = []
    for value, looking in zip(values, matches, strict=True):
        found += [_judged(value, rule, alpha, reference) for rule in looking]
        if not looking:
            found.append(_judged(value, None, alpha, reference))
    seen = {one.series.rule for one in found}
    return found + [_blind(rule) for rule in rules if rule.id not in seen]


def looks_at(rule: Rule, value: Value, features: Collection[str]) -> bool:
    """Return whether a rule is about a value.

    Left out, `columns` and `attribute` mean every column that the metric has, and `segments`
    the whole window.
    """
    if rule.metric != value.metric or value.segment not in (rule.segments or ("",)):
        return False
    if rule.attribute:
        return value.column == rule.attribute
    if not rule.columns or value.column in rule.columns:
        return True
    return "*" in rule.columns and value.column in features


def _judged(value: Value, rule: Rule | None, alpha: float, reference: str | None) -> Measurement:
    judgement = decide(value, rule, alpha)
    if judgement.state is State.OK and not value.n:
        # A count of nothing is a number, and still says nothing about health.
        judgement = Judgement(State.NO_DATA, f"no rows in this window; {judgement.reason}")
    return Measurement(
        series=Series("" if rule is None else rule.id, value.metric, value.column, value.segment),
        value=value.value,
        low=value.low,
        high=value.high,
        n=value.n,
        reference=reference if value.reference_n is not None else None,
        reference_n=value.reference_n,
        warn=None if rule is None else rule.warn,
        breach=None if rule is None else rule.breach,
        state=judgement.state,
        reason=judgement.reason,
    )


def _blind(rule: Rule) -> Measurement:
    column = rule.attribute or (rule.columns[0] if rule.columns else "")
    segment = rule.segments[0] if rule.segments else ""
    return Measurement(
        series=Series(rule.id, rule.metric, column, segment),
        value=None,
        low=None,
        high=None,
        n=0,
        reference=None,
        reference_n=None,
        warn=rule.warn,
        breach=rule.breach,
        state=State.ERROR,
        reason=f"nothing measures {rule.metric} of what this rule names; check its columns, "
        "attribute and segments against the system's declaration",
    )
