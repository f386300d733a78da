"""What to say of sums to which a row of a regression added less than it is.

Sums hold numbers up to 2^64 units, the reference's standard deviation or 1. Past that a sum is
too small, which is no reason to fall silent about a system gone mad. An earlier version held them
to 1,024, and where no standard deviation is known that is no number at all: prices of 300,000 were
all 1,024.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from watchkeeper_monitor.grids.octaves import FAR_ERRORS
from watchkeeper_monitor.metrics.values import Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.boundless import REACH
from watchkeeper_monitor.profiles.holding import farthest_prediction

_HELD = f"what lies past {REACH:.1e} {{unit}} is summed as that much"
_EARLIER = (
    "rows that an earlier version counted are summed up to 1,024 reference standard deviations only"
)
_UNKNOWN = (
    "an earlier version counted rows of this window, and summed numbers up to 1,024 only where no "
    "reference gives a standard deviation; windows of rows that came later have a number"
)


def errors(window: Profile) -> str:
    """Return why sums of errors are too small; nothing where they are not."""
    if window.section("held_labelled")[0]:
        return _earlier(window)
    return _held(window) if window.section("far_error_cells")[-1] else ""


def predictions(window: Profile) -> str:
    """Likewise of predictions, which are summed as distances from the reference's mean."""
    if window.section("held_answers")[0]:
        return _earlier(window)
    return _held(window) if farthest_prediction(window.extremes, window.grid) > REACH else ""


def labels(window: Profile) -> str:
    """Likewise of labels, which are one error away from their predictions."""
    if window.section("held_labelled")[1]:
        return _earlier(window)
    filled = np.flatnonzero(window.section("far_error_cells"))
    error = FAR_ERRORS.middle(min(int(filled.max(initial=0)) + 1, FAR_ERRORS.cells - 1))
    return (
        _held(window) if farthest_prediction(window.extremes, window.grid) + error > REACH else ""
    )


def told(values: Iterable[Value], why: str) -> Iterator[Value]:
    """Yield values, and where a row was held what that means for each."""
    for value in values:
        if not why or not value.n:
            yield value
        elif why == _UNKNOWN:
            yield nothing(value.metric, value.column, why, n=value.n, segment=value.segment)
        elif value.value is None:
            yield value
        else:
            note = f"{value.note}; {why}" if value.note else why
            yield msgspec.structs.replace(value, low=None, high=None, note=note)


def _earlier(window: Profile) -> str:
    return _EARLIER if window.grid.has_unit else _UNKNOWN


def _held(window: Profile) -> str:
    unit = "reference standard deviations" if window.grid.has_unit else "in the prediction's unit"
    return _HELD.format(unit=unit)
