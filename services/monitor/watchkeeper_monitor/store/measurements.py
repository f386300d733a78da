"""Every number that was measured, with the limits it was held against and what they said."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.rule.judgements import Measurement, Pooled, Series
from watchkeeper_monitor.rule.stretches import Point
from watchkeeper_monitor.store.windows import Judged, Scope
from watchkeeper_monitor.windows.spans import Span, Status
from watchkeeper_shared.db.tables import measurements
from watchkeeper_shared.states import State

_STANDING = (
    measurements.c.current.is_(True),
    measurements.c.status.in_((Status.FINAL.value, Status.AMENDED.value)),
)


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
        measurements.c.policy == scope.policy,
        measurements.c.system == scope.system,
        measurements.c.version == scope.version,
    )


def replace(
    c: sa.Connection,
    scope: Scope,
    policy_hash: str,
    judged: Judged,
    found: Sequence[Measurement],
) -> None:
    """Make these the current measurements of a window.

    Numbers of the same revision are provisional ones and go; those of an older revision
    were final once, and stay beside the new ones.
    """
    same_window = (*_of(scope), measurements.c.window_start == judged.window.start)
    is_current = measurements.c.current.is_(True)
    c.execute(
        sa.delete(measurements).where(
            *same_window, is_current, measurements.c.revision == judged.revision
        )
    )
    c.execute(sa.update(measurements).where(*same_window, is_current).values(current=False))
    if found:
        fixed = _fixed(scope, policy_hash, judged)
        c.execute(sa.insert(measurements), [fixed | _values(one) for one in found])


def settle(c: sa.Connection, scope: Scope, judged: Judged) -> None:
    """Note that the current numbers of a window are no longer provisional."""
    c.execute(
        sa.update(measurements)
        .where(
            *_of(scope),
            measurements.c.window_start == judged.window.start,
            measurements.c.current.is_(True),
        )
        .values(status=judged.status.value)
    )


def _fixed(scope: Scope, policy_hash: str, judged: Judged) -> dict[str, object]:
    return {
        "system": scope.system,
        "version": scope.version,
        "policy": scope.policy,
        "policy_hash": policy_hash,
        "window_start": judged.window.start,
        "window_end": judged.window.end,
        "revision": judged.revision,
        "current": True,
        "status": judged.status.value,
        "computed_at": judged.judged_at,
    }


def _values(one: Measurement) -> dict[str, object]:
    return {
        "rule": one.series.rule,
        "metric": one.series.metric,
        "column": one.series.column,
        "segment": one.series.segment,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "reference": one.reference,
        "reference_n": one.reference_n,
        "warn": one.warn,
        "breach": one.breach,
        "state": one.state.value,
        "reason": one.reason,
        "scale": one.scale,
        "calm": one.calm,
        "pooled": None if one.pooled is None else _pooled(one.pooled),
    }


def _pooled(one: Pooled) -> dict[str, object]:
    """Return what JSON can say of it: it has no infinite numbers, and PostgreSQL refuses them."""
    found = msgspec.to_builtins(one)
    return {
        name: value if value is None or math.isfinite(value) else None
        for name, value in found.items()
    }


def points(c: sa.Connection, scope: Scope, since: datetime) -> dict[Series, list[Point]]:
    """Return what rules say about settled windows from `since` on, by series, in window order.

    The value of each is the one that was judged.
    """
    rows = c.execute(
        sa.select(
            measurements.c.rule,
            measurements.c.metric,
            measurements.c.column,
            measurements.c.segment,
            measurements.c.window_start,
            measurements.c.state,
            measurements.c.value,
            measurements.c.scale,
            measurements.c.calm,
            measurements.c.pooled,
        )
        .where(
            *_of(scope),
            measurements.c.window_start >= since,
            *_STANDING,
            measurements.c.rule != "",
        )
        .order_by(measurements.c.window_start)
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
        sa.select(measurements.c.window_start, measurements.c.state, measurements.c.value).where(
            *_of(scope),
            measurements.c.metric == metric,
            measurements.c.segment == segment,
            measurements.c.window_start >= since,
            *_STANDING,
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
        sa.select(
            measurements.c.rule,
            measurements.c.metric,
            measurements.c.column,
            measurements.c.segment,
            measurements.c.window_start,
            measurements.c.scale,
        ).where(
            *_of(scope),
            measurements.c.window_start >= since,
            measurements.c.window_start < until,
            *_STANDING,
            measurements.c.state == State.BREACH.value,
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
    one = measurements.c
    key = (one.rule, one.metric, one.column, one.segment)
    newest = sa.func.max(one.window_start, type_=one.window_start.type)
    query = sa.select(*key, newest.label("newest"), one.scale).where(
        *_of(scope),
        one.window_start >= since,
        one.window_start < until,
        *_STANDING,
        one.scale > sa.literal_column("1"),  # in letters, as the condition of the index
        one.state == State.BREACH.value,
    )
    return [
        (Series(*row[:4]), row.newest, row.scale)
        for row in c.execute(query.group_by(*key, one.scale))
    ]


def standing(
    c: sa.Connection, scope: Scope, series: Series, start: datetime | None
) -> Settled | None:
    """Return one series' measurement of a settled window; of the newest one without `start`."""
    query = sa.select(measurements).where(
        *_of(scope),
        measurements.c.rule == series.rule,
        measurements.c.metric == series.metric,
        measurements.c.column == series.column,
        measurements.c.segment == series.segment,
        *_STANDING,
    )
    if start is not None:
        query = query.where(measurements.c.window_start == start)
    newest = query.order_by(measurements.c.window_start.desc()).limit(1)
    row = c.execute(newest).one_or_none()
    return None if row is None else _settled(row)


def earlier_starts(c: sa.Connection, scope: Scope, before: datetime, count: int) -> list[datetime]:
    """Return the starts of the last `count` settled windows before an instant, oldest first."""
    query = (
        sa.select(measurements.c.window_start)
        .where(
            *_of(scope),
            measurements.c.window_start < before,
            *_STANDING,
        )
        .distinct()
        .order_by(measurements.c.window_start.desc())
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
