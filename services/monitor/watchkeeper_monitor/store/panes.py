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

_PLACE = ("system", "version", "reference", "pane_start", "pane_end", "source")
"""The columns that say whose row of a pane it is."""


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


def _is_at(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that a row of `table` is the one at `_at`.

    Statements of one pane are built once: a replayed stream may touch ten thousand panes in a
    flush, and building a statement takes longer than running it.
    """
    columns = (table.c[name] for name in _PLACE)
    return tuple(one == sa.bindparam(f"at_{one.name}", type_=one.type) for one in columns)


_STORED = sa.select(profiles.c.rows, profiles.c.profile).where(*_is_at(profiles))
_NEW = sa.insert(profiles)
_MERGED = (
    sa.update(profiles)
    .where(*_is_at(profiles))
    .values(rows=sa.bindparam("to_rows"), profile=sa.bindparam("to_profile"))
)
_PARTS_HELD = (
    sa.select(samples.c.part, samples.c.rows, samples.c.largest)
    .where(*_is_at(samples))
    .order_by(samples.c.part)
)
_SAMPLES_HELD = sa.select(samples.c.sample, samples.c.largest).where(*_is_at(samples))
_NO_SAMPLES = sa.delete(samples).where(*_is_at(samples))
_NEW_SAMPLE = sa.insert(samples)
_JUDGED = (
    sa.update(panes)
    .where(
        panes.c.system == sa.bindparam("at_system"),
        panes.c.version == sa.bindparam("at_version"),
        panes.c.pane_start == sa.bindparam("at_pane_start", type_=panes.c.pane_start.type),
        panes.c.pane_end == sa.bindparam("at_pane_end", type_=panes.c.pane_end.type),
    )
    .values(judged=sa.bindparam("seen"), judged_at=sa.bindparam("now"))
)


def _at(key: PaneKey, source: str) -> dict[str, object]:
    return {f"at_{name}": value for name, value in _values(key, source).items()}


def _values(key: PaneKey, source: str) -> dict[str, object]:
    found = (key.system, key.version, key.reference, key.pane.start, key.pane.end, source)
    return dict(zip(_PLACE, found, strict=True))


def merge_profile(
    c: sa.Connection, key: PaneKey, source: str, delta: Profile, grid: Grid, rows: int
) -> None:
    """Add `delta` to what this writer has in the pane. Only one writer may use `source`.

    Raises
    ------
    Conflict
        What was there was rolled up meanwhile: roll back and repeat.
    """
    at = _at(key, source)
    stored = c.execute(_STORED, at).one_or_none()
    if stored is None:
        c.execute(_NEW, _values(key, source) | {"rows": rows, "profile": delta.to_bytes()})
        return
    merged = Profile.from_bytes(grid, stored.profile)
    merged.merge(delta)
    values = {"to_rows": stored.rows + rows, "to_profile": merged.to_bytes()}
    done = c.execute(_MERGED, at | values)
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
    at = _at(key, source)
    stored = c.execute(_PARTS_HELD, at).all()
    bound = min((part.largest for part in stored), default=sampling.EVERYTHING)
    fresh = sampling.of_rows(rows, hashes, k, bound)
    if not fresh.rows.num_rows:
        return
    held = sum(part.rows for part in stored) + fresh.rows.num_rows
    if stored and (held > 2 * k or len(stored) >= _PARTS):
        kept = c.execute(_SAMPLES_HELD, at)
        parts = [Sample(sampling.from_bytes(part.sample), part.largest) for part in kept]
        fresh = sampling.merged([fresh, *parts], k)
        c.execute(_NO_SAMPLES, at)
        stored = []
    values = {
        # Not their number: the first parts may have been dropped.
        "part": stored[-1].part + 1 if stored else 0,
        "rows": fresh.rows.num_rows,
        "largest": fresh.bound,
        "sample": sampling.to_bytes(fresh.rows),
    }
    c.execute(_NEW_SAMPLE, _values(key, source) | values)


def touch(c: sa.Connection, keys: Iterable[PaneKey]) -> None:
    """Note that panes changed. In one order everywhere, so that writers never deadlock."""
    spots = sorted({(key.system, key.version, key.pane) for key in keys})
    fresh = insert(c, panes).on_conflict_do_update(
        index_elements=list(panes.primary_key.columns),
        set_={"changed": panes.c.changed + 1},
    )
    rows = [
        {
            "system": system,
            "version": version,
            "pane_start": pane.start,
            "pane_end": pane.end,
            "changed": 1,
            "judged": 0,
        }
        for system, version, pane in spots
    ]
    if rows:
        c.execute(fresh, rows)


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
    rows = [
        {
            "at_system": system,
            "at_version": one.version,
            "at_pane_start": one.pane.start,
            "at_pane_end": one.pane.end,
            "seen": one.changed,
            "now": now,
        }
        for one in sorted(seen, key=lambda one: (one.version, one.pane))
    ]
    if rows:
        c.execute(_JUDGED, rows)
