"""Rows that an earlier version counted as less than they were: it held everything to 1,024 units.

What it stored says which those may be, as long as no far row is beside them. So they are marked
when they are read, and the mark is merged and stored like any other count (ADR 17).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.octaves import ERRORS
from watchkeeper_monitor.profiles.exact import ERROR
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FIRST = int(ERRORS.places(np.array([ERROR.limit]))[0])


def mark_held(into: Ints, extremes: Floats, grid: Grid, at: Layout) -> None:
    """Mark what was held in the vector of a profile that an earlier version stored."""
    cells, farthest = at.view(into, "error_cells"), farthest_prediction(extremes, grid)
    greatest = ERRORS.middle(int(np.flatnonzero(cells).max(initial=0)) + 1)
    labelled = int(at.view(into, "labelled")[0])
    # A label is one error away from its prediction.
    labels = labelled if farthest + greatest > ERROR.limit else 0
    at.view(into, "held_labelled")[:] = int(cells[_FIRST:].sum()), labels
    if farthest > ERROR.limit and at.view(into, "group_answers").any():
        at.view(into, "held_answers")[0] = int(at.view(into, "rows")[0])


def farthest_prediction(extremes: Floats, grid: Grid) -> float:
    """Return how far a prediction lies from the reference's mean, at most, in reference sd."""
    axis = grid.axes[-1]
    low, high = extremes[:, len(grid.axes) - 1]
    with np.errstate(over="ignore"):
        return float(max(axis.mean - low, high - axis.mean) / axis.scale)
