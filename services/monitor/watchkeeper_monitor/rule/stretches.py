"""When judgements of one series become a breach, and when the breach is over.

A *stretch* is what the windows say: from the window that opened it to the first good one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from watchkeeper_monitor.rule.decision import is_calm
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State


class Point(msgspec.Struct, frozen=True, gc=False):
    """One settled window of a series, judged.

    Parameters
    ----------
    window
        Start of the window.
    state, value
        What the decision said, and the effect that was judged: the window's own, or a pool's.
    scale, calm
        As in `decision.Judgement`.
    confirmed
        False where it is an estimate that no label agrees with: then it ends no breach.
    """

    window: datetime
    state: State
    value: float | None
    scale: int = 1
    calm: int = 0
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows during which a rule did not hold; `cleared` is the first good window after."""

    opened: datetime
    cleared: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A breach that is still open: since which window, and the largest scale it took to see."""

    window: datetime
    scale: int = 1


def lookback(rule: Rule) -> int:
    """Return how many earlier windows the fold must see to judge the next one."""
    return max(rule.k_of_n[1], rule.clear.count if rule.clear else 1) - 1


def fold(
    points: Sequence[Point], rule: Rule, since: Opening | None = None, known: int = 0
) -> list[Stretch]:
    """Return the stretches in which the rule did not hold.

    It opens at a breaching window when k of the last n windows breached; a pool of s windows
    that breaches counts as s of them. It ends at the scale at which it was seen: a breach of
    single windows when `clear.count` windows in a row are calm (left out: one), a breach
    that took a pool of s windows to see when a pool of s windows is.

    Parameters
    ----------
    points
        In window order, gaps closed by `no_data`.
    since
        The breach that is open where the folding begins.
    known
        So many leading points were folded before and only remind; see `lookback`.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> states = (State.OK, State.BREACH, State.OK)
    >>> points = [Point(day, state, None) for day, state in zip(days, states)]
    >>> [(s.opened.day, s.cleared.day) for s in fold(points, Rule(id="r", metric="psi"))]
    [(2, 3)]
    """
    found: list[Stretch] = []
    opened, scale = (None, 1) if since is None else (since.window, since.scale)
    for end in range(known + 1, len(points) + 1):
        newest = points[end - 1]
        if opened is None and _opens(points, end, rule):
            opened, scale = newest.window, 1
        if opened is not None and newest.state is State.BREACH:
            scale = max(scale, newest.scale)
        elif opened is not None and _ends(points, end, rule, Opening(opened, scale)):
            found.append(Stretch(opened, newest.window))
            opened = None
    if opened is not None:
        found.append(Stretch(opened))
    return found


def _opens(points: Sequence[Point], end: int, rule: Rule) -> bool:
    if points[end - 1].state is not State.BREACH:
        return False
    need, out_of = rule.k_of_n
    recent = points[max(0, end - out_of) : end]
    return sum(point.scale for point in recent if point.state is State.BREACH) >= need


def _ends(points: Sequence[Point], end: int, rule: Rule, opening: Opening) -> bool:
    if opening.scale > 1:
        return points[end - 1].confirmed and bool(points[end - 1].calm & opening.scale)
    count = rule.clear.count if rule.clear else 1
    last = [point for point in points[max(0, end - count) : end] if point.window > opening.window]
    return len(last) == count and all(
        one.confirmed and is_calm(one.state, one.value, rule) for one in last
    )
