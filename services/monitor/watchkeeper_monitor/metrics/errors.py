"""Performance of a regression, in the prediction's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS, FAR_ERRORS, RELATIVE_ERROR, STEPS
from watchkeeper_monitor.metrics import held
from watchkeeper_monitor.metrics.intervals import Z
from watchkeeper_monitor.metrics.means import of_mean
from watchkeeper_monitor.metrics.values import Census, Estimate, Mean, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_FOURTH, ERROR_SQUARE, RELATIVE

METRICS = ("mae", "rmse", "mean_error", "r2", "mape", "max_error")
_POSITIVE = (0.0, math.inf)
_RESOLVED = 2.0 ** (10 - ERROR_FOURTH.bits)
"""A mean fourth power from which on its rounding is less than a thousandth of it."""

_ROUNDED = 2.0**-39
"""How far off the rounding of a near label and of its square may put its squared distance."""
_EQUAL = "all labels are equal, to a millionth of a reference standard deviation"


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield the errors of a regression."""
    n, unit = window.labelled, grid.axes[-1].scale
    if not n:
        yield from (nothing(metric, "", "no labels yet") for metric in METRICS)
        return
    for value in _values(window, unit, n):
        why = held.errors(window) or (held.labels(window) if value.metric == "r2" else "")
        yield from held.told([value], why)


def _values(window: Profile, unit: float, n: int) -> Iterator[Value]:
    squares = float(window.error_sum("error_squares", ERROR_SQUARE))
    fourths, absolute = _fourths(window), float(window.error_sum("absolute_errors", ERROR)) * unit
    errors = float(window.error_sum("errors", ERROR)) * unit
    yield of_mean("mae", Mean(absolute, squares * unit**2, n, _POSITIVE))
    yield of_mean("rmse", Mean(squares * unit**2, fourths * unit**4, n, root=True))
    yield of_mean("mean_error", Mean(errors, squares * unit**2, n))
    yield _r2(window, squares, fourths, n)
    relative = float(window.error_sum("relative_errors", RELATIVE))
    # Each near one was rounded, a small one to 0: half a unit more for each is never too sure.
    again = float(window.error_sum("relative_error_squares", ERROR_FOURTH))
    again += int(window.section("error_cells").sum()) * 2.0 ** -(ERROR_FOURTH.bits + 1)
    yield of_mean("mape", Mean(relative, again, n, _POSITIVE))
    yield _greatest(window, unit, n)


def _fourths(window: Profile) -> float:
    """Return the sum of the errors' fourth powers, in units of which a sum of squares is given.

    What is summed of near rows is rounded to 2^-20, so of small errors nothing is left, and their
    spread would be 0: that comes from the histogram then, whose cells are at most 3 % wide.
    """
    summed, cells = window.error_sum("error_fourths", ERROR_FOURTH), window.section("error_cells")
    near, n = ERROR_FOURTH.exact(window.section("error_fourths")), int(cells.sum())
    if n <= 0 or near > n * _RESOLVED:
        return float(summed)
    values = _squares_of_cells()
    spread = float(np.dot(cells, (values - float(np.dot(cells, values)) / n) ** 2))
    squares = float(window.sums("error_squares", ERROR_SQUARE))
    return squares**2 / n + spread + float(summed - near)


@lru_cache(maxsize=1)
def _squares_of_cells() -> npt.NDArray[np.float64]:
    return np.array([ERRORS.middle(cell) for cell in range(ERRORS.cells)]) ** 2


def _r2(window: Profile, squares: float, fourths: float, n: int) -> Value:
    """Return R2; its error takes labels to be normal and errors not to depend on them.

    The spread is a small difference of great sums, so it is exact until it is known.
    """
    total = window.error_sum("label_moments", ERROR)
    spread = float(window.error_sum("label_squares", ERROR_SQUARE) - total**2 / n)
    if spread <= int(window.section("error_cells").sum()) * _ROUNDED:
        return nothing("r2", "", _EQUAL if window.grid.has_unit else "all labels are equal", n=n)
    value = 1 - squares / spread
    of_labels = (1 - value) * math.sqrt(2 / n)  # the spread of the labels is an estimate too
    error = math.hypot(Mean(squares, fourths, n).error * n / spread, of_labels)
    low, high = value - Z * error, min(value + Z * error, 1.0)
    return Value("r2", "", "", value, low, high, n, None, Estimate(value, error))


def _greatest(window: Profile, unit: float, n: int) -> Value:
    """Return the middle of the last cell that holds an error; every row was looked at."""
    value = FAR_ERRORS.middle(int(np.flatnonzero(_cells(window) > 0).max(initial=0))) * unit
    bound = value * RELATIVE_ERROR
    note = f"binning error at most {RELATIVE_ERROR:.1%}"
    return Value("max_error", "", "", value, value - bound, value + bound, n, None, Census(), note)


def _cells(window: Profile) -> npt.NDArray[np.int64]:
    """Return the histogram of the errors of near and far rows."""
    cells, near = window.section("far_error_cells").copy(), window.section("error_cells")
    first = (ERRORS.first - FAR_ERRORS.first) * STEPS
    cells[first + 1 : first + near.size] += near[1:]
    cells[0] += near[0]
    return cells
