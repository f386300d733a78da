"""What labels add to the profile of a regression: sums and a histogram of errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_FOURTH, ERROR_SQUARE, RELATIVE, sums_of
from watchkeeper_monitor.profiles.labelled import Labelled
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_LABEL = 1e-3
"""A label nearer to zero than this, in reference sd, counts as this near in relative errors."""
_SUMS = {
    "errors": ERROR,
    "absolute_errors": ERROR,
    "error_squares": ERROR_SQUARE,
    "error_fourths": ERROR_FOURTH,
    "relative_errors": RELATIVE,
    "relative_error_squares": ERROR_FOURTH,
    "label_moments": ERROR,
    "label_squares": ERROR_SQUARE,
}


def add_errors(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (1) or take back (-1) errors in reference sd of the prediction, held to 1,024."""
    scale = grid.axes[-1].scale
    with np.errstate(over="ignore"):
        error = (labelled.prediction - labelled.label) / scale
        label = (labelled.label - grid.axes[-1].mean) / scale
        unit = np.maximum(np.abs(labelled.label / scale), LEAST_LABEL)
    error, label = (np.clip(one, -ERROR.limit, ERROR.limit) for one in (error, label))
    size = np.abs(error)
    relative = np.minimum(size / unit, RELATIVE.limit)
    values = (error, size, error**2, error**4, relative, relative**2, label, label**2)
    for name, sums in zip(_SUMS, sums_of(tuple(_SUMS.values()), np.stack(values)), strict=True):
        at.view(into, name)[:] += sign * sums
    cells = at.view(into, "error_cells")
    known = size[~np.isnan(size)]
    cells += sign * np.bincount(ERRORS.places(known), minlength=cells.size)
    _add_groups(into, error, labelled.groups, sign, at)


def _add_groups(
    into: Ints, error: Floats, groups: npt.NDArray[np.int16], sign: int, at: Layout
) -> None:
    if not len(groups):
        return
    places, size = at.places(groups), int(at.group_starts[-1])
    counts = np.bincount(places.ravel(), minlength=size)
    at.view(into, "group_labelled")[:] += sign * counts
    at.view(into, "group_errors")[:] += sign * ERROR.sums_by(error, places, size)
    squares = ERROR_SQUARE.sums_by(error**2, places, size)
    at.view(into, "group_error_squares")[:] += sign * squares
