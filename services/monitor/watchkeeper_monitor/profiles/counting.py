"""Counting a batch into cells, vectorised over rows and, where it pays, over columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.columns import Columns
from watchkeeper_monitor.grids import Axis, Grid
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_SQUARE, EXCESS, MOMENT, SQUARE
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 2_048


def add_numeric(into: Ints, extremes: Floats, columns: Columns, grid: Grid, at: Layout) -> None:
    """Count every axis into its cells, and add its sums, nulls and extremes.

    In blocks that stay in the processor's cache, where the vectorised sort of numpy >= 2 is
    three times as fast as on 100,000 rows.
    """
    at.view(into, "nulls")[:] -= columns.mistyped
    at.view(into, "mistyped")[:] += columns.mistyped
    for start in range(0, columns.n, _BLOCK):
        _add_block(into, extremes, columns.numeric[:, start : start + _BLOCK], grid, at)


def _add_block(into: Ints, extremes: Floats, numeric: Floats, grid: Grid, at: Layout) -> None:
    """Sort the block and search the edges in it: faster than each value among the edges."""
    ordered = np.sort(numeric, axis=1)  # NaN goes last
    missing = np.isnan(ordered).sum(axis=1)
    present = numeric.shape[1] - missing
    at.view(into, "nulls")[:] += missing
    cells = at.view(into, "cells")
    least = ordered[:, 0].tolist()
    most = ordered[np.arange(len(grid.axes)), present - 1].tolist()
    starts = at.cell_starts.tolist()
    for row, (axis, count) in enumerate(zip(grid.axes, present.tolist(), strict=True)):
        if not count:
            continue
        values = ordered[row, :count]
        _count_sorted(cells[starts[row] : starts[row + 1]], values, axis)
        extremes[0, row] = min(extremes[0, row], least[row])
        extremes[1, row] = max(extremes[1, row], most[row])
        if axis.edges and (least[row] < axis.edges[0] or most[row] > axis.edges[-1]):
            _add_excess(into, at, row, values, axis)
    _add_moments(into, numeric, at)


def _count_sorted(cells: Ints, ordered: Floats, axis: Axis) -> None:
    """Add the cell counts of ascending values."""
    below = ordered.searchsorted(axis.edge_array)
    cells[:-1] += below
    cells[1:] -= below
    cells[-1] += ordered.size


def _add_excess(into: Ints, at: Layout, row: int, values: Floats, axis: Axis) -> None:
    """Add how far values lie past the outer edges, for exact Wasserstein tails."""
    edges = axis.edge_array
    short = values[: np.searchsorted(values, edges[0])]
    far = values[np.searchsorted(values, edges[-1]) :]
    with np.errstate(over="ignore"):
        if short.size:
            excess = (edges[0] - short) / axis.scale
            at.view(into, "excess_below")[row] += EXCESS.sums(excess)
        if far.size:
            at.view(into, "excess_above")[row] += EXCESS.sums((far - edges[-1]) / axis.scale)


def _add_moments(into: Ints, numeric: Floats, at: Layout) -> None:
    """Add sums and sums of squares of distances from the reference mean, in reference sd."""
    with np.errstate(over="ignore"):
        z = numeric - at.means
        z /= at.scales
    np.minimum(np.maximum(z, -MOMENT.limit, out=z), MOMENT.limit, out=z)
    at.view(into, "moments")[:] += MOMENT.sums(z)
    at.view(into, "squares")[:] += SQUARE.sums(z * z)


def add_coded(into: Ints, columns: Columns, grid: Grid, at: Layout) -> None:
    """Count categories, predicted classes, and predicted classes by group."""
    if len(grid.categories):
        places = columns.categorical + at.category_starts[:-1, None]
        counts = at.view(into, "categories")
        counts += np.bincount(places.ravel(), minlength=counts.size)
    predicted = (
        np.zeros(columns.n, dtype=np.int64)
        if grid.regression
        else columns.prediction.astype(np.int64)
    )
    classes = at.view(into, "predictions")
    classes += np.bincount(predicted, minlength=classes.size)
    if len(grid.attributes):
        groups = at.view(into, "group_predictions")
        places = (columns.groups + at.group_starts[:-1, None]) * classes.size + predicted
        groups += np.bincount(places.ravel(), minlength=groups.size).reshape(groups.shape)
    if grid.regression and len(grid.attributes):
        _add_answers(into, columns, at)


def _add_answers(into: Ints, columns: Columns, at: Layout) -> None:
    """Add predictions, as distances from the reference mean in reference sd, by group."""
    with np.errstate(over="ignore"):
        z = (columns.numeric[-1] - at.means[-1]) / at.scales[-1]
    z = np.clip(z, -MOMENT.limit, MOMENT.limit)
    places = columns.groups + at.group_starts[:-1, None]
    size = int(at.group_starts[-1])
    at.view(into, "group_answers")[:] += ERROR.sums_by(z, places, size)
    at.view(into, "group_answer_squares")[:] += ERROR_SQUARE.sums_by(z * z, places, size)
