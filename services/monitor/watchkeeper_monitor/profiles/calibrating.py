"""Calibration: rows, positive labels and sums of scores in 15 equal bins, overall and by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.profiles.layout import BINS, Layout
from watchkeeper_monitor.profiles.tallying import tally

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def bin_of(scores: Floats) -> Ints:
    """Return the bin of each score: `[k/15, (k+1)/15)`, the last one closed."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def add_calibration(
    into: Ints, scores: Floats, positive: Bools, lines: Ints, sign: int, at: Layout
) -> None:
    """Add labelled scores, none of them NaN, to the bins of everything and of each group.

    Parameters
    ----------
    lines
        int64 `[1 + attributes, n]`, of `Layout.lines`.
    """
    total = at.view(into, "calibration_rows")
    places = (lines * BINS + bin_of(scores)) * 2 + positive
    rows, sums = tally(scores, places, 2 * total.size)
    rows, sums = rows.reshape(-1, BINS, 2), sums.reshape(-1, BINS, 2, 2)
    total += sign * rows.sum(axis=2)
    at.view(into, "calibration_positive")[:] += sign * rows[..., 1]
    at.view(into, "calibration_scores")[:] += sign * sums.sum(axis=2)
