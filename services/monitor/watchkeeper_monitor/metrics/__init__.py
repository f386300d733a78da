"""Everything that one window says, as numbers with their uncertainty."""

from __future__ import annotations

from datetime import datetime

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
)
from watchkeeper_monitor.profiles import Profile
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
        Profiles on `grid`; no reference, no drift.
    group_rows
        Rows that a group needs to take part in a fairness gap over all groups.
    end
        When the window ends; without it there is no freshness.
    """
    performed = list(performance.measure(grid, window))
    before = [] if reference is None else list(performance.measure(grid, reference))
    return [
        *drift.measure(grid, window, reference),
        *quality.measure(grid, window, reference, end),
        *performed,
        *changes.measure(performed, before),
        *fairness.measure(spec, grid, window, group_rows),
        *estimated.measure(spec, grid, window),
        *operation.measure(window),
        *explanation.measure(grid, window, reference),
    ]
