"""Counting a batch into cells, vectorised over rows and, where it pays, over columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.columns import Columns
from watchkeeper_monitor.grids import Axis, Grid
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_SQUARE, EXCESS
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 2_048


def add_numeric(into: Ints, extremes: Floats, columns: Columns, grid: Grid, at: Layout) -> None:
    """Count every axis into its cells, and add its sums, nulls and extremes.

    In blocks that stay in the processor's cache, where the vectorised sort of numpy >= 2 is
    three times as fast as on 100,000 rows.
    """
    for axis, rows in columns.wrong.items():
        mistyped = np.count_nonzero(rows)
        at.view(into, "nulls")[axis] -= mistyped
        at.view(into, "mistyped")[axis] += mistyped
    for start in range(0, columns.n, _BLOCK):
        _add_block(into, extremes, columns.numeric[:, start : start + _BLOCK], grid, at)


def _add_block(into: Ints, extremes: Floats, numeric: Floats, grid: Grid, at: Layout) -> None:
    """Sort the block and search the edges in it: faster than each value among the edges."""
    ordered = np.sort(numeric, axis=1)  # NaN goes last
    missing = np.isnan(ordered).sum(axis=1)
    present = numeric.shape[1] - missing
    at.view(into, "nulls")[:] += missing
    below = _below(ordered, grid, at)
    below[at.below_ends] = present
    at.view(into, "cells")[:] += np.diff(below)[at.below_cells]
    outside = (below[at.below_firsts] > 0) | (below[at.below_lasts] < present)
    for row in np.flatnonzero(outside).tolist():
        _add_excess(into, at, row, ordered[row, : present[row]], grid.axes[row])
    some = present > 0
    least, most = ordered[:, 0], ordered[np.arange(len(present)), present - 1]
    np.minimum(extremes[0, :-1], least, out=extremes[0, :-1], where=some)
    np.maximum(extremes[1, :-1], most, out=extremes[1, :-1], where=some)


def _below(ordered: Floats, grid: Grid, at: Layout) -> Ints:
    """Return how many values lie below each edge: for each axis a 0, its edges, a free place."""
    below = np.zeros(at.below_ends[-1] + 1, dtype=np.int64)
    for row, (axis, start) in enumerate(zip(grid.axes, at.below_starts, strict=True)):
        if axis.edges:
            below[start : start + len(axis.edges)] = ordered[row].searchsorted(axis.edge_array)
    return below


def _add_excess(into: Ints, at: Layout, row: int, values: Floats, axis: Axis) -> None:
    """Add how far values lie past the outer edges, for exact Wasserstein tails."""
    if not axis.edges:
        return
    edges = axis.edge_array
    short = values[: np.searchsorted(values, edges[0])]
    far = values[np.searchsorted(values, edges[-1]) :]
    with np.errstate(over="ignore"):
        if short.size:
            excess = (edges[0] - short) / axis.scale
            at.view(into, "excess_below")[row] += EXCESS.sums(excess)
        if far.size:
            at.view(into, "excess_above")[row] += EXCESS.sums((far - edges[-1]) / axis.scale)


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
        _add_answers(into, columns, grid, at)


def _add_answers(into: Ints, columns: Columns, grid: Grid, at: Layout) -> None:
    """Add predictions, as distances from the reference mean in reference sd, by group."""
    with np.errstate(over="ignore"):
        z = (columns.numeric[-1] - grid.axes[-1].mean) / grid.axes[-1].scale
    z = np.clip(z, -ERROR.limit, ERROR.limit)
    places = columns.groups + at.group_starts[:-1, None]
    size = int(at.group_starts[-1])
    at.view(into, "group_answers")[:] += ERROR.sums_by(z, places, size)
    at.view(into, "group_answer_squares")[:] += ERROR_SQUARE.sums_by(z * z, places, size)
