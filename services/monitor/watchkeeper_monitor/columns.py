"""From a canonical Arrow batch to numbers in grid order, without a Python loop over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_monitor.grids import Categories, Grid
from watchkeeper_monitor.grids.axes import Floats, as_floats
from watchkeeper_monitor.grids.texts import flat

Codes = npt.NDArray[np.int32]


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
        int64 `[axes]`: values of a numeric column that are no numbers; their rows are NaN.
    categorical
        int32 `[categorical features, n]`: codes of `Categories.encode`.
    prediction
        int16 `[n]` class codes; float64 for regression.
    groups
        int16 `[attributes, n]`: codes of `Categories.encode`.
    latency
        float64 `[n]`, milliseconds; NaN where none was sent.
    """

    n: int
    numeric: Floats
    mistyped: npt.NDArray[np.int64]
    categorical: Codes
    prediction: npt.NDArray[np.int16] | Floats
    groups: npt.NDArray[np.int16]
    latency: Floats
    score_row: int

    @property
    def score(self) -> Floats:
        """The scores, NaN where none was sent."""
        return np.asarray(self.numeric[self.score_row])


def encode(batch: pa.RecordBatch, grid: Grid) -> Columns:
    """Turn a canonical batch (ADR 1) into arrays in grid order.

    A column that the batch does not have is all null, a column that the grid does not know is
    left out: both are facts about data quality and no reason to fail.
    """
    n = batch.num_rows
    fields = {name: at for at, name in enumerate(batch.schema.names)}
    numeric = np.full((len(grid.axes), n), np.nan)
    mistyped = np.zeros(len(grid.axes), dtype=np.int64)
    for row, axis in enumerate(grid.axes):
        if axis.field in fields:
            mistyped[row] = _numbers_into(numeric[row], batch.column(fields[axis.field]))
    return Columns(
        n=n,
        numeric=numeric,
        mistyped=mistyped,
        categorical=_coded(batch, fields, grid.categories),
        prediction=prediction_of(batch, grid),
        groups=groups_of(batch, grid),
        latency=_optional_numbers(batch, "latency_ms"),
        score_row=grid.score,
    )


def groups_of(batch: pa.RecordBatch, grid: Grid) -> npt.NDArray[np.int16]:
    """Return the group codes of a batch, `[attributes, n]`."""
    fields = {name: at for at, name in enumerate(batch.schema.names)}
    return _coded(batch, fields, grid.attributes).astype(np.int16)


def prediction_of(
    batch: pa.RecordBatch, grid: Grid, field: str = "prediction"
) -> npt.NDArray[np.int16] | Floats:
    """Return predictions, or with `field="label"` labels: class codes, or numbers."""
    if grid.regression:
        return _optional_numbers(batch, field)
    if field not in batch.schema.names:
        return np.full(batch.num_rows, len(grid.classes), dtype=np.int16)
    return grid.label_codes(flat(batch.column(field)))


def _optional_numbers(batch: pa.RecordBatch, field: str) -> Floats:
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


def _coded(batch: pa.RecordBatch, fields: dict[str, int], columns: tuple[Categories, ...]) -> Codes:
    codes = np.empty((len(columns), batch.num_rows), dtype=np.int32)
    for row, column in enumerate(columns):
        if column.field in fields:
            codes[row] = column.encode(flat(batch.column(fields[column.field])))
        else:
            codes[row] = column.null
    return codes
