"""Profiles of panes, one row per writer, and which panes changed since they were judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor import samples as sampling
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.windows import Span
from watchkeeper_shared.db.tables import panes, profiles, samples
from watchkeeper_shared.db.upsert import insert

_PARTS = 16
"""So many parts of a sample are made one."""

LABELS_SOURCE = "labels"
"""The writer of what labels add; predictions are written per partition."""


@dataclass(frozen=True, slots=True, order=True)
class PaneKey:
    """A pane of one version, on the grid of one reference."""

    system: str
    version: str
    reference: str
    pane: Span


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """The bytes of one writer's profile."""

    reference: str
    rows: int
    profile: bytes


@dataclass(frozen=True, slots=True)
class DirtyPane:
    """A pane that changed; `changed` is the count that the judge saw."""

    version: str
    pane: Span
    changed: int


def _row(table: sa.Table, key: PaneKey, source: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.system == key.system,
        table.c.version == key.version,
        table.c.reference == key.reference,
        table.c.pane_start == key.pane.start,
        table.c.pane_end == key.pane.end,
        table.c.source == source,
    )


def _values(key: PaneKey, source: str) -> dict[str, object]:
    return {
        "system": key.system,
        "version": key.version,
        "reference": key.reference,
        "pane_start": key.pane.start,
        "pane_end": key.pane.end,
        "source": source,
    }


def merge_profile(
    c: sa.Connection, key: PaneKey, source: str, delta: Profile, grid: Grid, rows: int
) -> None:
    """Add `delta` to what this writer has in the pane. Only one writer may use `source`."""
    query = sa.select(profiles.c.rows, profiles.c.profile).where(*_row(profiles, key, source))
    stored = c.execute(query).one_or_none()
    if stored is None:
        values = _values(key, source) | {"rows": rows, "profile": delta.to_bytes()}
        c.execute(sa.insert(profiles).values(values))
        return
    merged = Profile.from_bytes(grid, stored.profile)
    merged.merge(delta)
    c.execute(
        sa.update(profiles)
        .where(*_row(profiles, key, source))
        .values(rows=stored.rows + rows, profile=merged.to_bytes())
    )


def merge_sample(
    c: sa.Connection,
    key: PaneKey,
    source: str,
    rows: pa.RecordBatch,
    hashes: NDArray[np.int64],
    k: int,
) -> None:
    """Keep the k rows with the smallest hashes of what is stored and of `rows`.

    Rows that belong to the sample come ever more seldom. They are put beside it as a part of
    their own, and the parts are made one when they are many.
    """
    where = _row(samples, key, source)
    stored = c.execute(
        sa.select(samples.c.part, samples.c.rows, samples.c.largest)
        .where(*where)
        .order_by(samples.c.part)
    ).all()
    places = np.flatnonzero(hashes < stored[0].largest) if _is_full(stored, k) else None
    if places is None:
        places = np.argsort(hashes)[:k]
    if not places.size:
        return
    fresh = sampling.keyed(rows.take(pa.array(places)), hashes[places])
    held = sum(part.rows for part in stored) + fresh.num_rows
    if stored and (held > 2 * k or len(stored) >= _PARTS):
        found = c.execute(sa.select(samples.c.sample).where(*where)).scalars()
        fresh = sampling.smallest([fresh, *map(sampling.from_bytes, found)], k)
        c.execute(sa.delete(samples).where(*where))
        stored = []
    fresh = sampling.smallest([fresh], k)
    values = {
        "part": len(stored),
        "rows": fresh.num_rows,
        "largest": fresh.column(sampling.KEY)[-1].as_py(),
        "sample": sampling.to_bytes(fresh),
    }
    c.execute(sa.insert(samples).values(_values(key, source) | values))


def _is_full(stored: Sequence[Any], k: int) -> bool:
    """Return whether the first part alone is a whole sample, so that only smaller rows count."""
    return bool(stored) and stored[0].rows >= k


def touch(c: sa.Connection, keys: Iterable[PaneKey]) -> None:
    """Note that panes changed. In one order everywhere, so that writers never deadlock."""
    spots = sorted({(key.system, key.version, key.pane) for key in keys})
    for system, version, pane in spots:
        fresh = insert(c, panes).values(
            system=system,
            version=version,
            pane_start=pane.start,
            pane_end=pane.end,
            changed=1,
            judged=0,
        )
        c.execute(
            fresh.on_conflict_do_update(
                index_elements=list(panes.primary_key.columns),
                set_={"changed": panes.c.changed + 1},
            )
        )


def dirty(c: sa.Connection, system: str, limit: int) -> list[DirtyPane]:
    """Return panes that changed since they were judged, oldest first."""
    rows = c.execute(
        sa.select(panes)
        .where(panes.c.system == system, panes.c.changed != panes.c.judged)
        .order_by(panes.c.pane_start)
        .limit(limit)
    )
    return [DirtyPane(row.version, Span(row.pane_start, row.pane_end), row.changed) for row in rows]


def judged(c: sa.Connection, system: str, seen: Iterable[DirtyPane]) -> None:
    """Note what the judge saw; a flush in between leaves the pane dirty."""
    # In the order in which flushes touch panes, so that the two never deadlock.
    for one in sorted(seen, key=lambda one: (one.version, one.pane)):
        c.execute(
            sa.update(panes)
            .where(
                panes.c.system == system,
                panes.c.version == one.version,
                panes.c.pane_start == one.pane.start,
                panes.c.pane_end == one.pane.end,
            )
            .values(judged=one.changed)
        )


def in_window(c: sa.Connection, system: str, version: str, window: Span) -> list[StoredProfile]:
    """Return the profiles of all panes inside a window, of every writer and reference."""
    rows = c.execute(
        sa.select(profiles.c.reference, profiles.c.rows, profiles.c.profile).where(
            *_inside(profiles, system, version, window)
        )
    )
    return [StoredProfile(row.reference, row.rows, row.profile) for row in rows]


def between(
    c: sa.Connection, system: str, version: str, since: datetime, until: datetime
) -> Iterator[tuple[Span, StoredProfile]]:
    """Yield the profiles of the panes that lie in a stretch of time or reach into it, in order."""
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


def stamp(c: sa.Connection, system: str, version: str, span: Span) -> int:
    """Return a number that grows whenever anything under a span changes."""
    query = sa.select(sa.func.coalesce(sa.func.sum(panes.c.changed), 0)).where(
        *_inside(panes, system, version, span)
    )
    return int(c.execute(query).scalar_one())


def counted_on(stored: Sequence[StoredProfile], current: str) -> str:
    """Return the key of a window's grid: the current one if any row is on it, else the fullest.

    Counts on two grids do not merge, so a window in which the reference changed is judged
    on the rows since then.
    """
    rows: Counter[str] = Counter()
    for one in stored:
        rows[one.reference] += one.rows
    if current in rows or not rows:
        return current
    return max(sorted(rows), key=lambda key: rows[key])


def samples_in_window(
    c: sa.Connection, system: str, version: str, reference: str, window: Span
) -> list[bytes]:
    """Return the samples of all panes inside a window on one grid."""
    where = (*_inside(samples, system, version, window), samples.c.reference == reference)
    return list(c.execute(sa.select(samples.c.sample).where(*where)).scalars())


def _inside(
    table: sa.Table, system: str, version: str, window: Span
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.system == system,
        table.c.version == version,
        table.c.pane_start >= window.start,
        table.c.pane_end <= window.end,
    )
