"""What was judged: windows with their status and revision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_monitor.windows.resolution import Held
from watchkeeper_monitor.windows.spans import Span, Status
from watchkeeper_shared.db.tables import panes, progress, windows
from watchkeeper_shared.db.upsert import insert


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose windows: one version of a system, under one policy ("" where there is none)."""

    policy: str
    system: str
    version: str

    def rows_of(self, table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
        """Return the conditions that choose this scope's rows of a table."""
        return (
            table.c.policy == self.policy,
            table.c.system == self.system,
            table.c.version == self.version,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A window as it was judged last.

    Parameters
    ----------
    revision
        1 until the window is final; each amendment adds one.
    rows
        Predictions in it.
    content
        SHA-256 of what was judged; the same content need not be measured again.
    seen
        How often the panes in its reach had changed by then; None before that was noted.
    """

    window: Span
    revision: int
    status: Status
    rows: int
    content: str
    judged_at: datetime
    seen: int | None = None


def _judged(row: sa.Row[Any]) -> Judged:
    return Judged(
        window=Span(row.start, row.end),
        revision=row.revision,
        status=Status(row.status),
        rows=row.rows,
        content=row.content,
        judged_at=row.judged_at,
        seen=row.seen,
    )


def get(c: sa.Connection, scope: Scope, window: Span) -> Judged | None:
    """Return the window that starts there, if one was ever judged."""
    query = sa.select(windows).where(*scope.rows_of(windows), windows.c.start == window.start)
    row = c.execute(query).one_or_none()
    return None if row is None else _judged(row)


def provisional(c: sa.Connection, system: str) -> list[tuple[Scope, Judged]]:
    """Return the windows of a system that wait to become final, oldest first."""
    rows = c.execute(
        sa.select(windows)
        .where(windows.c.system == system, windows.c.status == Status.PROVISIONAL.value)
        .order_by(windows.c.start)
    )
    return [(Scope(row.policy, row.system, row.version), _judged(row)) for row in rows]


def past_their_end(c: sa.Connection) -> list[tuple[Scope, datetime, datetime]]:
    """Return the windows of all systems that event time has passed and that are not final.

    Returns
    -------
    list
        Whose window it is, its end, and the oldest newest event time over all partitions.
    """
    marks = (
        sa.select(progress.c.system, sa.func.min(progress.c.watermark).label("mark"))
        .where(progress.c.watermark.is_not(None))
        .group_by(progress.c.system)
        .subquery()
    )
    rows = c.execute(
        sa.select(
            windows.c.policy, windows.c.system, windows.c.version, windows.c.end, marks.c.mark
        )
        .join(marks, marks.c.system == windows.c.system)
        .where(windows.c.status == Status.PROVISIONAL.value, windows.c.end <= marks.c.mark)
    )
    return [
        (Scope(policy, system, version), end, mark) for policy, system, version, end, mark in rows
    ]


def newest_with_rows(
    c: sa.Connection, scope: Scope, before: datetime | None = None
) -> Judged | None:
    """Return the newest window that has predictions, of all or of those before an instant."""
    query = sa.select(windows).where(*scope.rows_of(windows), windows.c.rows > 0)
    if before is not None:
        query = query.where(windows.c.start < before)
    row = c.execute(query.order_by(windows.c.start.desc()).limit(1)).one_or_none()
    return None if row is None else _judged(row)


def starts(c: sa.Connection, scope: Scope, among: Iterable[Span]) -> frozenset[datetime]:
    """Return which of these windows were judged already, by their starts."""
    wanted = [window.start for window in among]
    query = sa.select(windows.c.start).where(*scope.rows_of(windows), windows.c.start.in_(wanted))
    return frozenset(c.execute(query).scalars())


def settled_between(
    c: sa.Connection, scope: Scope, first: datetime, last: datetime
) -> frozenset[datetime]:
    """Return the starts of the settled windows from `first` to `last`, both included."""
    query = sa.select(windows.c.start).where(
        *scope.rows_of(windows),
        windows.c.start >= first,
        windows.c.start <= last,
        windows.c.status != Status.PROVISIONAL.value,
    )
    return frozenset(c.execute(query).scalars())


def judged_since(c: sa.Connection, scope: Scope, instant: datetime) -> frozenset[datetime]:
    """Return the starts of windows that were judged after an instant."""
    query = sa.select(windows.c.start).where(*scope.rows_of(windows), windows.c.judged_at > instant)
    return frozenset(c.execute(query).scalars())


def put(c: sa.Connection, scope: Scope, judged: Judged) -> None:
    """Store what was judged; a window of another size at the same start gives way."""
    values = {
        "policy": scope.policy,
        "system": scope.system,
        "version": scope.version,
        "start": judged.window.start,
        "end": judged.window.end,
        "revision": judged.revision,
        "status": judged.status.value,
        "rows": judged.rows,
        "content": judged.content,
        "judged_at": judged.judged_at,
        "seen": judged.seen,
    }
    fresh = insert(c, windows).values(values)
    keys = {column.name for column in windows.primary_key.columns}
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(windows.primary_key.columns),
            set_={name: fresh.excluded[name] for name in values if name not in keys},
        )
    )


def note(c: sa.Connection, scope: Scope, judged: Judged) -> None:
    """Note what was seen of a window that says what it said before."""
    same = windows.c.start == judged.window.start
    c.execute(sa.update(windows).where(*scope.rows_of(windows), same).values(seen=judged.seen))


def seen_between(
    c: sa.Connection, scope: Scope, first: datetime, last: datetime
) -> dict[Span, int | None]:
    """Return what was seen of the windows that start from `first` to `last`, both included."""
    query = sa.select(windows.c.start, windows.c.end, windows.c.seen).where(
        *scope.rows_of(windows), windows.c.start >= first, windows.c.start <= last
    )
    return {Span(start, end): seen for start, end, seen in c.execute(query)}


def versions(c: sa.Connection, system: str) -> list[str]:
    """Return the versions of a system that ever had a prediction."""
    query = sa.select(panes.c.version).where(panes.c.system == system).distinct()
    return sorted(c.execute(query).scalars())


def unrolled_versions(c: sa.Connection, system: str) -> set[str]:
    """Return the versions of a system of which something is held as it was counted."""
    of_system = panes.c.system == system, panes.c.held == Held.PANE.value
    return set(c.execute(sa.select(panes.c.version).where(*of_system).distinct()).scalars())
