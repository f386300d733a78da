"""What is to be ended of one system, and how: each duty finds a bounded piece, then does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from watchkeeper_monitor.settings import Retention
from watchkeeper_monitor.store import endings, expiry, merging, rollups, windows
from watchkeeper_monitor.store.endings import Lookbacks
from watchkeeper_monitor.store.merging import Ends
from watchkeeper_monitor.store.rollups import Cell, Cursor, Under
from watchkeeper_monitor.windows.resolution import DAY, HOUR, may_roll_up
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db import tables


class Duty(Protocol):
    """One kind of thing that ends."""

    kind: str

    def find(self, c: sa.Connection) -> bool | None:
        """Return whether a piece was found; None if there is none left."""

    def work(self, c: sa.Connection) -> int:
        """End what was found, in a transaction under the lease; return how much that was."""


class RollUp:
    """Panes that become hours, or hours that become days.

    Parameters
    ----------
    kind
        What becomes more.
    length
        An hour or a day.
    before
        Since when it must rest.
    policies
        Those in force, and "" for none: windows of others wait for nothing any more.
    under
        Gives the grid of stored profiles.
    """

    def __init__(
        self,
        kind: str,
        system: str,
        length: timedelta,
        before: datetime,
        policies: Collection[str],
        under: Under,
    ) -> None:
        self.kind = kind
        self._system = system
        self._length = length
        self._before = before
        self._policies = policies
        self._under = under
        self._cursor: Cursor | None = None
        self._done = False
        self._found: list[Cell] = []

    def find(self, c: sa.Connection) -> bool | None:
        """Look at the next hours or days."""
        if self._done:
            return None
        looked, self._cursor = rollups.cells(
            c, self._system, self._length, self._before, self._cursor
        )
        self._done = self._cursor is None
        unsettled = self._unsettled(c)
        self._found = [
            cell
            for cell in looked
            if may_roll_up(
                cell.span,
                rollups.held_in(c, self._system, cell),
                unsettled(cell.version),
                self._before,
            )
        ]
        return bool(self._found)

    def work(self, c: sa.Connection) -> int:
        """Roll up what was found, as far as that may still be."""
        unsettled = self._unsettled(c)
        return sum(
            rollups.roll_up(
                c, self._system, cell, unsettled(cell.version), self._before, self._under
            )
            for cell in self._found
        )

    def _unsettled(self, c: sa.Connection) -> Callable[[str], list[Span]]:
        waiting = [
            (scope.version, judged.window)
            for scope, judged in windows.provisional(c, self._system)
            if scope.policy in self._policies
        ]
        return lambda version: [window for of, window in waiting if of == version]


class Ending:
    """Rows that are removed, some at a time.

    Parameters
    ----------
    kind
        What they are.
    is_due
        Whether there are any.
    work
        Removes some; returns how many.
    """

    def __init__(
        self,
        kind: str,
        is_due: Callable[[sa.Connection], bool],
        work: Callable[[sa.Connection], int],
    ) -> None:
        self.kind = kind
        self._is_due = is_due
        self._work = work

    def find(self, c: sa.Connection) -> bool | None:
        """Look whether there are any left."""
        return True if self._is_due(c) else None

    def work(self, c: sa.Connection) -> int:
        """Remove some."""
        return self._work(c)


def duties(
    system: str,
    now: datetime,
    keep: Retention,
    index: Ends,
    lookbacks: Lookbacks,
    under: Under,
) -> Iterator[Duty]:
    """Yield everything that ends of a system, in the order in which it is done.

    Parameters
    ----------
    index
        What is forgotten by the index of predictions and labels.
    lookbacks
        By the names of the policies in force.
    under
        As `RollUp` takes it.
    """
    panes, hours = now - keep.pane_retention, now - keep.hour_retention
    dropped = now - keep.day_retention
    yield Ending(
        "unrested",
        lambda c: rollups.is_any_unrested(c, system),
        lambda c: rollups.rest(c, system, now),
    )
    yield RollUp("pane", system, HOUR, panes, lookbacks, under)
    yield RollUp("hour", system, DAY, hours, lookbacks, under)
    yield Ending(
        "dropped",
        lambda c: rollups.is_any_old(c, system, dropped),
        lambda c: rollups.drop(c, system, dropped),
    )
    over = now - keep.measurement_retention
    yield Ending(
        "window",
        lambda c: endings.is_any_over(c, system, over, lookbacks),
        lambda c: endings.remove(c, system, over, lookbacks),
    )
    ends = {
        "late_profile": (tables.profiles, expiry.late_profiles(system, dropped)),
        "sample": (tables.samples, expiry.old_samples(system, now - keep.sample_retention)),
        "block": (tables.blocks, expiry.old_blocks(system, panes)),
        "revision": (
            tables.measurements,
            expiry.old_revisions(system, now - keep.revision_retention),
        ),
        "dead_letter": (tables.dead_letters, expiry.old_letters(now - keep.revision_retention)),
    }
    for kind, (table, where) in ends.items():
        yield _expiring(kind, table, where)
    yield Ending(
        "prediction",
        lambda c: merging.is_expired(c, system, index),
        lambda c: merging.expire(c, system, index),
    )


def _expiring(kind: str, table: sa.Table, where: expiry.Condition) -> Duty:
    return Ending(
        kind,
        lambda c: expiry.any_of(c, table, where),
        lambda c: expiry.remove(c, table, where),
    )
