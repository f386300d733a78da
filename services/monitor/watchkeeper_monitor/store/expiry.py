"""What is kept for a time only, and is neither counted nor judged: a bounded piece at a time."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from watchkeeper_monitor.store import endings, many
from watchkeeper_monitor.windows.resolution import Held
from watchkeeper_shared.db.tables import (
    blocks,
    dead_letters,
    measurements,
    panes,
    profiles,
    samples,
)

ROWS_AT_ONCE = 500
"""So many rows one transaction removes."""

Condition = tuple[sa.ColumnElement[bool], ...]


def old_samples(system: str, before: datetime) -> Condition:
    """Return the condition on samples of panes that rest since before an instant.

    And of panes that are no more: a roll-up passes by the samples that a flush has in hand.
    """
    own = _pane_of(samples)
    return samples.c.system == system, ~sa.exists().where(*own, _moves(before))


def late_profiles(system: str, before: datetime) -> Condition:
    """Return the condition on what was counted in panes after these were dropped, and rests."""
    gone = *_pane_of(profiles), panes.c.held == Held.GONE.value, ~_moves(before)
    return profiles.c.system == system, sa.exists().where(*gone)


def old_blocks(system: str, before: datetime) -> Condition:
    """Return the condition on merged blocks of which every pane rests since before an instant."""
    under = (
        panes.c.system == blocks.c.system,
        panes.c.version == blocks.c.version,
        panes.c.pane_start >= blocks.c.start,
        panes.c.pane_start < blocks.c.end,
    )
    return blocks.c.system == system, ~sa.exists().where(*under, _moves(before))


def _pane_of(table: sa.Table) -> Condition:
    """Return the condition that a pane is the one that a row of `table` belongs to."""
    return (
        panes.c.system == table.c.system,
        panes.c.version == table.c.version,
        panes.c.pane_start == table.c.pane_start,
        panes.c.pane_end == table.c.pane_end,
    )


def _moves(before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a pane changed since an instant, or waits to be judged."""
    return sa.or_(
        panes.c.changed != panes.c.judged, panes.c.judged_at.is_(None), panes.c.judged_at >= before
    )


def old_revisions(system: str, before: datetime) -> Condition:
    """Return the condition on numbers that newer ones replaced, but those people were told."""
    return (
        measurements.c.system == system,
        measurements.c.current.is_(False),
        measurements.c.computed_at < before,
        ~endings.is_told(measurements, measurements.c.window_start),
    )


def old_letters(before: datetime) -> Condition:
    """Return the condition on notes of dead letters; the letters are on their topic."""
    return (dead_letters.c.at < before,)


def any_of(c: sa.Connection, table: sa.Table, where: Condition) -> bool:
    """Return whether a table has a row of these."""
    one = sa.select(sa.literal(1)).select_from(table).where(*where).limit(1)
    return c.execute(one).first() is not None


def remove(c: sa.Connection, table: sa.Table, where: Condition) -> int:
    """Remove some rows of these; return how many."""
    return many.delete_free(c, table, where, ROWS_AT_ONCE)
