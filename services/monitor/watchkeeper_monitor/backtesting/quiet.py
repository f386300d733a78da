"""Windows in which every series is inside every limit, at every scale: judged without words.

Most windows of most systems are like that, and most of the time of judging them goes into
reasons that nobody reads in a replay. Anything else is left to `judging.judge`; a test holds
the two to the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchkeeper_monitor.decision import is_calm, suffices
from watchkeeper_monitor.judging import Pool, Series, Watched, key_of
from watchkeeper_monitor.metrics import Census, Value
from watchkeeper_monitor.stretches import Point
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State


def points(
    start: datetime,
    values: Sequence[Value],
    pools: Sequence[Pool],
    rules: Sequence[Rule],
    watched: Watched,
) -> dict[Series, Point] | None:
    """Return the points of a window if each of them is ok; None if it must be judged.

    Parameters
    ----------
    values
        What rules look at.
    pools
        The blocks that end with the window.
    rules, watched
        Of the policy, and what they look at.
    """
    found: dict[Series, Point] = {}
    seen = set()
    pooled = [(pool, {key_of(value): value for value in pool.values}) for pool in pools]
    for value in values:
        key = key_of(value)
        larger = [
            (pool, by_key[key])
            for pool, by_key in pooled
            if key in by_key and _has_error(by_key[key])
        ]
        for rule, series in watched.of(value):
            if not _is_inside(value, rule):
                return None
            calm = 0
            for pool, large in larger:
                if pool.broken and series in pool.broken:
                    continue
                if not _is_inside(large, rule):
                    return None
                calm += pool.scale * (rule.clear is None or is_calm(State.OK, large.value, rule))
            found[series] = Point(start, State.OK, value.value, calm=calm)
            seen.add(rule.id)
    return found if len(seen) == len(rules) else None


def _has_error(value: Value) -> bool:
    return value.test is not None and not isinstance(value.test, Census)


def _is_inside(value: Value, rule: Rule) -> bool:
    """Return whether there is enough data and it is past no limit."""
    if value.value is None or not value.n:
        return False
    nearest = rule.breach if rule.warn is None else rule.warn
    past = nearest is not None and (
        value.value <= nearest if rule.below else value.value >= nearest
    )
    return not past and suffices(value, rule)
