"""What was measured of settled windows: final, or amended since; of each the newest numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.rule.judgements import Measurement, Pooled, Series
from watchkeeper_monitor.rule.stretches import Point
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.spans import Span, Status
from watchkeeper_shared.db.tables import measurements
from watchkeeper_shared.states import State

_ONE = measurements.c
_SERIES = (_ONE.rule, _ONE.metric, _ONE.column, _ONE.segment)


@dataclass(frozen=True, slots=True)
class Settled:
    """A measurement of a settled window, as stored."""

    window: Span
    revision: int
    status: Status
    measurement: Measurement

    @property
    def span(self) -> Span:
        """The time that was judged: the window, or all that showed the breach together."""
        if self.measurement.pooled is None:
            return self.window
        length = self.window.end - self.window.start
        return Span(self.window.end - self.measurement.scale * length, self.window.end)


def _of(scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        *scope.rows_of(measurements),
        _ONE.current.is_(True),
        _ONE.status.in_((Status.FINAL.value, Status.AMENDED.value)),
    )


def points(c: sa.Connection, scope: Scope, since: datetime) -> dict[Series, list[Point]]:
    """Return what rules say about settled windows from `since` on, by series, in window order.

    The value of each is the one that was judged.
    """
    rows = c.execute(
        sa.select(
            *_SERIES, _ONE.window_start, _ONE.state, _ONE.value, _ONE.scale, _ONE.calm, _ONE.pooled
        )
        .where(*_of(scope), _ONE.window_start >= since, _ONE.rule != "")
        .order_by(_ONE.window_start)
    )
    found: defaultdict[Series, list[Point]] = defaultdict(list)
    for rule, metric, column, segment, start, state, value, scale, calm, pooled in rows:
        judged = value if pooled is None else pooled["value"]
        point = Point(start, State(state), judged, scale, calm)
        found[Series(rule, metric, column, segment)].append(point)
    return found


def said_of(
    c: sa.Connection, scope: Scope, metric: str, segment: str, since: datetime
) -> dict[datetime, list[tuple[State, float | None]]]:
    """Return what was judged of one metric in settled windows from `since` on, by window."""
    rows = c.execute(
        sa.select(_ONE.window_start, _ONE.state, _ONE.value).where(
            *_of(scope),
            _ONE.metric == metric,
            _ONE.segment == segment,
            _ONE.window_start >= since,
        )
    )
    found: defaultdict[datetime, list[tuple[State, float | None]]] = defaultdict(list)
    for start, state, value in rows:
        found[start].append((State(state), value))
    return found


def breaching(
    c: sa.Connection, scope: Scope, since: datetime, until: datetime
) -> list[tuple[Series, datetime, int]]:
    """Return series, start and scale of what breached in settled windows that start in a span.

    Parameters
    ----------
    since, until
        The span, `until` not included.
    """
    rows = c.execute(
        sa.select(*_SERIES, _ONE.window_start, _ONE.scale).where(
            *_of(scope),
            _ONE.window_start >= since,
            _ONE.window_start < until,
            _ONE.state == State.BREACH.value,
        )
    )
    return [(Series(*row[:4]), row.window_start, row.scale) for row in rows]


def pooled_breaches(
    c: sa.Connection, scope: Scope, since: datetime, until: datetime
) -> list[tuple[Series, datetime, int]]:
    """Return series, start and scale of the newest window that took a pool of each scale to see.

    A breach may be open for months of short windows, and this is asked whenever windows are
    judged: so an index holds nothing else. The windows start in a span, `until` not included.
    """
    newest = sa.func.max(_ONE.window_start, type_=_ONE.window_start.type)
    query = sa.select(*_SERIES, newest.label("newest"), _ONE.scale).where(
        *_of(scope),
        _ONE.window_start >= since,
        _ONE.window_start < until,
        _ONE.scale > sa.literal_column("1"),  # in letters, as the condition of the index
        _ONE.state == State.BREACH.value,
    )
    return [
        (Series(*row[:4]), row.newest, row.scale)
        for row in c.execute(query.group_by(*_SERIES, _ONE.scale))
    ]


def standing(
    c: sa.Connection, scope: Scope, series: Series, start: datetime | None
) -> Settled | None:
    """Return one series' measurement of a settled window; of the newest one without `start`."""
    query = sa.select(measurements).where(
        *_of(scope),
        _ONE.rule == series.rule,
        _ONE.metric == series.metric,
        _ONE.column == series.column,
        _ONE.segment == series.segment,
    )
    if start is not None:
        query = query.where(_ONE.window_start == start)
    newest = query.order_by(_ONE.window_start.desc()).limit(1)
    row = c.execute(newest).one_or_none()
    return None if row is None else _settled(row)


def earlier_starts(c: sa.Connection, scope: Scope, before: datetime, count: int) -> list[datetime]:
    """Return the starts of the last `count` settled windows before an instant, oldest first."""
    query = (
        sa.select(_ONE.window_start)
        .where(*_of(scope), _ONE.window_start < before)
        .distinct()
        .order_by(_ONE.window_start.desc())
        .limit(count)
    )
    return sorted(c.execute(query).scalars()) if count else []


def _settled(row: sa.Row[Any]) -> Settled:
    measurement = Measurement(
        series=Series(row.rule, row.metric, row.column, row.segment),
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
        reference=row.reference,
        reference_n=row.reference_n,
        warn=row.warn,
        breach=row.breach,
        state=State(row.state),
        reason=row.reason,
        scale=row.scale,
        calm=row.calm,
        pooled=msgspec.convert(row.pooled, Pooled | None),
    )
    window = Span(row.window_start, row.window_end)
    return Settled(window, row.revision, Status(row.status), measurement)
