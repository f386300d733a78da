"""The answer of a backtest: plain values for JSON, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from watchkeeper_monitor.backtesting.comparing import Compared
from watchkeeper_monitor.backtesting.schedule import Gap


class Window(msgspec.Struct, frozen=True):
    """A stretch of event time."""

    start: datetime
    end: datetime


class Line(msgspec.Struct, frozen=True):
    """One breach; names as in measurements, `opened` is the window that opened it."""

    change: str
    system: str
    version: str
    rule: str
    metric: str
    column: str
    segment: str
    opened: Window
    cleared: datetime | None
    value: float | None
    reason: str


class Skipped(msgspec.Struct, frozen=True):
    """Time that could not be replayed, and under which of the two policies."""

    policy: str
    system: str
    version: str
    window: Window
    reason: str


class Report(msgspec.Struct, frozen=True):
    """Everything that a backtest found.

    Parameters
    ----------
    policy, against
        The replayed policy's hash, and that of the policy in force; empty where none is.
    since, until
        The stretch of event time asked for.
    windows
        How many windows were judged under the new policy.
    totals
        Breaches gained, lost and kept.
    breaches
        Those gained and lost, in the order of their openings.
    skipped
        What could not be rebuilt.
    notes
        What a reader must know besides.
    """

    name: str
    policy: str
    against: str
    since: datetime
    until: datetime
    systems: int
    windows: int
    totals: dict[str, int]
    breaches: list[Line]
    skipped: list[Skipped]
    notes: list[str]


def line(one: Compared, system: str, version: str) -> Line:
    """Return a breach as it is reported."""
    breach, series = one.breach, one.breach.series
    return Line(
        change=one.change.value,
        system=system,
        version=version,
        rule=series.rule,
        metric=series.metric,
        column=series.column,
        segment=series.segment,
        opened=Window(breach.opened.start, breach.opened.end),
        cleared=breach.cleared,
        value=breach.value,
        reason=breach.reason,
    )


def skipped(gap: Gap, policy: str, system: str, version: str) -> Skipped:
    """Return a gap as it is reported."""
    window = Window(gap.span.start, gap.span.end)
    return Skipped(policy, system, version, window, gap.reason)


def totals(lines: Iterable[Line]) -> dict[str, int]:
    """Return how many breaches are gained, lost and kept."""
    counted = Counter(one.change for one in lines)
    return {name: counted[name] for name in ("gained", "lost", "kept")}
