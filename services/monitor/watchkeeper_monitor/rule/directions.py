"""How far chi-square reaches in control: along one direction further than across the others.

Rows in clusters spread windows in all directions alike, and one factor is enough. A level that
goes up and down from window to window spreads them along one direction only, and the tail of
chi-square is then far heavier than that of any multiple of a chi-square: divided by its mean
alone it would pass a level of 1 in 40,000 up to three thousand times as often. In control, with
d degrees of freedom, chi-square is a weighted sum of d squares [1]_; the largest weight, `along`,
and one for all others, `across`, are found from the mean m and the variance v of what windows
in control taught, as the effective degrees of freedom are [2]_:

    along + (d - 1) across = m        2 (along^2 + (d - 1) across^2) = v

so `(d - 1) (along - across)^2 = d v / 2 - m^2`. Since `along` was learnt from few windows, its
square is that of Student's t with as many degrees, less one. On the safe side are v, by one
standard error of log(2 m^2 / v), which is sqrt((2 + 4 / k) / windows) with k = 2 m^2 / v; and
`along`, by the standard error that the other directions leave in m. No weight is below 1, that
of independent rows.

Where cells have an order, the mean ridits of the windows tell how they vary up and down
*between each other*, without what the reference's error adds: F times as much as independent
rows. Of chi-square's variation the window has the part 1 - s, the reference s (below), so
`along` is at least F (1 - s) + s.

What the reference's own error explains is no dispersion, for it is in the test already. All
windows have its part `s = n / (n + m)` in common: given it, a window varies by
4 (1 - s) m - 2 (1 - s)^2 d, and m lies within two standard deviations, 2 s sqrt(2 d), of d.

References
----------
.. [1] J. N. K. Rao, A. J. Scott, Annals of Statistics 12, 1984, 46-60 (weights; both moments).
.. [2] F. E. Satterthwaite, Biometrics Bulletin 2, 1946, 110-114.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from watchkeeper_monitor.rule.outliers import held

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_HALF = (_NODES + 1) / 2
"""Nodes on 0 to 1, where a Gauss-Legendre sum of `_WEIGHTS / 2` stands for an integral."""

_ROUNDS = 8
"""What is an outlier depends on the moments, and they on it; more rounds change nothing."""


@dataclass(frozen=True, slots=True)
class Directions:
    """The weights of chi-square's squares in control.

    Parameters
    ----------
    along, across
        The largest, and that of each other; at least 1.
    windows
        From how many they were learnt; infinite where they are given.
    """

    along: float = 1.0
    across: float = 1.0
    windows: float = math.inf

    def mean(self, dof: float) -> float:
        """Return the mean weight: the factor by which chi-square is larger than it should be."""
        return (self.along + (dof - 1) * self.across) / dof

    def at_least(self, weight: float) -> Directions:
        """Return these weights, none below `weight`, taken for given."""
        return Directions(max(self.along, weight), max(self.across, weight))

    def along_at_least(self, weight: float, windows: float) -> Directions:
        """Return these weights, the largest at least what so many windows taught."""
        return self if self.along >= weight else Directions(weight, self.across, windows)

    def beyond(self, statistic: float, dof: int) -> float:
        """Return the probability of a chi-square at least so large in control.

        Examples
        --------
        >>> round(Directions().beyond(16.92, 9), 3), round(Directions(3, 3).beyond(50.76, 9), 3)
        (0.05, 0.05)
        """
        if dof < 1:
            return 1.0
        if math.isinf(self.windows) and self.along == self.across:
            return float(special.chdtrc(dof, statistic / self.across))
        return self._weighted(max(statistic, 0.0), dof)

    def _weighted(self, statistic: float, dof: int) -> float:
        """Return how probable `along t^2 + across chi2(dof - 1)` is beyond `statistic`."""
        end = math.sqrt(statistic / self.along)
        alone = 2 * _tail(end, self.windows)
        if dof == 1 or end == 0:
            return float(min(alone, 1.0))
        at = end * _HALF
        rest = special.chdtrc(dof - 1, (statistic - self.along * at * at) / self.across)
        return float(min(alone + end * (_WEIGHTS * _density(at, self.windows) * rest).sum(), 1.0))


EVEN = Directions()
"""What independent rows do."""


def directions(statistics: Floats, dof: float, shared: float) -> Directions:
    """Return what chi-squares of windows in control teach.

    Parameters
    ----------
    statistics
        At least two.
    dof
        The degrees of freedom of each.
    shared
        Which part of the variation all windows have in common, 0 to 1.
    """
    count = statistics.size
    mean, variance = _moments(statistics, dof)
    error = math.sqrt((2 + 4 / _effective(mean, variance, dof)) / count)
    if _by_reference(mean, variance / (1 + error), dof, shared, count):
        return EVEN
    apart = math.sqrt(max(dof * variance * (1 + error) / 2 - mean**2, 0.0) / max(dof - 1, 1.0))
    mean = max(mean, dof)
    across = max((mean - apart) / dof, 1.0)
    rest = across * math.sqrt(2 * (dof - 1) / count)
    return Directions(mean - (dof - 1) * across + rest, across, count)


def _moments(statistics: Floats, dof: float) -> tuple[float, float]:
    """Return mean and variance, outliers held to the tail of what the rest implies."""
    mean = variance = 0.0
    effective = dof
    for _ in range(_ROUNDS):
        within = held(statistics, effective)
        mean, variance = float(within.mean()), float(within.var(ddof=1))
        before, effective = effective, _effective(mean, variance, dof)
        if effective == before:
            break
    return mean, variance


def _effective(mean: float, variance: float, dof: float) -> float:
    """Return the degrees of freedom of a scaled chi-square with these moments."""
    return min(max(2 * mean**2 / variance, 1.0), dof) if variance > 0 else dof


def _by_reference(mean: float, variance: float, dof: float, shared: float, count: int) -> bool:
    """Return whether the reference's own error explains how windows vary."""
    own = 1 - shared
    likely = mean * (1 + math.sqrt(2 / (dof * count))) <= dof + 2 * shared * math.sqrt(2 * dof)
    return likely and variance <= 4 * own * mean - 2 * own**2 * dof


def _tail(t: float, windows: float) -> float:
    return float(special.ndtr(-t) if math.isinf(windows) else special.stdtr(windows - 1, -t))


def _density(t: Floats, windows: float) -> Floats:
    """Return Student's density with `windows - 1` degrees of freedom, or the normal one."""
    if math.isinf(windows):
        return np.asarray(np.exp(-t * t / 2) / math.sqrt(2 * math.pi))
    degrees = windows - 1
    top = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2)
    top -= 0.5 * math.log(degrees * math.pi)
    return np.asarray(np.exp(top - (degrees + 1) / 2 * np.log1p(t * t / degrees)))
