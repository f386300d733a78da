"""Performance of a regression, in the prediction's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS, RELATIVE_ERROR
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


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield the errors of a regression."""
    n, unit = window.labelled, grid.axes[-1].scale
    if not n:
        yield from (nothing(metric, "", "no labels yet") for metric in METRICS)
        return
    values = list(_values(window, unit, n))
    at = METRICS.index("r2")
    yield from held.told(grid, values[:at], held=held.errors(window))
    yield from held.told(grid, values[at : at + 1], held=held.labels(window))
    yield from held.told(grid, values[at + 1 :], held=held.errors(window))


def _values(window: Profile, unit: float, n: int) -> Iterator[Value]:
    squares = float(window.sums("error_squares", ERROR_SQUARE)) * unit**2
    fourths = _fourths(window, squares / unit**2, n) * unit**4
    absolute = float(window.sums("absolute_errors", ERROR)) * unit
    errors = float(window.sums("errors", ERROR)) * unit
    yield of_mean("mae", Mean(absolute, squares, n, _POSITIVE))
    yield of_mean("rmse", Mean(squares, fourths, n, root=True))
    yield of_mean("mean_error", Mean(errors, squares, n))
    yield _r2(window, squares / unit**2, fourths / unit**4, n)
    relative = float(window.sums("relative_errors", RELATIVE))
    # Each was rounded, a small one to 0: half a unit more for each is never too sure.
    again = float(window.sums("relative_error_squares", ERROR_FOURTH))
    again += n * 2.0 ** -(ERROR_FOURTH.bits + 1)
    yield of_mean("mape", Mean(relative, again, n, _POSITIVE))
    yield _greatest(window, unit, n)


def _fourths(window: Profile, squares: float, n: int) -> float:
    """Return the sum of the errors' fourth powers, in units of which a sum of squares is given.

    What is summed is rounded to 2^-20, so of small errors nothing is left, and their spread would
    be 0: that comes from the histogram then, whose cells are at most 3 % wide.
    """
    summed = float(window.sums("error_fourths", ERROR_FOURTH))
    if summed > n * _RESOLVED:
        return summed
    cells, values = window.section("error_cells"), _squares_of_cells()
    spread = float(np.dot(cells, (values - float(np.dot(cells, values)) / n) ** 2))
    return squares**2 / n + spread


@lru_cache(maxsize=1)
def _squares_of_cells() -> npt.NDArray[np.float64]:
    return np.array([ERRORS.middle(cell) for cell in range(ERRORS.cells)]) ** 2


def _r2(window: Profile, squares: float, fourths: float, n: int) -> Value:
    """Return R2; its error takes labels to be normal and errors not to depend on them."""
    total = float(window.sums("label_moments", ERROR))
    spread = float(window.sums("label_squares", ERROR_SQUARE)) - total**2 / n
    if spread <= 0:
        return nothing("r2", "", "all labels are equal", n=n)
    value = 1 - squares / spread
    of_labels = (1 - value) * math.sqrt(2 / n)  # the spread of the labels is an estimate too
    error = math.hypot(Mean(squares, fourths, n).error * n / spread, of_labels)
    low, high = value - Z * error, min(value + Z * error, 1.0)
    return Value("r2", "", "", value, low, high, n, None, Estimate(value, error))


def _greatest(window: Profile, unit: float, n: int) -> Value:
    """Return the middle of the last cell that holds an error; every row was looked at."""
    cell = int(np.flatnonzero(window.section("error_cells")).max(initial=0))
    value = ERRORS.middle(cell) * unit
    bound = value * RELATIVE_ERROR
    note = f"binning error at most {RELATIVE_ERROR:.1%}"
    return Value("max_error", "", "", value, value - bound, value + bound, n, None, Census(), note)
