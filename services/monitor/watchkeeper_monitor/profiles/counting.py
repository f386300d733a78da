"""Counting a batch into cells, vectorised over rows and, where it pays, over columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import Columns
from watchkeeper_monitor.profiles.boundless import REACH, is_far, moments_at
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_SQUARE, EXCESS
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 17
"""So many values stay in the processor's cache between one step and the next."""


def add_numeric(into: Ints, extremes: Floats, columns: Columns, grid: Grid, at: Layout) -> Ints:
    """Count every axis into its cells, and add its sums, nulls and extremes.

    Returns
    -------
    int64 `[n]`
        The cell of every score: the first one for a missing score.
    """
    for axis, flags in columns.wrong.items():
        mistyped = np.count_nonzero(flags)
        at.view(into, "nulls")[axis] -= mistyped
        at.view(into, "mistyped")[axis] += mistyped
    rows = max(_BLOCK // len(grid.axes), 1)
    scores = []
    for start in range(0, columns.n, rows):
        numeric = columns.numeric[:, start : start + rows]
        cells = grid.buckets.cells(numeric)
        scores.append(cells[grid.score] - at.cell_starts[grid.score])
        _add_block(into, extremes, numeric, cells, grid, at)
    return np.concatenate(scores)


def _add_block(
    into: Ints, extremes: Floats, numeric: Floats, cells: Ints, grid: Grid, at: Layout
) -> None:
    counted = at.view(into, "cells")
    counted += np.bincount(cells.ravel(), minlength=counted.size)
    least, most = np.minimum.reduce(numeric, axis=1), np.maximum.reduce(numeric, axis=1)
    gaps = np.flatnonzero(np.isnan(least))  # a missing value makes both NaN
    if gaps.size:
        some = numeric[gaps]
        missing = np.isnan(some).sum(axis=1)
        counted[at.cell_starts[gaps]] -= missing  # it was found in the first cell
        at.view(into, "nulls")[gaps] += missing
        least[gaps], most[gaps] = np.fmin.reduce(some, axis=1), np.fmax.reduce(some, axis=1)
    outside = np.flatnonzero((least < grid.ends.first[:, 0]) | (most > grid.ends.last[:, 0]))
    if outside.size:
        _add_excess(into, outside, numeric[outside], grid, at)
    # Minus zero becomes zero: which of the two comes first would depend on the order of rows.
    np.fmin(extremes[0, :-1], least + 0.0, out=extremes[0, :-1])
    np.fmax(extremes[1, :-1], most + 0.0, out=extremes[1, :-1])


def _add_excess(into: Ints, axes: Ints, numeric: Floats, grid: Grid, at: Layout) -> None:
    """Add how far values of some axes lie past the outer edges, for exact tails."""
    ends, n, every = grid.ends, numeric.shape[1], len(grid.axes)
    past = np.flatnonzero((numeric < ends.first[axes]) | (numeric > ends.last[axes]))
    values, owner = numeric.take(past), axes[past // n]
    first, last, scale = (each[owner, 0] for each in ends)
    below = values < first
    with np.errstate(over="ignore"):
        excess = np.where(below, first - values, values - last) / scale
    sums = EXCESS.sums_by(excess, (owner + ~below * every)[None], 2 * every)
    at.view(into, "excess_below")[:] += sums[:every]
    at.view(into, "excess_above")[:] += sums[every:]


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
        places = at.places(columns.groups) * classes.size + predicted
        groups += np.bincount(places.ravel(), minlength=groups.size).reshape(groups.shape)
    if grid.regression and len(grid.attributes):
        _add_answers(into, columns, grid, at)


def _add_answers(into: Ints, columns: Columns, grid: Grid, at: Layout) -> None:
    """Add predictions, as distances from the reference mean in reference sd, by group."""
    with np.errstate(over="ignore"):
        z = (columns.numeric[-1] - grid.axes[-1].mean) / grid.axes[-1].scale
    places, size = at.places(columns.groups), int(at.group_starts[-1])
    far = is_far(grid, z)
    if far.any():
        distant = np.clip(z[far], -REACH, REACH)
        at.view(into, "far_group_answers")[:] += moments_at(distant, places[:, far], size)
        z, places = z[~far], places[:, ~far]
    at.view(into, "group_answers")[:] += ERROR.sums_by(z, places, size)
    at.view(into, "group_answer_squares")[:] += ERROR_SQUARE.sums_by(z * z, places, size)
