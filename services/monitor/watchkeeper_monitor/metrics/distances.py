"""Distances between two sets of counts on the same cells, with their uncertainty.

`window` and `reference` are int64 counts over the same cells. q and p are their shares, n and
m their totals. Intervals are by the delta method for multinomial shares.

References
----------
.. [1] B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index",
       Journal of Risk Model Validation 14(4), 2020.
.. [2] J. Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. IT 37(1), 1991.
.. [3] D. A. Levin, Y. Peres, "Markov Chains and Mixing Times", 2017, section 4.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from watchkeeper_monitor.intervals import Z
from watchkeeper_monitor.metrics.ragged import Ragged

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Spread = tuple[float, float, float]
"""The value and its interval."""
Spreads = tuple[Floats, Floats, Floats]
"""Values and the ends of their intervals, one for each distribution."""

FLOOR = 1e-4


@dataclass(frozen=True, eq=False)
class Pairs:
    """The distributions of a window and of its reference, on the same cells.

    Parameters
    ----------
    cells
        Where each distribution stands.
    n, m
        Totals of window and reference, at least 1 so that an empty one divides.
    q, p
        Shares of window and reference.
    """

    cells: Ragged
    n: Floats
    m: Floats
    q: Floats
    p: Floats

    @classmethod
    def of(cls, cells: Ragged, window: Ints, reference: Ints) -> Pairs:
        """Return the shares of counts."""
        n, m = (np.maximum(cells.sum(one), 1).astype(np.float64) for one in (window, reference))
        return cls(cells, n, m, window / n[cells.owner], reference / m[cells.owner])

    def error(self, slope_q: Floats, slope_p: Floats, q: Floats, p: Floats) -> Floats:
        """Return the standard error of a smooth function with these slopes at q and p."""
        terms = np.stack([slope_q * q, slope_q * slope_q * q, slope_p * p, slope_p * slope_p * p])
        mean_q, square_q, mean_p, square_p = self.cells.sum(terms)
        of_q = np.maximum(square_q - mean_q * mean_q, 0.0) / self.n
        of_p = np.maximum(square_p - mean_p * mean_p, 0.0) / self.m
        return np.asarray(np.sqrt(of_q + of_p))


def psis(pairs: Pairs) -> Spreads:
    """Return population stability indices.

    `sum (q - p) ln(q / p)`, shares floored at 1e-4. With nothing changed it is on average
    `(1/n + 1/m)(cells - 1)` [1]_, so near zero the interval is too optimistic; the decision
    therefore rests on chi-square.
    """
    q, p = np.maximum(pairs.q, FLOOR), np.maximum(pairs.p, FLOOR)
    ratio = q / p
    logs = np.log(ratio)
    value = pairs.cells.sum((q - p) * logs)
    half = Z * pairs.error(logs + 1 - 1 / ratio, logs - 1 + ratio, q, p)
    return value, np.maximum(value - half, 0.0), value + half


def js_distances(pairs: Pairs) -> Spreads:
    """Return square roots of Jensen-Shannon divergences in nats [2]_."""
    q, p = pairs.q, pairs.p
    middle = (p + q) / 2
    middle[middle == 0] = 1.0
    slopes = [0.5 * np.log(np.where(x > 0, x, middle) / middle) for x in (q, p)]
    divergence = np.maximum(pairs.cells.sum(slopes[0] * q + slopes[1] * p), 0.0)
    half = Z * pairs.error(slopes[0], slopes[1], q, p)
    return _rooted(divergence, half, math.log(2))


def hellingers(pairs: Pairs) -> Spreads:
    """Return Hellinger distances: square roots of half the sum of (sqrt q - sqrt p)^2."""
    root_q, root_p = np.sqrt(pairs.q), np.sqrt(pairs.p)
    square = np.maximum(pairs.cells.sum((root_q - root_p) ** 2) / 2, 0.0)
    slope_q = -0.5 * np.divide(root_p, root_q, out=np.zeros_like(root_q), where=root_q > 0)
    slope_p = -0.5 * np.divide(root_q, root_p, out=np.zeros_like(root_p), where=root_p > 0)
    return _rooted(square, Z * pairs.error(slope_q, slope_p, pairs.q, pairs.p), 1.0)


def tvds(pairs: Pairs) -> Spreads:
    """Return total variation distances: half the sum of |q - p| [3]_."""
    gap = pairs.q - pairs.p
    value = pairs.cells.sum(np.abs(gap)) / 2
    slope = np.sign(gap) / 2
    half = Z * pairs.error(slope, -slope, pairs.q, pairs.p)
    return value, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0)


def _rooted(square: Floats, half: Floats, most: float) -> Spreads:
    low, high = np.maximum(square - half, 0.0), np.minimum(square + half, most)
    return np.sqrt(square), np.sqrt(low), np.sqrt(np.maximum(high, square))


def psi(window: Ints, reference: Ints) -> Spread:
    """Return the population stability index of one pair of counts, and its interval."""
    value, low, high = psis(Pairs.of(Ragged.of([window.size]), window, reference))
    return float(value[0]), float(low[0]), float(high[0])


def js_distance(window: Ints, reference: Ints) -> Spread:
    """Return the Jensen-Shannon distance of one pair of counts, and its interval."""
    value, low, high = js_distances(Pairs.of(Ragged.of([window.size]), window, reference))
    return float(value[0]), float(low[0]), float(high[0])


def js_of_shares(q: Floats, p: Floats) -> float:
    """Return the Jensen-Shannon distance of two sets of shares."""
    middle = (q + p) / 2
    total = np.sum(special.rel_entr(q, middle) + special.rel_entr(p, middle)) / 2
    return math.sqrt(max(float(total), 0.0))


def psi_of_shares(q: Floats, p: Floats) -> float:
    """Return the population stability index of two sets of shares."""
    q, p = np.maximum(q, FLOOR), np.maximum(p, FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))
