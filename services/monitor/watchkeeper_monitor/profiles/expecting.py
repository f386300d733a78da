"""What calibrated scores say of labels that have not come: expected positives, summed exactly.

Of every row the grid's calibrator gives the probability that its label is positive. Their sums
by predicted class are the expected confusion of the window (CBPE): nothing else is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.columns import Columns
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.profiles.exact import LIMB, PROBABILITY
from watchkeeper_monitor.profiles.labelling import Labelled
from watchkeeper_monitor.profiles.layout import Layout

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 12
"""So many probabilities, in whole units of 2**-40, sum without rounding in a float64."""


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
    everything = np.zeros((1, columns.n), dtype=np.int64)
    groups = columns.groups + at.group_starts[:-1, None] + 1
    lines = np.concatenate([everything, groups])
    places = lines * 2 + (columns.prediction == grid.positive)
    for start in range(0, columns.n, _BLOCK):
        part = slice(start, start + _BLOCK)
        rows, positives = _sums(places[:, part], expected[part], at)
        at.view(into, "expected_rows")[:] += rows
        at.view(into, "expected_positives")[:] += positives


def _sums(places: Ints, expected: Floats, at: Layout) -> tuple[Ints, Ints]:
    """Return rows and limbs of expected positives at each place; NaN is no score."""
    scored = ~np.isnan(expected)
    if not scored.all():
        places, expected = places[:, scored], expected[scored]
    units = np.rint(expected * 2.0**PROBABILITY.bits)
    shape = at.sections["expected_rows"][1]
    flat = places.ravel()
    rows = np.bincount(flat, minlength=shape[0] * 2).reshape(shape)
    weights = np.broadcast_to(units, places.shape).ravel()
    totals = np.bincount(flat, weights, minlength=shape[0] * 2).astype(np.int64).reshape(shape)
    return rows, np.stack([totals >> LIMB, totals & ((1 << LIMB) - 1)], axis=-1)


def add_tracked(into: Ints, labelled: Labelled, sign: int, grid: Grid, at: Layout) -> None:
    """Add (1) or take back (-1) labels beside what was expected of the same rows."""
    if grid.curve is None:
        return
    scored = ~np.isnan(labelled.score)
    called = (labelled.prediction == grid.positive)[scored]
    actual = (labelled.label == grid.positive)[scored]
    scores = labelled.score[scored]
    expected = grid.curve.at(scores, grid.score_buckets.cells(scores[None])[0])
    counts = np.bincount(actual * 2 + called, minlength=4).reshape(2, 2)
    at.view(into, "tracked_rows")[:] += sign * counts
    sums = [PROBABILITY.sums(expected[called == side]) for side in (False, True)]
    at.view(into, "tracked_positives")[:] += sign * np.stack(sums)
