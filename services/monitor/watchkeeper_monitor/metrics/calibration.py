"""Calibration error, less what chance adds to it.

The sum over bins of `|positives - sum of scores|` is too great by what chance adds to each,
between nothing and the mean deviation of a bin whose scores are right (`chance`). That is taken
off. No estimate of a sum of absolute values is without bias, so half of what may have been
taken off too much, and too little, widens the interval, and counts against a breach.

Simulated (scores even, U-shaped, rare and narrow; an offset, over-confidence, one bad bin, half
of the bins bad, gaps of alternating sign; true errors of 0 to 0.15; 4,000 windows each): labels
shifted by 0.07, a true error of 0.0675, show 0.007 too little at 500 rows and 0.001 at 2,000,
over-confident scores (0.096) 0.005 and 0.002. A calibrated model shows 0.031, 0.012, 0.005,
0.002 at 100, 500, 2,000, 10,000 rows because a value is at least 0. The hardest are gaps of
+0.07 and -0.07 in turn: 0.019 too little at 500 rows, 0.006 at 2,000. Intervals of 95 % held the
truth in 93.5 to 99.9 % of windows of 100 to 10,000 rows; tests at a level of 1, 0.1 and 0.01 %
with the truth at the limit passed in at most 1.2, 0.2 and 0.03 % of windows of 500 rows and
more, of rare positives (one label in 40, a true error near 0) in 1.4, 0.3 and 0.15 %.

References
----------
.. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI 2015 (expected calibration error).
.. [2] J. Bröcker, Climate Dynamics 39, 2012; A. Kumar, P. Liang, T. Ma, NeurIPS 2019; R. Roelofs
       et al., AISTATS 2022 (its bias at few rows).
.. [3] A. Agresti, B. A. Coull, American Statistician 52, 1998 (four rows added).
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.chance import mean_deviation, share_of_chance
from watchkeeper_monitor.metrics.intervals import Interval, Z
from watchkeeper_monitor.metrics.values import Estimate
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import PROBABILITY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CALIBRATED_ROWS = 2_000
_ADDED = 4
"""Rows with the bin's mean score that its spread counts besides: three labels of one class are
no proof that all are."""
_LEAST_SPREAD = 0.5
"""Positives are whole: no gap is known better than to half a row. Without this one row that is
all but certain, and right, held the line of gaps at 0 in its bin: labels shifted by 0.07 beside
five such rows showed 0.019 too little at 200 rows and 0.012 at 500, with it 0.009 and 0.006."""


class Calibration(msgspec.Struct, frozen=True, gc=False):
    """The calibration error of some rows.

    Parameters
    ----------
    n
        Labelled rows with a score.
    raw
        `sum of |positives - sum of scores| / n` over 15 equal bins of scores.
    chance
        What of it chance is taken to have added.
    calibrated
        What `raw` would be on average if every score were the true probability.
    error
        The standard error of `raw`, the sign of each bin's gap taken as known.
    """

    n: int
    raw: float
    chance: float
    calibrated: float
    error: float

    @property
    def value(self) -> float:
        """The error that chance does not explain, at least 0."""
        return max(self.raw - self.chance, 0.0)

    @property
    def over(self) -> float:
        """How far the value may be too great: half of the chance that was left in it."""
        return max(self.calibrated - self.chance, 0.0) / 2

    @property
    def under(self) -> float:
        """How far the value may be too small: half of the chance that was taken off."""
        return self.chance / 2

    @property
    def interval(self) -> Interval:
        """Where the true error lies, at 95 %."""
        low = self.value - self.over - Z * self.error
        high = self.value + self.under + Z * self.error
        return max(low, 0.0), min(high, 1.0)

    @property
    def test(self) -> Estimate:
        """What a limit is tested with."""
        return Estimate(self.value, self.error, self.over)

    @property
    def note(self) -> str:
        """The parts of the value."""
        return (
            f"{self.raw:.4f} less {self.chance:.4f} for chance, "
            f"which adds {self.calibrated:.4f} to a calibrated model"
        )


def calibrations(window: Profile, first: int | None = None) -> list[Calibration]:
    """Return the calibration of everything, and then of each group of each attribute.

    Without a positive class there is none.

    Parameters
    ----------
    first
        Only so many of them.
    """
    if window.grid.positive < 0:
        return []
    rows = window.section("calibration_rows")[:first]
    hits = window.section("calibration_positive")[:first]
    sums = PROBABILITY.total(window.section("calibration_scores")[:first])
    return of_bins(rows, hits, sums)


def of_bins(rows: Ints, hits: Ints, sums: Floats) -> list[Calibration]:
    """Return the calibration of each line of bins.

    Parameters
    ----------
    rows, hits, sums
        Rows, positive labels and sums of scores, `[lines, bins]`.
    """
    n = rows.sum(axis=1)
    whole, filled = np.maximum(n, 1), np.maximum(rows, 1)
    rate = (hits + _ADDED * sums / filled) / (rows + _ADDED)
    variance = np.maximum(rows * rate * (1 - rate), 0.0)
    known = 1 / np.maximum(np.sqrt(variance), _LEAST_SPREAD)
    gaps, usual = hits - sums, mean_deviation(rows, sums)
    shares = share_of_chance(gaps * known, rows * known)
    raw, off, calibrated = (
        each.sum(axis=1) / whole for each in (np.abs(gaps), usual * shares, usual)
    )
    error = np.sqrt(variance.sum(axis=1)) / whole
    columns = [each.tolist() for each in (n, raw, off, calibrated, error)]
    return [Calibration(*each) for each in zip(*columns, strict=True)]
