"""The one reader of what was counted: panes, hours and days alike.

Every row is stored once, at one resolution, so a window is the merge of what lies in it. What
cannot be answered is said, and never answered with a part: see `resolution`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.sampling import samples as sampling
from watchkeeper_monitor.sampling.samples import Sample
from watchkeeper_monitor.windows.resolution import DAY, Held, Resolution, Resting
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import panes, profiles, samples
from watchkeeper_shared.db.types import to_micros
from watchkeeper_shared.errors import NotHeld

_SAMPLES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """The bytes of one writer's profile."""

    reference: str
    rows: int
    profile: bytes


def in_window(c: sa.Connection, system: str, version: str, window: Span) -> list[StoredProfile]:
    """Return the profiles of all panes inside a window, of every writer and reference.

    Raises
    ------
    NotHeld
        The window cannot be cut out of what was rolled up, or reaches into what was dropped.
    """
    reason = resolution(c, system, version, window.start, window.end).why_not(window)
    if reason:
        raise NotHeld(f"{system} {version} from {window.start} to {window.end}: {reason}")
    rows = c.execute(
        sa.select(profiles.c.reference, profiles.c.rows, profiles.c.profile).where(
            *inside(profiles, system, version, window)
        )
    )
    return [StoredProfile(row.reference, row.rows, row.profile) for row in rows]


def between(
    c: sa.Connection, system: str, version: str, since: datetime, until: datetime
) -> Iterator[tuple[Span, StoredProfile]]:
    """Yield the profiles of the panes that lie in a stretch of time or reach into it, in order.

    Which windows may be made of them, `resolution` of the same stretch says.
    """
    rows = c.execute(
        sa.select(
            profiles.c.pane_start,
            profiles.c.pane_end,
            profiles.c.reference,
            profiles.c.rows,
            profiles.c.profile,
        )
        .where(
            profiles.c.system == system,
            profiles.c.version == version,
            profiles.c.pane_end > since,
            profiles.c.pane_start < until,
        )
        .order_by(profiles.c.pane_start, profiles.c.pane_end)
    )
    for row in rows:
        span = Span(row.pane_start, row.pane_end)
        yield span, StoredProfile(row.reference, row.rows, row.profile)


def resolution(
    c: sa.Connection, system: str, version: str, since: datetime, until: datetime
) -> Resolution:
    """Return how a stretch of time is held."""
    query = sa.select(panes.c.pane_start, panes.c.pane_end, panes.c.held, panes.c.judged_at).where(
        panes.c.system == system,
        panes.c.version == version,
        panes.c.pane_start < until,
        panes.c.pane_end > since,
    )
    # Nothing that was rolled up is longer than a day: this bounds the search. A pane that was
    # dropped may be, and what began so early and still reaches here is seldom anything.
    near = query.where(panes.c.pane_start > since - DAY, panes.c.held != Held.PANE.value)
    far = query.where(panes.c.pane_start <= since - DAY, panes.c.held == Held.GONE.value)
    rows = c.execute(sa.union_all(near, far).order_by("pane_start", "pane_end"))
    return Resolution(
        [Resting(Span(row.pane_start, row.pane_end), Held(row.held), row.judged_at) for row in rows]
    )


def stamp(c: sa.Connection, system: str, version: str, span: Span) -> int:
    """Return a number that grows whenever anything under a span changes."""
    query = sa.select(sa.func.coalesce(sa.func.sum(panes.c.changed), 0)).where(
        *inside(panes, system, version, span)
    )
    return int(c.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Changes:
    """How often each pane of a stretch changed; int64 arrays, by the start of the pane."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]

    def stamp(self, span: Span) -> int:
        """Return what `stamp` says of a span of the stretch."""
        start, end = to_micros(span.start), to_micros(span.end)
        inside = slice(*np.searchsorted(self.starts, (start, end)))
        return int(self.counts[inside][self.ends[inside] <= end].sum())


def changes(c: sa.Connection, system: str, version: str, stretch: Span) -> Changes:
    """Return how often the panes inside a stretch changed: the stamps of many spans at once."""
    raw = (sa.type_coerce(one, sa.BigInteger) for one in (panes.c.pane_start, panes.c.pane_end))
    query = sa.select(*raw, panes.c.changed).where(*inside(panes, system, version, stretch))
    rows = c.execute(query.order_by(panes.c.pane_start)).all()
    found = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 3)
    return Changes(*found.T)


def counted_on(stored: Sequence[StoredProfile], current: str) -> str:
    """Return the key of a window's grid: that of most of its rows, of as many the current one.

    Counts on two grids do not merge, so a window in which the reference changed is judged
    on the greater part of it. Were it always the newer part, a single late row would take a
    window of thousands for a window of one, and its breach back.
    """
    rows: Counter[str] = Counter()
    for one in stored:
        rows[one.reference] += one.rows
    return max(sorted(rows), key=lambda key: (rows[key], key == current), default=current)


def samples_in_window(
    c: sa.Connection, system: str, version: str, reference: str, window: Span, k: int
) -> Iterator[Sample]:
    """Yield the at most k rows that each writer kept of each pane of a window, in order."""
    spots = [samples.c[name] for name in ("pane_start", "pane_end", "source")]
    kept = c.execute(
        sa.select(*spots, samples.c.largest, samples.c.sample)
        .where(*inside(samples, system, version, window), samples.c.reference == reference)
        .order_by(*spots, samples.c.part)
        .execution_options(yield_per=_SAMPLES_AT_ONCE)
    )
    for _, parts in groupby(kept, key=lambda row: tuple(row[:3])):
        found = [Sample(sampling.from_bytes(part.sample), part.largest) for part in parts]
        yield sampling.merged(found, k)


def inside(
    table: sa.Table, system: str, version: str, window: Span
) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a pane of `table` lies inside a window."""
    return (
        table.c.system == system,
        table.c.version == version,
        table.c.pane_start >= window.start,
        table.c.pane_end <= window.end,
    )
