"""Panes become the row of their hour or day; what rested long enough is dropped.

The caller holds the judge's lease, and makes one transaction of it: parts and sum never stand
beside each other. What a flush has in hand at that moment is passed by, and stays a pane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.store import many
from watchkeeper_monitor.store.reading import inside
from watchkeeper_monitor.windows.resolution import Held, Resting, cell_of, may_roll_up
from watchkeeper_monitor.windows.spans import MICROSECOND, Span
from watchkeeper_shared.db.tables import blocks, panes, profiles, samples
from watchkeeper_shared.db.upsert import insert

ROLLED_SOURCE = "rolled-up"
"""The writer of sums."""

PANES_AT_ONCE = 120
"""About how many panes one transaction merges; a flush waits for it on SQLite."""

Under = Callable[[str, str], Baseline | None]
"""Gives the baseline of a key and a version."""

Cursor = tuple[str, datetime]
"""A version and an instant: what is looked at next."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """An hour or a day of one version."""

    version: str
    span: Span


def rest(c: sa.Connection, system: str, now: datetime) -> int:
    """Let panes that were judged before anybody noted when begin to rest; return how many."""
    unknown = panes.c.judged_at.is_(None), panes.c.changed == panes.c.judged
    query = sa.update(panes).where(panes.c.system == system, *unknown)
    return c.execute(query.values(judged_at=now)).rowcount


def is_any_unrested(c: sa.Connection, system: str) -> bool:
    """Return whether there are such panes."""
    unknown = panes.c.judged_at.is_(None), panes.c.changed == panes.c.judged
    query = sa.select(panes.c.version).where(panes.c.system == system, *unknown)
    return c.execute(query.limit(1)).first() is not None


def resting(system: str, before: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a pane rests since before an instant."""
    return panes.c.system == system, panes.c.changed == panes.c.judged, panes.c.judged_at < before


def cells(
    c: sa.Connection, system: str, length: timedelta, before: datetime, after: Cursor | None
) -> tuple[list[Cell], Cursor | None]:
    """Return some hours or days that hold shorter panes which rest, and where to go on.

    Parameters
    ----------
    after
        Where the last call ended; None at the beginning, and returned at the end.
    """
    span = sa.type_coerce(panes.c.pane_end, sa.BigInteger) - sa.type_coerce(
        panes.c.pane_start, sa.BigInteger
    )
    query = sa.select(panes.c.version, panes.c.pane_start).where(
        *resting(system, before), panes.c.held != Held.GONE.value, span < length // MICROSECOND
    )
    if after is not None:
        version, start = after
        later = sa.and_(panes.c.version == version, panes.c.pane_start >= start)
        query = query.where(sa.or_(panes.c.version > version, later))
    rows = c.execute(
        query.order_by(panes.c.version, panes.c.pane_start).limit(2 * PANES_AT_ONCE)
    ).all()
    found: list[Cell] = []
    looked = 0
    for cell, mine in groupby(rows, lambda row: Cell(row.version, cell_of(row.pane_start, length))):
        if looked >= PANES_AT_ONCE:
            break
        found.append(cell)
        looked += len(list(mine))
    if looked == len(rows) < 2 * PANES_AT_ONCE:
        return found, None
    return found, (found[-1].version, found[-1].span.end)


def held_in(c: sa.Connection, system: str, cell: Cell, *, lock: bool = False) -> list[Resting]:
    """Return what lies in a cell or reaches into it; what changes has no instant of rest."""
    query = sa.select(panes).where(
        panes.c.system == system,
        panes.c.version == cell.version,
        panes.c.pane_start < cell.span.end,
        panes.c.pane_end > cell.span.start,
    )
    rows = c.execute(query.with_for_update(skip_locked=True) if lock else query)
    return [
        Resting(
            Span(row.pane_start, row.pane_end),
            Held(row.held),
            row.judged_at if row.changed == row.judged else None,
        )
        for row in rows
    ]


def roll_up(
    c: sa.Connection,
    system: str,
    cell: Cell,
    unsettled: Iterable[Span],
    before: datetime,
    under: Under,
) -> int:
    """Make one row of a cell, if that may be; return how many panes it was before.

    Parameters
    ----------
    unsettled, before
        As `may_roll_up` takes them.
    under
        The baseline of a stored key. What has none cannot be read any more, and stays.
    """
    stored = held_in(c, system, cell, lock=True)
    if not may_roll_up(cell.span, stored, unsettled, before):
        return 0
    if not _merge_panes(c, system, cell, {one.span for one in stored}):
        return 0
    _merge_profiles(c, system, cell, under)
    many.delete_free(c, samples, inside(samples, system, cell.version, cell.span))
    c.execute(sa.delete(blocks).where(*_blocks_over(system, cell)))
    return len(stored)


def _merge_profiles(c: sa.Connection, system: str, cell: Cell, under: Under) -> None:
    query = sa.select(profiles).where(*inside(profiles, system, cell.version, cell.span))
    parts: defaultdict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in c.execute(query.with_for_update(skip_locked=True)):
        parts[row.reference].append(row)
    for reference, mine in parts.items():
        baseline = under(reference, cell.version)
        if baseline is None:
            continue
        whole = Profile.empty(baseline.grid)
        for row in mine:
            whole.merge(Profile.from_bytes(baseline.grid, row.profile))
        many.delete(c, profiles, mine)
        c.execute(
            sa.insert(profiles).values(
                system=system,
                version=cell.version,
                reference=reference,
                pane_start=cell.span.start,
                pane_end=cell.span.end,
                source=ROLLED_SOURCE,
                rows=sum(row.rows for row in mine),
                profile=whole.to_bytes(),
            )
        )


def _merge_panes(c: sa.Connection, system: str, cell: Cell, locked: Collection[Span]) -> bool:
    """Make one row of panes; return false, with nothing done, if a flush has that row in hand.

    The sum of their changes is the stamp of what is merged of them.
    """
    query = sa.select(panes).where(*inside(panes, system, cell.version, cell.span))
    rows = {Span(row.pane_start, row.pane_end): row for row in c.execute(query)}
    if cell.span in rows and cell.span not in locked:
        return False
    mine = {span: row for span, row in rows.items() if span in locked}
    if not _put_sum(c, system, cell, list(mine.values())):
        return False
    many.delete(c, panes, [row for span, row in mine.items() if span != cell.span])
    return True


def _put_sum(c: sa.Connection, system: str, cell: Cell, mine: Sequence[sa.Row[Any]]) -> bool:
    """Write the row of a cell; return false if a flush wrote it first, while this waited."""
    changed = sum(row.changed for row in mine)
    key = {
        "system": system,
        "version": cell.version,
        "pane_start": cell.span.start,
        "pane_end": cell.span.end,
    }
    values = {
        "changed": changed,
        "judged": changed,
        "judged_at": max(row.judged_at for row in mine),
        "held": Held.ROLLED.value,
    }
    whole = insert(c, panes).values(key | values)
    if any((row.pane_start, row.pane_end) == (cell.span.start, cell.span.end) for row in mine):
        whole = whole.on_conflict_do_update(index_elements=list(key), set_=values)
    else:
        whole = whole.on_conflict_do_nothing()
    return c.execute(whole.returning(panes.c.system)).first() is not None


def is_any_old(c: sa.Connection, system: str, before: datetime) -> bool:
    """Return whether anything is to be dropped."""
    query = sa.select(panes.c.version).where(
        *resting(system, before), panes.c.held != Held.GONE.value
    )
    return c.execute(query.limit(1)).first() is not None


def drop(c: sa.Connection, system: str, before: datetime) -> int:
    """Drop what has rested since before an instant, and note that it is gone; return how much."""
    query = (
        sa.select(panes)
        .where(*resting(system, before), panes.c.held != Held.GONE.value)
        .order_by(panes.c.pane_start)
        .limit(PANES_AT_ONCE)
    )
    old = c.execute(query.with_for_update(skip_locked=True)).all()
    for row in old:
        cell = Cell(row.version, Span(row.pane_start, row.pane_end))
        for table in (profiles, samples):
            many.delete_free(c, table, inside(table, system, cell.version, cell.span))
        c.execute(sa.delete(blocks).where(*_blocks_over(system, cell)))
        gone = panes.c.pane_start == cell.span.start, panes.c.pane_end == cell.span.end
        c.execute(
            sa.update(panes)
            .where(panes.c.system == system, panes.c.version == cell.version, *gone)
            .values(held=Held.GONE.value)
        )
    return len(old)


def _blocks_over(system: str, cell: Cell) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        blocks.c.system == system,
        blocks.c.version == cell.version,
        blocks.c.start < cell.span.end,
        blocks.c.end > cell.span.start,
    )
