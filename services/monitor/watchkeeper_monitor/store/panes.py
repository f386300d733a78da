"""Profiles of panes, one row per writer, and which panes changed since they were judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.sampling import samples as sampling
from watchkeeper_monitor.sampling.samples import Sample
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import panes, profiles, samples
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.errors import Conflict

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
    """Add `delta` to what this writer has in the pane. Only one writer may use `source`.

    Raises
    ------
    Conflict
        What was there was rolled up meanwhile: roll back and repeat.
    """
    query = sa.select(profiles.c.rows, profiles.c.profile).where(*_row(profiles, key, source))
    stored = c.execute(query).one_or_none()
    if stored is None:
        values = _values(key, source) | {"rows": rows, "profile": delta.to_bytes()}
        c.execute(sa.insert(profiles).values(values))
        return
    merged = Profile.from_bytes(grid, stored.profile)
    merged.merge(delta)
    done = c.execute(
        sa.update(profiles)
        .where(*_row(profiles, key, source))
        .values(rows=stored.rows + rows, profile=merged.to_bytes())
    )
    if done.rowcount != 1:
        raise Conflict(f"the pane {key.pane} of {key.system} was rolled up meanwhile; repeat")


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
    their own, and the parts are made one when they are many. What once was left out does not
    come back when `k` is raised, so no row beyond it is taken from then on.
    """
    where = _row(samples, key, source)
    stored = c.execute(
        sa.select(samples.c.part, samples.c.rows, samples.c.largest)
        .where(*where)
        .order_by(samples.c.part)
    ).all()
    bound = min((part.largest for part in stored), default=sampling.EVERYTHING)
    fresh = sampling.of_rows(rows, hashes, k, bound)
    if not fresh.rows.num_rows:
        return
    held = sum(part.rows for part in stored) + fresh.rows.num_rows
    if stored and (held > 2 * k or len(stored) >= _PARTS):
        kept = c.execute(sa.select(samples.c.sample, samples.c.largest).where(*where))
        parts = [Sample(sampling.from_bytes(part.sample), part.largest) for part in kept]
        fresh = sampling.merged([fresh, *parts], k)
        c.execute(sa.delete(samples).where(*where))
        stored = []
    values = {
        # Not their number: the first parts may have been dropped.
        "part": stored[-1].part + 1 if stored else 0,
        "rows": fresh.rows.num_rows,
        "largest": fresh.bound,
        "sample": sampling.to_bytes(fresh.rows),
    }
    c.execute(sa.insert(samples).values(_values(key, source) | values))


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


def judged(c: sa.Connection, system: str, seen: Iterable[DirtyPane], now: datetime) -> None:
    """Note what the judge saw, and when; a flush in between leaves the pane dirty."""
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
            .values(judged=one.changed, judged_at=now)
        )
