"""What calibrated scores say of labels that have not come: expected positives, summed exactly.

Of every row the grid's calibrator gives the probability that its label is positive. Their sums
by predicted class are the expected confusion of the window (CBPE): nothing else is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import Columns
from watchkeeper_monitor.profiles.layout import Layout
from watchkeeper_monitor.profiles.tallying import tally

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def add_expected(into: Ints, columns: Columns, cells: Ints, grid: Grid, at: Layout) -> None:
    """Add rows with a score, and the positives expected of them, by predicted class.

    Row 0 is everything, then comes each group of each attribute.

    Parameters
    ----------
    cells
        The cell of every score.
    """
    if grid.curve is None:
        return
    expected = grid.curve.at(columns.score, cells)
    places = at.lines(columns.groups) * 2 + (columns.prediction == grid.positive)
    scored = ~np.isnan(expected)
    if not scored.all():
        places, expected = places[:, scored], expected[scored]
    total = at.view(into, "expected_rows")
    rows, positives = tally(expected, places, total.size)
    total += rows.reshape(total.shape)
    at.view(into, "expected_positives")[:] += positives.reshape(*total.shape, 2)


def add_tracked(
    into: Ints, expected: Floats, actual: Bools, called: Bools, sign: int, at: Layout
) -> None:
    """Add (1) or take back (-1) labels beside what was expected of the same rows.

    Parameters
    ----------
    expected
        The probability of each row with a label and a score.
    actual, called
        Whether its label, and its prediction, is the positive class.
    """
    rows, positives = tally(expected, (actual * 2 + called)[None], 4)
    at.view(into, "tracked_rows")[:] += sign * rows.reshape(2, 2)
    at.view(into, "tracked_positives")[:] += sign * positives.reshape(2, 2, 2).sum(axis=0)
