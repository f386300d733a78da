"""Systems that somebody withdrew: who, when and why; and the times in which they were.

A withdrawal is a revision of an object that carries the reason. What was applied and measured
before stays; applying the object again is the next revision, and puts it in force.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa

from watchkeeper_shared.db.tables import objects
from watchkeeper_shared.specs import AISystem


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One system that is not watched any more.

    Parameters
    ----------
    revision, spec
        The revision that withdrew it, and what was declared last.
    by, at, reason
        Who did it, when and why.
    """

    revision: int
    spec: AISystem
    by: str
    at: datetime
    reason: str

    def __str__(self) -> str:
        """Say it in half a sentence."""
        return said(self.by, self.at, self.reason)


def said(by: str, at: datetime, reason: str) -> str:
    """Return who withdrew something, when and why, for messages, events and pages.

    Examples
    --------
    >>> from datetime import UTC
    >>> said("ada", datetime(2026, 11, 24, 3, tzinfo=UTC), "replaced by v2")
    'withdrawn by ada at 2026-11-24 03:00 UTC: replaced by v2'
    """
    return f"withdrawn by {by} at {at:%Y-%m-%d %H:%M} UTC: {reason}"


class Pause(NamedTuple):
    """A time in which a system was withdrawn, and nobody watched; `end` is not in it."""

    start: datetime
    end: datetime


def read_pauses(c: sa.Connection) -> Mapping[str, tuple[Pause, ...]]:
    """Return the times in which systems were withdrawn that are in force now or were since."""
    ours = objects.c.kind == "AISystem"
    ever = sa.select(objects.c.name).where(ours, objects.c.withdrawn.is_not(None))
    query = (
        sa.select(objects.c.name, objects.c.applied_at, objects.c.withdrawn)
        .where(ours, objects.c.name.in_(ever))
        .order_by(objects.c.name, objects.c.revision)
    )
    found: defaultdict[str, list[Pause]] = defaultdict(list)
    for before, after in pairwise(c.execute(query).all()):
        pause = Pause(before.applied_at, after.applied_at)
        # A clock that was set back in between leaves no time in which nobody watched.
        if before.name == after.name and before.withdrawn is not None and pause.start < pause.end:
            found[before.name].append(pause)
    return {name: tuple(pauses) for name, pauses in found.items()}
