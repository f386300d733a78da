"""From measured values and a policy to judged measurements: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.rule.decision import (
    Asked,
    Judgement,
    Look,
    decide,
    decide_pooled,
    independent,
    levels,
)
from watchkeeper_monitor.rule.dispersion import Sight, assumed, fixed, sight
from watchkeeper_monitor.rule.experience import Experience, Key
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State


class Series(msgspec.Struct, frozen=True, order=True, gc=False):
    """What a breach is of: one metric of one column and segment, under one rule."""

    rule: str
    metric: str
    column: str
    segment: str


class Pooled(msgspec.Struct, frozen=True, gc=False):
    """What several windows say together: the value that was judged, its interval, the rows."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One metric of one window, judged by one rule ("" where no rule looks at it).

    `value`, `low`, `high` and `n` are the window's own. Where it took `scale` windows to see a
    breach, `pooled` says what they say together.
    """

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
    scale: int = 1
    calm: int = 0
    pooled: Pooled | None = None

    @property
    def judged(self) -> float | None:
        """The value that was judged."""
        return self.value if self.pooled is None else self.pooled.value


@dataclass(frozen=True, slots=True)
class Pool:
    """A block of windows that ends with the one that is judged.

    Parameters
    ----------
    scale
        How many windows.
    values
        What they say together.
    broken
        Series of which a part of the block breached by itself.
    """

    scale: int
    values: Sequence[Value]
    broken: Collection[Series] = ()


def judge(  # noqa: PLR0913 - values, limits, and what else a decision may know
    values: Sequence[Value],
    policy: OversightPolicy | None,
    features: Collection[str],
    reference: str | None,
    pools: Sequence[Pool] = (),
    experience: Experience | None = None,
    *,
    only: Collection[Key] | None = None,
) -> list[Measurement]:
    """Judge every value by every rule that looks at it; keep the others too.

    A rule that looks at nothing, or at nothing of one of its segments, is an error of its own:
    it would otherwise hold for ever.

    Parameters
    ----------
    features
        What `columns: ["*"]` stands for.
    reference
        Id of the reference that was compared with, where there was one.
    pools
        The blocks that end with this window, the smallest first.
    experience
        What earlier windows taught about dispersion; None takes rows to be independent.
    only
        Judge these alone, at the level that allows for all the others; None judges all.
    """
    rules = () if policy is None else policy.rules
    watched = Watched(rules, features)
    matches = [watched.of(value) for value in values]
    tested = sum(map(len, matches))
    alpha = levels(policy, tested) if policy is not None and tested else 1.0
    pooled = [(pool, {key_of(value): value for value in pool.values}) for pool in pools]
    found = []
    for value, looking in zip(values, matches, strict=True):
        if only is not None and key_of(value) not in only:
            continue
        for rule, series in looking:
            looks = _looks(series, pooled, rule, experience)
            own = Look(1, value, _asked(rule, value, 1, experience))
            judgement = decide_pooled(own, looks, rule, alpha)
            found.append(_measurement(value, rule, judgement, reference))
        if not looking:
            found.append(_measurement(value, None, decide(value, None, alpha), reference))
    seen = {(rule.id, series.segment) for looking in matches for rule, series in looking}
    named = ((rule, segment) for rule in rules for segment in rule.segments or ("",))
    return found + [_blind(rule, at) for rule, at in named if (rule.id, at) not in seen]


class Watched:
    """Which rules look at which series, found once for each.

    Parameters
    ----------
    rules
        Of one policy.
    features
        What `columns: ["*"]` stands for.
    """

    def __init__(self, rules: Iterable[Rule], features: Collection[str]) -> None:
        self._features = features
        self._of_metric: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            self._of_metric[rule.metric].append(rule)
        self._known: dict[Key, tuple[tuple[Rule, Series], ...]] = {}

    def of(self, value: Value) -> tuple[tuple[Rule, Series], ...]:
        """Return the rules that look at a value, and what each calls it."""
        key = key_of(value)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(
                (rule, Series(rule.id, *key))
                for rule in self._of_metric.get(value.metric, ())
                if looks_at(rule, value, self._features)
            )
        return found


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


def key_of(value: Value) -> Key:
    """Return what a value is of, whichever rule looks at it."""
    return value.metric, value.column, value.segment


def sights_of(values: Iterable[Value], watched: Watched) -> dict[Key, Sight]:
    """Return what values teach about the spread of each series that can breach.

    Too few rows for a decision teach too: the pools decide, and need to know.
    """
    found: dict[Key, Sight] = {}
    for value in values:
        if any(rule.breach is not None for rule, _ in watched.of(value)):
            seen = sight(value)
            if seen is not None:
                found[key_of(value)] = seen
    return found


def _looks(
    series: Series,
    pooled: Sequence[tuple[Pool, Mapping[Key, Value]]],
    rule: Rule,
    experience: Experience | None,
) -> Iterator[Look]:
    key = (series.metric, series.column, series.segment)
    for pool, values in pooled:
        if key in values and series not in pool.broken:
            yield Look(pool.scale, values[key], _asked(rule, values[key], pool.scale, experience))


def _asked(rule: Rule, value: Value, scale: int, experience: Experience | None) -> Asked:
    known = independent
    if experience is not None:
        known = partial(experience.dispersion, key_of(value), scale, assumed(value.test))
    factor = rule.dispersion
    return known if factor is None else lambda: fixed(factor, known())


def _measurement(
    value: Value, rule: Rule | None, judgement: Judgement, reference: str | None
) -> Measurement:
    if judgement.state is State.OK and not value.n:
        # A count of nothing is a number, and still says nothing about health.
        judgement = Judgement(
            State.NO_DATA, f"no rows in this window; {judgement.reason}", calm=judgement.calm
        )
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
        scale=judgement.scale,
        calm=judgement.calm,
        pooled=None if judgement.pooled is None else _pooled(judgement.pooled),
    )


def _pooled(value: Value) -> Pooled:
    return Pooled(value.value, value.low, value.high, value.n)


def _blind(rule: Rule, segment: str) -> Measurement:
    column = rule.attribute or (rule.columns[0] if rule.columns else "")
    where = f"of {segment}" if segment else "of what this rule names"
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
        reason=f"nothing measures {rule.metric} {where}; check the rule's columns, attribute and "
        "segments against the system's declaration, and that the reference holds the group",
    )
