"""What to say of sums to which a row of a regression added less than it is.

Sums are whole numbers of a unit, and hold a row to 1,024 times the reference's standard
deviation. Past that a sum is too small, which is no reason to fall silent about a system gone
mad, and no number either where no standard deviation is known: there the unit is 1, and prices
of 300,000 would all be 1,024.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS
from watchkeeper_monitor.metrics.values import Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import ERROR

_FIRST = int(ERRORS.places(np.array([ERROR.limit]))[0])
_UNKNOWN = "numbers past 1,024 are summed only where a reference gives a standard deviation"
_HELD = "what lies past 1,024 reference standard deviations is summed as that much"


def errors(window: Profile) -> bool:
    """Return whether an error was held."""
    return bool(window.section("error_cells")[_FIRST:].any())


def predictions(window: Profile) -> bool:
    """Return whether a prediction was held, as a distance from the reference's mean."""
    return _farthest(window) > ERROR.limit


def labels(window: Profile) -> bool:
    """Return whether a label may have been: it is one error away from its prediction."""
    filled = np.flatnonzero(window.section("error_cells"))
    error = ERRORS.middle(int(filled.max(initial=0)) + 1)
    return _farthest(window) + error > ERROR.limit


def told(grid: Grid, values: Iterable[Value], *, held: bool) -> Iterator[Value]:
    """Yield values, and where a row was held what that means for each."""
    for value in values:
        if not held or not value.n:
            yield value
        elif not grid.axes[-1].sd > 0:
            yield nothing(value.metric, value.column, _UNKNOWN, n=value.n, segment=value.segment)
        elif value.value is None:
            yield value
        else:
            note = f"{value.note}; {_HELD}" if value.note else _HELD
            yield msgspec.structs.replace(value, low=None, high=None, note=note)


def _farthest(window: Profile) -> float:
    axis = window.grid.axes[-1]
    low, high = window.extremes[:, len(window.grid.axes) - 1]
    with np.errstate(over="ignore"):
        return float(max(axis.mean - low, high - axis.mean) / axis.scale)
