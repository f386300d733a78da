"""Series of a window that are inside every limit, at every scale: judged without words.

Most series of most windows are like that, and most of the time of judging them goes into
reasons that nobody reads in a replay. Any other is left to `judgements.judge`; a test holds the
two to the same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from watchkeeper_monitor.metrics import Census, Value
from watchkeeper_monitor.rule.decision import OF_TWO, is_calm, needed, suffices
from watchkeeper_monitor.rule.experience import Key
from watchkeeper_monitor.rule.judgements import Pool, Series, Watched, key_of
from watchkeeper_monitor.rule.stretches import Point
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State


@dataclass(frozen=True, slots=True)
class Quiet:
    """A window in which some series were near no limit, and the blocks that end with it.

    Parameters
    ----------
    start
        Of the window.
    values, pools
        What it says, and what they say.
    """

    start: datetime
    values: Sequence[Value]
    pools: Sequence[Pool]

    def point(self, series: Series, rule: Rule) -> Point | None:
        """Return the point of a quiet series of a rule; None where the window has none."""
        key = series.metric, series.column, series.segment
        own = _of(key, self.values)
        if own is None:
            return None
        calm = 0
        for pool in self.pools:
            large = None if series in pool.broken else _of(key, pool.values)
            if large is not None and _has_error(large):
                calm += pool.scale * (rule.clear is None or is_calm(State.OK, large.value, rule))
        return Point(self.start, State.OK, own.value, calm=calm)


def _of(key: Key, values: Sequence[Value]) -> Value | None:
    return next((value for value in values if key_of(value) == key), None)


class Corridor(NamedTuple):
    """Between what a value must lie to be inside the limits of all rules that look at it.

    Parameters
    ----------
    low, high
        The nearest limits, themselves outside.
    rows
        How many are needed behind it.
    rules
        The rules.
    """

    low: float
    high: float
    rows: int
    rules: frozenset[str]


class Corridors:
    """Tells the quiet series of windows from others, under one policy.

    Parameters
    ----------
    rules, watched
        Of the policy, and what they look at.
    """

    def __init__(self, rules: Sequence[Rule], watched: Watched) -> None:
        self._rules = len(rules)
        self._watched = watched
        self._known: dict[Key, Corridor | None] = {}

    def loud(self, values: Sequence[Value], pools: Sequence[Pool]) -> set[Key] | None:
        """Return which series must be judged; None if a rule looks at nothing and says so.

        Parameters
        ----------
        values
            What rules look at.
        pools
            The blocks that end with the window.
        """
        seen: set[str] = set()
        found = {key_of(value) for value in self._outside(values, seen)}
        for pool in pools:
            found.update(self._loud(pool))
        return found if len(seen) == self._rules else None

    def _loud(self, pool: Pool) -> Iterator[Key]:
        """Yield what a block shows outside a limit, but for what a part of it breached."""
        for value in self._outside(pool.values, set()):
            if _has_error(value) and any(
                series not in pool.broken for _, series in self._watched.of(value)
            ):
                yield key_of(value)

    def _outside(self, values: Sequence[Value], seen: set[str]) -> list[Value]:
        """Return what is past a limit or has too little data; add the rules that look to `seen`.

        Nearly all values of nearly all windows end here, so it is one loop without calls.
        """
        known, found = self._known, []
        for value in values:
            key = value.metric, value.column, value.segment
            if key not in known:
                known[key] = _corridor([rule for rule, _ in self._watched.of(value)])
            corridor = known[key]
            if corridor is None:
                continue
            low, high, rows, rules = corridor
            seen |= rules
            number = value.value
            if (
                number is None
                or value.n < rows
                or not low < number < high
                or (isinstance(value.test, OF_TWO) and not self._suffices(value))
            ):
                found.append(value)
        return found

    def _suffices(self, value: Value) -> bool:
        return all(suffices(value, rule) for rule, _ in self._watched.of(value))


def _corridor(rules: Sequence[Rule]) -> Corridor | None:
    if not rules:
        return None
    lows, highs = [-math.inf], [math.inf]
    for rule in rules:
        nearest = rule.breach if rule.warn is None else rule.warn
        if nearest is not None:
            (lows if rule.below else highs).append(nearest)
    rows = max(1, *(needed(rule.metric, rule)[0] for rule in rules))
    return Corridor(max(lows), min(highs), rows, frozenset(rule.id for rule in rules))


def _has_error(value: Value) -> bool:
    return value.test is not None and not isinstance(value.test, Census)
