"""What labels add to the profile of a regression: sums and a histogram of errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_FOURTH, ERROR_SQUARE, RELATIVE
from watchkeeper_monitor.profiles.labelled import Labelled
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_LABEL = 1e-3
"""A label nearer to zero than this, in reference sd, counts as this near in relative errors."""


def add_errors(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (1) or take back (-1) errors in reference sd of the prediction, held to 1,024."""
    scale = grid.axes[-1].scale
    with np.errstate(over="ignore"):
        error = (labelled.prediction - labelled.label) / scale
        label = (labelled.label - grid.axes[-1].mean) / scale
        size = np.maximum(np.abs(labelled.label / scale), LEAST_LABEL)
    error, label = (np.clip(one, -ERROR.limit, ERROR.limit) for one in (error, label))
    relative = np.minimum(np.abs(error) / size, RELATIVE.limit)
    for name, quantity, values in (
        ("errors", ERROR, error),
        ("absolute_errors", ERROR, np.abs(error)),
        ("error_squares", ERROR_SQUARE, error**2),
        ("error_fourths", ERROR_FOURTH, error**4),
        ("relative_errors", RELATIVE, relative),
        ("relative_error_squares", ERROR_FOURTH, relative**2),
        ("label_moments", ERROR, label),
        ("label_squares", ERROR_SQUARE, label**2),
    ):
        at.view(into, name)[:] += sign * quantity.sums(values)
    cells = at.view(into, "error_cells")
    known = np.abs(error[~np.isnan(error)])
    cells += sign * np.bincount(ERRORS.places(known), minlength=cells.size)
    _add_groups(into, error, labelled.groups, sign, at)


def _add_groups(
    into: Ints, error: Floats, groups: npt.NDArray[np.int16], sign: int, at: Layout
) -> None:
    if not len(groups):
        return
    places, size = groups + at.group_starts[:-1, None], int(at.group_starts[-1])
    counts = np.bincount(places.ravel(), minlength=size)
    at.view(into, "group_labelled")[:] += sign * counts
    at.view(into, "group_errors")[:] += sign * ERROR.sums_by(error, places, size)
    squares = ERROR_SQUARE.sums_by(error**2, places, size)
    at.view(into, "group_error_squares")[:] += sign * squares
