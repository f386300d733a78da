"""Calibration error, less what a calibrated model would show by chance.

References
----------
.. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, AAAI 2015 (expected calibration error).
.. [2] P. Diaconis, S. Zabell, Statistical Science 6, 1991 (de Moivre's mean deviation).
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import special

from watchkeeper_monitor.metrics.values import Estimate
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import PROBABILITY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CALIBRATED_ROWS = 2_000


class Calibration(msgspec.Struct, frozen=True, gc=False):
    """The calibration error of some rows.

    Parameters
    ----------
    n
        Labelled rows with a score.
    raw
        `sum of |positives - sum of scores| / n` over 15 equal bins of scores.
    chance
        What `raw` would be on average if every score were the true probability.
    error
        The standard error of `raw`, the sign of each bin's gap taken as known.
    """

    n: int
    raw: float
    chance: float
    error: float

    @property
    def value(self) -> float:
        """The error that chance does not explain, at least 0."""
        return max(self.raw - self.chance, 0.0)

    @property
    def test(self) -> Estimate:
        """What a limit is tested with."""
        return Estimate(self.value, self.error)

    @property
    def note(self) -> str:
        """The parts of the value."""
        return f"{self.raw:.4f} less {self.chance:.4f} that a calibrated model would show"


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
    n = rows.sum(axis=1)
    whole = np.maximum(n, 1)
    raw = np.abs(hits - sums).sum(axis=1) / whole
    chance = mean_deviation(rows, sums).sum(axis=1) / whole
    spread = np.divide(hits * (rows - hits), rows, out=np.zeros(rows.shape), where=rows > 0)
    error = np.sqrt(spread.sum(axis=1)) / whole
    columns = (n.tolist(), raw.tolist(), chance.tolist(), error.tolist())
    return [Calibration(*each) for each in zip(*columns, strict=True)]


def mean_deviation(n: Ints, expected: Floats) -> Floats:
    """Return the mean of `|X - expected|` for binomial X of n draws with that expectation.

    De Moivre's closed form `2 v (1 - p) P(X = v)` with v the least whole number above the
    expectation [2]_; scores of one bin are taken as equal, which a fifteenth keeps them near.

    Examples
    --------
    >>> mean_deviation(np.array([1, 2]), np.array([0.25, 1.0])).round(6).tolist()
    [0.375, 0.5]
    """
    whole = np.maximum(n, 1)
    p = np.clip(expected / whole, 0.0, 1.0)
    v = np.minimum(np.floor(expected) + 1, whole)
    logs = special.gammaln(whole + 1) - special.gammaln(v + 1) - special.gammaln(whole - v + 1)
    logs = logs + special.xlogy(v, p) + special.xlogy(whole - v, 1 - p)
    return np.where((n > 0) & (p < 1), 2 * v * (1 - p) * np.exp(logs), 0.0)
