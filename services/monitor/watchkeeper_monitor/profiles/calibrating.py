"""Calibration: rows, positive labels and sums of scores in 15 equal bins, overall and by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.profiles.exact import PROBABILITY
from watchkeeper_monitor.profiles.layout import BINS, Layout

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def bin_of(scores: Floats) -> Ints:
    """Return the bin of each score: `[k/15, (k+1)/15)`, the last one closed."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def add_calibration(
    into: Ints, scores: Floats, positive: Bools, groups: Ints, sign: int, at: Layout
) -> None:
    """Add labelled scores, none of them NaN, to the bins of everything and of each group.

    Parameters
    ----------
    groups
        int64 `[attributes, n]`: places among the groups of all attributes.
    """
    lines = np.concatenate([np.zeros((1, scores.size), dtype=np.int64), groups + 1])
    size = at.sections["calibration_rows"][1][0] * BINS
    places = lines * BINS + bin_of(scores)
    rows = np.bincount(places.ravel(), minlength=size)
    hits = np.bincount(places[:, positive].ravel(), minlength=size)
    sums = PROBABILITY.sums_by(scores, places, size)
    at.view(into, "calibration_rows")[:] += sign * rows.reshape(-1, BINS)
    at.view(into, "calibration_positive")[:] += sign * hits.reshape(-1, BINS)
    at.view(into, "calibration_scores")[:] += sign * sums.reshape(-1, BINS, 2)
