"""The monitor's measurements, read only (tables `measurements`, `windows`, `ended`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import ended, measurements, windows


@dataclass(frozen=True, slots=True)
class Filter:
    """Which measurements are wanted; None is all.

    Parameters
    ----------
    system, version, policy, metric, column, segment
        Exact names; an empty segment is the whole window.
    since, until
        Windows that start at or after, and end at or before.
    latest
        Only the newest window of each policy, system and version.
    systems
        Only these; with `latest` only.
    """

    system: str | None = None
    version: str | None = None
    policy: str | None = None
    metric: str | None = None
    column: str | None = None
    segment: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    latest: bool = False
    systems: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one window, as the monitor judged it last.

    Parameters
    ----------
    value, low, high, n
        The window's own.
    scale, pooled
        It took so many windows, up to this one, to see a breach; and the value, interval and
        rows of all of them, which were judged then.
    """

    system: str
    version: str
    policy: str
    policy_hash: str
    rule: str
    metric: str
    column: str
    segment: str
    window_start: datetime
    window_end: datetime
    revision: int
    status: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    reference: str | None
    reference_n: int | None
    warn: float | None
    breach: float | None
    state: str
    reason: str
    computed_at: datetime
    scale: int = 1
    pooled: Mapping[str, Any] | None = None

    @property
    def judged_from(self) -> datetime:
        """The start of the time that was judged: the window, or all those pooled."""
        return self.window_end - self.scale * (self.window_end - self.window_start)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many series of one metric are in one state in the newest windows of a system.

    Parameters
    ----------
    rule
        Empty where none looks at them.
    window_end
        When the newest of their windows ends.
    """

    system: str
    metric: str
    rule: str
    state: str
    window_end: datetime
    count: int


_NAMES = tuple(Measurement.__slots__)
_COLUMNS = tuple(measurements.c[name] for name in _NAMES)


def select(c: sa.Connection, wanted: Filter, limit: int) -> list[Measurement]:
    """Return the current revisions that match, oldest window first.

    At most `limit`: the newest ones, so that a bounded answer is about the present.
    """
    query = sa.select(*_COLUMNS).where(measurements.c.current, *_conditions(wanted))
    if wanted.latest:
        query = _of_newest_windows(query, wanted)
    query = query.order_by(measurements.c.window_start.desc(), measurements.c.id.desc())
    rows = c.execute(query.limit(limit)).all()
    return [_measurement(row) for row in reversed(rows)]


def ended_before(c: sa.Connection, wanted: Filter) -> datetime | None:
    """Return before which instant windows that match have ended, if any of them has."""
    names = ("system", "version", "policy")
    given = {name: getattr(wanted, name) for name in names}
    found = [ended.c[name] == value for name, value in given.items() if value is not None]
    until: datetime | None = c.execute(sa.select(sa.func.max(ended.c.until)).where(*found)).scalar()
    is_reached = until is not None and (wanted.since is None or wanted.since < until)
    return until if is_reached and not wanted.latest else None


def tallies(c: sa.Connection, systems: Sequence[str]) -> list[Tally]:
    """Return how the newest windows of some systems stand; short, however many series they have."""
    kept = tuple(measurements.c[name] for name in ("system", "metric", "rule", "state"))
    newest, count = sa.func.max(measurements.c.window_end), sa.func.count()
    query = sa.select(*kept, newest, count).where(measurements.c.current)
    wanted = Filter(latest=True, systems=tuple(systems))
    query = _of_newest_windows(query, wanted).group_by(*kept)
    return [Tally(*row) for row in c.execute(query)]


def latest_windows(c: sa.Connection) -> list[sa.Row[Any]]:
    """Return the newest window of each policy, system and version."""
    newest = _newest().subquery()
    query = sa.select(windows).join(
        newest,
        sa.and_(
            windows.c.policy == newest.c.policy,
            windows.c.system == newest.c.system,
            windows.c.version == newest.c.version,
            windows.c.start == newest.c.start,
        ),
    )
    return list(c.execute(query.order_by(windows.c.system, windows.c.version)))


def _conditions(wanted: Filter) -> Sequence[sa.ColumnElement[bool]]:
    names = ("system", "version", "policy", "metric", "column", "segment")
    given = {name: getattr(wanted, name) for name in names}
    found = [measurements.c[name] == value for name, value in given.items() if value is not None]
    if wanted.since is not None:
        found.append(measurements.c.window_start >= wanted.since)
    if wanted.until is not None:
        found.append(measurements.c.window_end <= wanted.until)
    return found


def _newest() -> sa.Select[Any]:
    """Select the start of the newest window of each series of windows; a short table."""
    key = (windows.c.policy, windows.c.system, windows.c.version)
    return sa.select(*key, sa.func.max(windows.c.start).label("start")).group_by(*key)


def _of_newest_windows(query: sa.Select[Any], wanted: Filter) -> sa.Select[Any]:
    windows_wanted = _newest()
    if wanted.system is not None:
        windows_wanted = windows_wanted.where(windows.c.system == wanted.system)
    if wanted.systems is not None:
        windows_wanted = windows_wanted.where(windows.c.system.in_(wanted.systems))
    newest = windows_wanted.subquery()
    return query.join(
        newest,
        sa.and_(
            measurements.c.policy == newest.c.policy,
            measurements.c.system == newest.c.system,
            measurements.c.version == newest.c.version,
            measurements.c.window_start == newest.c.start,
        ),
    )


def _measurement(row: sa.Row[Any]) -> Measurement:
    return Measurement(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
