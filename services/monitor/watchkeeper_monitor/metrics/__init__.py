"""Everything that one window says, as numbers with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import (
    changes,
    drift,
    estimated,
    explanation,
    fairness,
    operation,
    performance,
    quality,
)
from watchkeeper_monitor.metrics.calibration import Calibration, calibrations
from watchkeeper_monitor.metrics.catalogue import CATALOGUE, Entry, Family
from watchkeeper_monitor.metrics.values import (
    Census,
    Estimate,
    Mean,
    Rate,
    RateGap,
    RateRatio,
    Test,
    TwoSample,
    Value,
    nothing,
)
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.segments import is_known
from watchkeeper_shared.metric_names import family_of
from watchkeeper_shared.specs import AISystem

__all__ = [
    "CATALOGUE",
    "Census",
    "Entry",
    "Estimate",
    "Family",
    "Mean",
    "Rate",
    "RateGap",
    "RateRatio",
    "Test",
    "TwoSample",
    "Value",
    "measure",
]

GROUP_ROWS = 100
_STRANGE = "no reference names this group, so its rows were not told from others"


def measure(
    spec: AISystem,
    grid: Grid,
    window: Profile,
    reference: Profile | None,
    *,
    group_rows: int = GROUP_ROWS,
    end: datetime | None = None,
) -> list[Value]:
    """Measure a window with every metric of the catalogue that applies to its task.

    A metric that cannot be computed is in the answer, with `value=None` and a note.

    Parameters
    ----------
    window, reference
        Profiles on `grid`; no reference, no drift. Of each slice of the window the same is
        measured but fairness.
    group_rows
        Rows that a group needs to take part in a fairness gap over all groups.
    end
        When the window ends; without it there is no freshness.
    """
    calibrated = calibrations(window)
    return [
        *_ungrouped(grid, window, reference, end, calibrated),
        *fairness.measure(spec, grid, window, group_rows, calibrated),
        *estimated.measure(spec, grid, window),
        *_sliced(grid, window, reference, end),
    ]


def _ungrouped(
    grid: Grid,
    window: Profile,
    reference: Profile | None,
    end: datetime | None,
    calibrated: Sequence[Calibration] | None = None,
) -> list[Value]:
    performed = list(performance.measure(grid, window, calibrated))
    return [
        *drift.measure(grid, window, reference),
        *quality.measure(grid, window, reference, end),
        *performed,
        *changes.measure(performed, _performed(grid, reference)),
        *operation.measure(window),
        *explanation.measure(grid, window, reference),
    ]


def _performed(grid: Grid, reference: Profile | None) -> Sequence[Value]:
    if reference is None:
        return ()
    return _performed_before(grid, reference, reference.labelled)


@lru_cache(maxsize=64)
def _performed_before(grid: Grid, reference: Profile, _labelled: int) -> Sequence[Value]:
    """Measure a reference once for all windows that are compared with it."""
    return tuple(performance.measure(grid, reference))


def _sliced(
    grid: Grid, window: Profile, reference: Profile | None, end: datetime | None
) -> Iterator[Value]:
    """Yield the same for each slice; what has a segment of its own already is left out."""
    for name, part in window.slices.items():
        base = None if reference is None else reference.slices.get(name)
        torn = _is_torn(part)
        for value in _ungrouped(grid, part.without_labels() if torn else part, base, end):
            if value.segment:
                continue
            if not is_known(name, grid):
                yield nothing(value.metric, value.column, _STRANGE, segment=name)
            elif torn and family_of(value.metric) is Family.PERFORMANCE:
                why = "labels of this slice came in part before the policy named it"
                yield nothing(value.metric, value.column, why, n=part.rows, segment=name)
            else:
                yield msgspec.structs.replace(value, segment=name)


def _is_torn(part: Profile) -> bool:
    """Return whether labels were counted whose predictions were not, or taken back unadded."""
    confusion = part.section("confusion")
    joined = part.labelled - part.echoed
    return part.echoed < 0 or not 0 <= joined <= part.rows or bool((confusion < 0).any())
