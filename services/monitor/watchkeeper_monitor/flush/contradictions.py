"""One id, two different predictions: what came under an id that was seen, held against the index.

A copy says what the index holds of its id. Compared is what the index keeps for late labels:
the version, the pane that the time is in, the predicted class or number, the score or the
scores of all classes, and the groups. Features are kept nowhere by id and are not compared, and
what the grid of the first cannot tell apart (classes and groups that its reference never held)
is the same here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper_monitor.flush.newcomers import Rows
from watchkeeper_monitor.grids import Grid, columns
from watchkeeper_monitor.store.arrays import Array, Arrays
from watchkeeper_monitor.store.index import Entries

Bools = NDArray[np.bool_]
GridOf = Callable[[str, str], Grid | None]
"""The grid that a version was counted on under a reference; None if nobody can rebuild it."""

_SINGLE = 2.0**-23
"""Numbers are compared to single precision: one file may come as Parquet and again as CSV."""
_EXAMPLES = 3

logger = logging.getLogger(__name__)


def contradicting(rows: Rows, held: Entries, grid_of: GridOf) -> Bools:
    """Return which rows are another prediction than the one that is held under their id.

    Parameters
    ----------
    rows
        Predictions whose ids were seen before.
    held
        What is held of each, in the same order.
    """
    notes, place = held.content.notes, held.content.columns["pane"]
    starts, ends = np.array([[start, end] for *_, start, end in notes], dtype=np.int64).T
    differs = np.asarray((rows.times < starts[place]) | (rows.times >= ends[place]))
    kinds: dict[tuple[str, str], int] = {}
    of_note = [kinds.setdefault((version, key), len(kinds)) for version, key, *_ in notes]
    of_row = np.array(of_note)[place]
    for (version, key), kind in kinds.items():
        mine = np.flatnonzero(of_row == kind)
        if mine.size:
            batch = rows.batch.take(pa.array(mine))
            differs[mine] |= np.asarray(pc.not_equal(batch.column("version"), version))
            grid = grid_of(version, key)
            if grid is not None:
                differs[mine] |= ~_is_same(batch, held.content.take(mine), grid)
    return differs


def tell(system: str, rows: Rows) -> None:
    """Say in the log that a sender uses ids again, and which."""
    logger.warning(
        "ids_used_again",
        extra={
            "system": system,
            "refused": len(rows.hashes),
            "ids": rows.batch.column("id")[:_EXAMPLES].to_pylist(),
            "reason": "each stands for another prediction that came before, which is what "
            "counts; give each prediction an id of its own",
        },
    )


def _is_same(batch: pa.RecordBatch, held: Arrays, grid: Grid) -> Bools:
    """Return which rows say what is held of them, as far as the grid can tell."""
    kept = [name for name in batch.schema.names if _is_kept(name)]
    told = columns.encode(batch.select(kept), grid)
    same = _equal(told.prediction, held.columns["prediction"])
    same &= _equal(told.score, held.columns["score"])
    same &= _equal(told.groups, held.columns["groups"][: len(grid.attributes)])
    scores = columns.class_scores_of(batch, grid)
    before = held.columns.get("scores")
    if grid.positive < 0 and (scores is not None or before is not None):
        nothing = np.full((len(grid.classes), batch.num_rows), np.nan)
        before = nothing if before is None else before[: len(grid.classes)]
        same &= _equal(nothing if scores is None else scores, before)
    return same


def _is_kept(name: str) -> bool:
    return name in {"prediction", "score"} or name.startswith("groups.")


def _equal(one: Array, other: Array) -> Bools:
    """Return where all lines of two columns are equal; nothing equals nothing."""
    same = np.isclose(one, other, rtol=_SINGLE, atol=0.0, equal_nan=True)
    return np.asarray(np.atleast_2d(same).all(axis=0))
