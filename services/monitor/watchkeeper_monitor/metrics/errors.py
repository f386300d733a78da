"""Performance of a regression, in the prediction's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS, RELATIVE_ERROR
from watchkeeper_monitor.intervals import Z
from watchkeeper_monitor.metrics.means import of_mean
from watchkeeper_monitor.metrics.values import Census, Estimate, Mean, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import ERROR, ERROR_FOURTH, ERROR_SQUARE, RELATIVE

METRICS = ("mae", "rmse", "mean_error", "r2", "mape", "max_error")
_POSITIVE = (0.0, math.inf)


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield the errors of a regression."""
    n, unit = window.labelled, grid.axes[-1].scale
    if not n:
        yield from (nothing(metric, "", "no labels yet") for metric in METRICS)
        return
    squares = float(window.sums("error_squares", ERROR_SQUARE)) * unit**2
    fourths = float(window.sums("error_fourths", ERROR_FOURTH)) * unit**4
    absolute = float(window.sums("absolute_errors", ERROR)) * unit
    errors = float(window.sums("errors", ERROR)) * unit
    yield of_mean("mae", Mean(absolute, squares, n, _POSITIVE))
    yield of_mean("rmse", Mean(squares, fourths, n, root=True))
    yield of_mean("mean_error", Mean(errors, squares, n))
    yield _r2(window, squares / unit**2, fourths / unit**4, n)
    relative = float(window.sums("relative_errors", RELATIVE))
    again = float(window.sums("relative_error_squares", ERROR_FOURTH))
    yield of_mean("mape", Mean(relative, again, n, _POSITIVE))
    yield _greatest(window, unit, n)


def _r2(window: Profile, squares: float, fourths: float, n: int) -> Value:
    """Return R2; its error takes the spread of the labels as known."""
    total = float(window.sums("label_moments", ERROR))
    spread = float(window.sums("label_squares", ERROR_SQUARE)) - total**2 / n
    if spread <= 0:
        return nothing("r2", "", "all labels are equal", n=n)
    value = 1 - squares / spread
    error = Mean(squares, fourths, n).error * n / spread
    low, high = value - Z * error, min(value + Z * error, 1.0)
    return Value("r2", "", "", value, low, high, n, None, Estimate(value, error))


def _greatest(window: Profile, unit: float, n: int) -> Value:
    """Return the middle of the last cell that holds an error; every row was looked at."""
    cell = int(np.flatnonzero(window.section("error_cells")).max(initial=0))
    value = ERRORS.middle(cell) * unit
    bound = value * RELATIVE_ERROR
    note = f"binning error at most {RELATIVE_ERROR:.1%}"
    return Value("max_error", "", "", value, value - bound, value + bound, n, None, Census(), note)
