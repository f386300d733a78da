"""From a canonical Arrow batch to numbers in grid order, without a Python loop over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.grids.axes import Floats, as_floats
from watchkeeper_monitor.grids.texts import flat

Codes = npt.NDArray[np.int32]
Fields = dict[str, int]

ERROR_OUTCOME = "error"
"""The `decision.outcome` of a prediction that failed."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One batch of predictions in grid order.

    Parameters
    ----------
    n
        Rows.
    numeric
        float64 `[axes, n]`; NaN is a missing value.
    mistyped
        int64 `[axes]`: values of a numeric column that are no numbers, and scores that are no
        probabilities; their rows are NaN.
    categorical
        int32 `[categorical features, n]`: codes of `Categories.encode`.
    prediction
        int16 `[n]` class codes; float64 for regression.
    groups
        int16 `[attributes, n]`: codes of `Categories.encode`.
    latency
        float64 `[n]`, milliseconds, NaN where none was sent; None where there is none at all.
    score_row
        Which axis holds the score.
    newest
        The newest event time in microseconds since 1970; `-inf` where there is none.
    outcomes
        Rows that name an outcome, and those of them that failed.
    attributions
        float64 `[features, n]` in the order of `Grid.features`, NaN where none was sent; None
        where there is none at all.
    """

    n: int
    numeric: Floats
    mistyped: npt.NDArray[np.int64]
    categorical: Codes
    prediction: npt.NDArray[np.int16] | Floats
    groups: npt.NDArray[np.int16]
    latency: Floats | None
    score_row: int
    newest: float = -np.inf
    outcomes: tuple[int, int] = (0, 0)
    attributions: Floats | None = None

    @property
    def score(self) -> Floats:
        """The scores, NaN where none was sent."""
        return np.asarray(self.numeric[self.score_row])


def encode(batch: pa.RecordBatch, grid: Grid) -> Columns:
    """Turn a canonical batch (ADR 1) into arrays in grid order.

    A column that the batch does not have is all null, a column that the grid does not know is
    left out: both are facts about data quality and no reason to fail.
    """
    fields = {name: at for at, name in enumerate(batch.schema.names)}
    numeric, mistyped = _numeric(batch, fields, grid)
    return Columns(
        n=batch.num_rows,
        numeric=numeric,
        mistyped=mistyped,
        categorical=_coded(batch, fields, grid.categories),
        prediction=prediction_of(batch, grid),
        groups=groups_of(batch, grid),
        latency=_numbers(batch, "latency_ms") if "latency_ms" in fields else None,
        score_row=grid.score,
        newest=_newest(batch, fields),
        outcomes=_outcomes(batch, fields),
        attributions=_attributions(batch, fields, grid),
    )


def groups_of(batch: pa.RecordBatch, grid: Grid) -> npt.NDArray[np.int16]:
    """Return the group codes of a batch, `[attributes, n]`; intersections follow from the rest."""
    fields = {name: at for at, name in enumerate(batch.schema.names)}
    codes = _coded(batch, fields, grid.attributes)
    for crossing in grid.crossings:
        codes[crossing.row] = crossing.codes(codes)
    return codes.astype(np.int16)


def prediction_of(
    batch: pa.RecordBatch, grid: Grid, field: str = "prediction"
) -> npt.NDArray[np.int16] | Floats:
    """Return predictions, or with `field="label"` labels: class codes, or numbers."""
    if grid.regression:
        return _numbers(batch, field)
    if field not in batch.schema.names:
        return np.full(batch.num_rows, len(grid.classes), dtype=np.int16)
    return grid.label_codes(flat(batch.column(field)))


def class_scores_of(batch: pa.RecordBatch, grid: Grid) -> Floats | None:
    """Return the probabilities of the grid's classes, `[classes, n]`; None if none were sent."""
    names = [f"scores.{name}" for name in grid.classes]
    if not any(name in batch.schema.names for name in names):
        return None
    return np.stack([_numbers(batch, name) for name in names])


def _numeric(
    batch: pa.RecordBatch, fields: Fields, grid: Grid
) -> tuple[Floats, npt.NDArray[np.int64]]:
    numeric = np.full((len(grid.axes), batch.num_rows), np.nan)
    mistyped = np.zeros(len(grid.axes), dtype=np.int64)
    for row, axis in enumerate(grid.axes):
        if axis.field in fields:
            mistyped[row] = _numbers_into(numeric[row], batch.column(fields[axis.field]))
    score = numeric[grid.score]
    wrong = (score < 0) | (score > 1)
    if wrong.any():  # no probability; counted, and used for nothing
        mistyped[grid.score] += np.count_nonzero(wrong)
        score[wrong] = np.nan
    return numeric, mistyped


def _numbers(batch: pa.RecordBatch, field: str) -> Floats:
    target = np.full(batch.num_rows, np.nan)
    if field in batch.schema.names:
        _numbers_into(target, batch.column(field))
    return target


def _numbers_into(target: Floats, column: Any) -> int:
    """Write the column's numbers into `target`; return how many values are no numbers."""
    column = flat(column)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        target[:] = as_floats(column)
        return 0
    return len(column) - int(column.null_count)


def _coded(batch: pa.RecordBatch, fields: Fields, columns: tuple[Categories, ...]) -> Codes:
    codes = np.empty((len(columns), batch.num_rows), dtype=np.int32)
    for row, column in enumerate(columns):
        if column.field in fields:
            codes[row] = column.encode(flat(batch.column(fields[column.field])))
        else:
            codes[row] = column.null
    return codes


def _newest(batch: pa.RecordBatch, fields: Fields) -> float:
    if "time" not in fields or not batch.num_rows:
        return -np.inf
    column = flat(batch.column(fields["time"]))
    if not pa.types.is_timestamp(column.type):
        return -np.inf
    newest = pc.max(column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())).as_py()
    return -np.inf if newest is None else float(newest)


def _outcomes(batch: pa.RecordBatch, fields: Fields) -> tuple[int, int]:
    if "decision.outcome" not in fields:
        return 0, 0
    column = flat(batch.column(fields["decision.outcome"]))
    named = len(column) - int(column.null_count)
    failed = pc.sum(pc.equal(column, ERROR_OUTCOME)).as_py() if named else 0
    return named, int(failed or 0)


def _attributions(batch: pa.RecordBatch, fields: Fields, grid: Grid) -> Floats | None:
    names = [f"explanation.{name}" for name in grid.features]
    if fields.keys().isdisjoint(names):
        return None
    return np.stack([_numbers(batch, name) for name in names])
