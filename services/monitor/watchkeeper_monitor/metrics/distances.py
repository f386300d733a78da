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
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from watchkeeper_monitor.metrics.intervals import Z
from watchkeeper_monitor.metrics.ragged import Ragged

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Spread = tuple[float, float, float]
"""The value and its interval."""
Spreads = tuple[Floats, Floats, Floats]
"""Values and the ends of their intervals, one for each distribution."""
Terms = tuple[Floats, Floats, Floats, Floats, Floats]
"""Of every cell: what is added up, its slopes by q and by p, and the q and p to take them at."""

FLOOR = 1e-4


@dataclass(frozen=True, eq=False)
class Pairs:
    """The distributions of a window and of its reference, on the same cells.

    Parameters
    ----------
    cells
        Where each distribution stands.
    counts
        `[2, cells]`, of window and reference.
    totals
        `[2, distributions]`: their sums.
    rows
        The same, at least 1 so that an empty one divides.
    shares
        `[2, cells]`: counts divided by rows.
    """

    cells: Ragged
    counts: Floats
    totals: Floats
    rows: Floats
    shares: Floats

    @classmethod
    def of(cls, cells: Ragged, window: Ints, reference: Ints) -> Pairs:
        """Return the shares of counts."""
        counts = np.array((window, reference), dtype=np.float64)
        totals = cells.sum(counts)
        rows = np.maximum(totals, 1.0)
        return cls(cells, counts, totals, rows, counts / rows.take(cells.owner, axis=1))


def psis(pairs: Pairs) -> Terms:
    """Return the terms of population stability indices.

    `sum (q - p) ln(q / p)`, shares floored at 1e-4. With nothing changed it is on average
    `(1/n + 1/m)(cells - 1)` [1]_, so near zero the interval is too optimistic; the decision
    therefore rests on chi-square.
    """
    q, p = np.maximum(pairs.shares, FLOOR)
    ratio = q / p
    logs = np.log(ratio)
    return (q - p) * logs, logs + 1 - 1 / ratio, logs - 1 + ratio, q, p


def js_distances(pairs: Pairs) -> Terms:
    """Return the terms of Jensen-Shannon divergences in nats [2]_, whose root is the distance."""
    q, p = pairs.shares
    middle = (p + q) / 2
    middle[middle == 0] = 1.0
    slope_q, slope_p = 0.5 * np.log(np.where(pairs.shares > 0, pairs.shares, middle) / middle)
    return slope_q * q + slope_p * p, slope_q, slope_p, q, p


def hellingers(pairs: Pairs) -> Terms:
    """Return the terms of squared Hellinger distances, halved: (sqrt q - sqrt p)^2."""
    roots = np.sqrt(pairs.shares)
    ratios = roots[::-1] / np.where(roots > 0, roots, np.inf)
    return (roots[0] - roots[1]) ** 2, *(-0.5 * ratios), *pairs.shares


def tvds(pairs: Pairs) -> Terms:
    """Return the terms of total variation distances, halved: |q - p| [3]_."""
    q, p = pairs.shares
    gap = q - p
    slope = np.sign(gap) / 2
    return np.abs(gap), slope, -slope, q, p


def spreads(pairs: Pairs, metrics: Sequence[str]) -> dict[str, Spreads]:
    """Return distances by name: `psi`, `js_distance`, `hellinger` and `tvd`, all in one go."""
    if not metrics:
        return {}
    terms = [part for metric in metrics for part in _TERMS[metric](pairs)]
    each = np.concatenate(terms).reshape(len(metrics), 5, -1)
    value, slope_q, slope_p, q, p = each.swapaxes(0, 1)
    added = np.empty_like(each)
    added[:, 0] = value
    added[:, 1], added[:, 2] = slope_q * q, slope_q * slope_q * q
    added[:, 3], added[:, 4] = slope_p * p, slope_p * slope_p * p
    value, mean_q, square_q, mean_p, square_p = pairs.cells.sum(added).swapaxes(0, 1)
    of_q = np.maximum(square_q - mean_q * mean_q, 0.0) / pairs.rows[0]
    of_p = np.maximum(square_p - mean_p * mean_p, 0.0) / pairs.rows[1]
    half = Z * np.sqrt(of_q + of_p)
    return {metric: _ENDS[metric](value[at], half[at]) for at, metric in enumerate(metrics)}


def _psi(value: Floats, half: Floats) -> Spreads:
    return value, np.maximum(value - half, 0.0), value + half


def _js_distance(divergence: Floats, half: Floats) -> Spreads:
    return _rooted(np.maximum(divergence, 0.0), half, math.log(2))


def _hellinger(double: Floats, half: Floats) -> Spreads:
    return _rooted(np.maximum(double / 2, 0.0), half, 1.0)


def _tvd(double: Floats, half: Floats) -> Spreads:
    value = double / 2
    return value, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0)


def _rooted(square: Floats, half: Floats, most: float) -> Spreads:
    low, high = np.maximum(square - half, 0.0), np.minimum(square + half, most)
    return np.sqrt(square), np.sqrt(low), np.sqrt(np.maximum(high, square))


_TERMS = {"psi": psis, "js_distance": js_distances, "hellinger": hellingers, "tvd": tvds}
_ENDS = {"psi": _psi, "js_distance": _js_distance, "hellinger": _hellinger, "tvd": _tvd}


def _single(metric: str, window: Ints, reference: Ints) -> Spread:
    pairs = Pairs.of(Ragged.of([window.size]), window, reference)
    value, low, high = spreads(pairs, [metric])[metric]
    return float(value[0]), float(low[0]), float(high[0])


def psi(window: Ints, reference: Ints) -> Spread:
    """Return the population stability index of one pair of counts, and its interval."""
    return _single("psi", window, reference)


def js_distance(window: Ints, reference: Ints) -> Spread:
    """Return the Jensen-Shannon distance of one pair of counts, and its interval."""
    return _single("js_distance", window, reference)


def js_of_shares(q: Floats, p: Floats) -> float:
    """Return the Jensen-Shannon distance of two sets of shares."""
    middle = (q + p) / 2
    total = np.sum(special.rel_entr(q, middle) + special.rel_entr(p, middle)) / 2
    return math.sqrt(max(float(total), 0.0))


def psi_of_shares(q: Floats, p: Floats) -> float:
    """Return the population stability index of two sets of shares."""
    q, p = np.maximum(q, FLOOR), np.maximum(p, FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))
