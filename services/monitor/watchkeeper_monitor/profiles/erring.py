"""What labels add to the profile of a regression: sums and a histogram of errors.

A row that lies within 1,024 reference standard deviations is near: it is added to sums that are
held so far, with the profile of any other row. All others are far, and so is every row where no
standard deviation is known: they have sums that hold numbers of any size (see `boundless`).
Which of the two a row is depends on the row and the grid alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS, FAR_ERRORS
from watchkeeper_monitor.profiles import boundless
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_FOURTH, ERROR_SQUARE, RELATIVE, sums_of
from watchkeeper_monitor.profiles.labelled import Labelled
from watchkeeper_monitor.profiles.layout import ERROR_SUMS, Layout

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_LABEL = 1e-3
"""A label nearer to zero than this, in reference sd, counts as this near in relative errors."""
LEAST_FLOAT = float(np.finfo(np.float64).eps)
"""Likewise where no standard deviation is known; scikit-learn does the same."""
_QUANTITIES = (
    ERROR,
    ERROR,
    ERROR_SQUARE,
    ERROR_FOURTH,
    RELATIVE,
    ERROR_FOURTH,
    ERROR,
    ERROR_SQUARE,
)
_FAR_PLACES = np.array([0, 1, 2, 2, 3, 4, 5, 6, 7, 7])[:, None]
"""Which sums the rows of far values belong to: squares that must be exact come in two parts."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows with a label, in reference sd of the prediction.

    Parameters
    ----------
    error, label
        Prediction less label, and label less the reference's mean of predictions.
    least
        The label's distance from zero, at least the least that a relative error is taken of.
    groups
        int16 `[attributes, n]` codes.
    """

    error: Floats
    label: Floats
    least: Floats
    groups: npt.NDArray[np.int16]

    @classmethod
    def of(cls, labelled: Labelled, grid: Grid) -> _Rows:
        axis = grid.axes[-1]
        least = LEAST_LABEL if grid.has_unit else LEAST_FLOAT
        with np.errstate(over="ignore"):
            return cls(
                (labelled.prediction - labelled.label) / axis.scale,
                np.asarray((labelled.label - axis.mean) / axis.scale),
                np.maximum(np.abs(labelled.label / axis.scale), least),
                labelled.groups,
            )

    def take(self, rows: Bools) -> _Rows:
        return _Rows(self.error[rows], self.label[rows], self.least[rows], self.groups[:, rows])


def add_errors(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (1) or take back (-1) errors in reference sd of the prediction."""
    rows = _Rows.of(labelled, grid)
    far = boundless.is_far(grid, rows.error, rows.label)
    if far.any():
        _add_far(into, rows.take(far), sign, at)
        rows = rows.take(~far)
    if rows.error.size:
        _add_near(into, rows, sign, at)


def _add_near(into: Ints, rows: _Rows, sign: int, at: Layout) -> None:
    error, label = rows.error, rows.label
    size = np.abs(error)
    relative = size / rows.least
    values = (error, size, error**2, error**4, relative, relative**2, label, label**2)
    for name, sums in zip(ERROR_SUMS, sums_of(_QUANTITIES, np.stack(values)), strict=True):
        at.view(into, name)[:] += sign * sums
    cells = at.view(into, "error_cells")
    known = size[~np.isnan(size)]
    cells += sign * np.bincount(ERRORS.places(known), minlength=cells.size)
    if len(rows.groups):
        places, count = at.places(rows.groups), int(at.group_starts[-1])
        _count_groups(into, places, count, sign, at)
        at.view(into, "group_errors")[:] += sign * ERROR.sums_by(error, places, count)
        squares = ERROR_SQUARE.sums_by(error**2, places, count)
        at.view(into, "group_error_squares")[:] += sign * squares


def _add_far(into: Ints, rows: _Rows, sign: int, at: Layout) -> None:
    error, label = (np.clip(x, -boundless.REACH, boundless.REACH) for x in (rows.error, rows.label))
    size = np.abs(error)
    relative, square = size / rows.least, boundless.squares(error)
    fourth, of_label = square[0] ** 2, boundless.squares(label)
    values = (error, size, *square, fourth, relative, relative**2, label, *of_label)
    far = at.view(into, "far_sums")
    far += sign * boundless.sums_at(np.stack(values), _FAR_PLACES, len(far))
    cells = at.view(into, "far_error_cells")
    known = size[~np.isnan(size)]
    cells += sign * np.bincount(FAR_ERRORS.places(known), minlength=cells.size)
    if len(rows.groups):
        places, count = at.places(rows.groups), int(at.group_starts[-1])
        _count_groups(into, places, count, sign, at)
        at.view(into, "far_group_errors")[:] += sign * boundless.moments_at(error, places, count)


def _count_groups(into: Ints, places: Ints, size: int, sign: int, at: Layout) -> None:
    at.view(into, "group_labelled")[:] += sign * np.bincount(places.ravel(), minlength=size)
