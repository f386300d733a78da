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

Bools = npt.NDArray[np.bool_]
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
    wrong
        Axis → bool `[n]`: values of a numeric column that are no numbers, and scores that are
        no probabilities; their rows are NaN. Axes without one are left out.
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
    times
        int64 `[n]`, microseconds since 1970; None where there are none.
    outcomes
        int8 `[n]`: 0 where none was named, 1 for any, 2 for `error`; None where there is none.
    attributions
        float64 `[features, n]` in the order of `Grid.features`, NaN where none was sent; None
        where there is none at all.
    """

    n: int
    numeric: Floats
    wrong: dict[int, Bools]
    categorical: Codes
    prediction: npt.NDArray[np.int16] | Floats
    groups: npt.NDArray[np.int16]
    latency: Floats | None
    score_row: int
    times: npt.NDArray[np.int64] | None = None
    outcomes: npt.NDArray[np.int8] | None = None
    attributions: Floats | None = None

    @property
    def score(self) -> Floats:
        """The scores, NaN where none was sent."""
        return np.asarray(self.numeric[self.score_row])

    def take(self, rows: Bools) -> Columns:
        """Return the rows of a mask."""
        return Columns(
            n=int(np.count_nonzero(rows)),
            numeric=self.numeric[:, rows],
            wrong={axis: mask[rows] for axis, mask in self.wrong.items()},
            categorical=self.categorical[:, rows],
            prediction=self.prediction[rows],
            groups=self.groups[:, rows],
            latency=None if self.latency is None else self.latency[rows],
            score_row=self.score_row,
            times=None if self.times is None else self.times[rows],
            outcomes=None if self.outcomes is None else self.outcomes[rows],
            attributions=None if self.attributions is None else self.attributions[:, rows],
        )


def encode(batch: pa.RecordBatch, grid: Grid) -> Columns:
    """Turn a canonical batch (ADR 1) into arrays in grid order.

    A column that the batch does not have is all null, a column that the grid does not know is
    left out: both are facts about data quality and no reason to fail.
    """
    fields = {name: at for at, name in enumerate(batch.schema.names)}
    numeric, wrong = _numeric(batch, fields, grid)
    return Columns(
        n=batch.num_rows,
        numeric=numeric,
        wrong=wrong,
        categorical=_coded(batch, fields, grid.categories),
        prediction=prediction_of(batch, grid),
        groups=groups_of(batch, grid),
        latency=_numbers(batch, "latency_ms") if "latency_ms" in fields else None,
        score_row=grid.score,
        times=_times(batch, fields),
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


def _numeric(batch: pa.RecordBatch, fields: Fields, grid: Grid) -> tuple[Floats, dict[int, Bools]]:
    numeric = np.empty((len(grid.axes), batch.num_rows))
    wrong: dict[int, Bools] = {}
    for row, axis in enumerate(grid.axes):
        if axis.field not in fields:
            numeric[row] = np.nan
            continue
        column = flat(batch.column(fields[axis.field]))
        if not _numbers_into(numeric[row], column) and column.null_count < len(column):
            wrong[row] = np.asarray(column.is_valid())
    score = numeric[grid.score]
    outside = (score < 0) | (score > 1)
    if outside.any():  # no probability; counted, and used for nothing
        wrong[grid.score] = outside
        score[outside] = np.nan
    return numeric, wrong


def _numbers(batch: pa.RecordBatch, field: str) -> Floats:
    if field not in batch.schema.names:
        return np.full(batch.num_rows, np.nan)
    target = np.empty(batch.num_rows)
    _numbers_into(target, flat(batch.column(field)))
    return target


def _numbers_into(target: Floats, column: Any) -> bool:
    """Write the column's numbers into `target`; NaN and False if the column holds no numbers."""
    kind = column.type
    is_numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    target[:] = as_floats(column) if is_numeric else np.nan
    return bool(is_numeric)


def _coded(batch: pa.RecordBatch, fields: Fields, columns: tuple[Categories, ...]) -> Codes:
    codes = np.empty((len(columns), batch.num_rows), dtype=np.int32)
    for row, column in enumerate(columns):
        if column.field in fields:
            codes[row] = column.encode(flat(batch.column(fields[column.field])))
        else:
            codes[row] = column.null
    return codes


def _times(batch: pa.RecordBatch, fields: Fields) -> npt.NDArray[np.int64] | None:
    if "time" not in fields:
        return None
    column = flat(batch.column(fields["time"]))
    if not pa.types.is_timestamp(column.type) or column.null_count:
        return None
    if column.type.unit != "us":
        column = column.cast(pa.timestamp("us", column.type.tz))
    return np.asarray(column.view(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def _outcomes(batch: pa.RecordBatch, fields: Fields) -> npt.NDArray[np.int8] | None:
    if "decision.outcome" not in fields:
        return None
    column = flat(batch.column(fields["decision.outcome"]))
    if column.null_count == len(column):
        return None
    failed = np.asarray(pc.equal(column, ERROR_OUTCOME).fill_null(False))
    return np.asarray(np.asarray(column.is_valid()).astype(np.int8) + failed)


def _attributions(batch: pa.RecordBatch, fields: Fields, grid: Grid) -> Floats | None:
    names = [f"explanation.{name}" for name in grid.features]
    if fields.keys().isdisjoint(names):
        return None
    return np.stack([_numbers(batch, name) for name in names])
