"""Distances between two distribution functions known at the edges of a grid.

References
----------
.. [1] N. Smirnov, Annals of Mathematical Statistics 19, 1948.
.. [2] S. Vallender, Theory of Probability and its Applications 18, 1974 (W1 as an integral).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Axis
from watchkeeper_monitor.intervals import Z
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import EXCESS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_KS_95 = 1.3581
"""The 95 % point of the Kolmogorov distribution."""


def ks(window: Ints, reference: Ints, edges: Floats) -> tuple[float, float, float, float]:
    """Return the greatest gap at the edges, its interval, and how much binning can hide.

    The true distance lies between the value and the value plus the bound: inside a cell that
    begins with a gap d the two functions can part by at most the window's or the reference's
    share of that cell. A cell that holds a single value hides nothing.
    """
    n, m = int(window.sum()), int(reference.sum())
    q, p = window / n, reference / m
    after = np.cumsum(q) - np.cumsum(p)
    before = after - (q - p)
    value = float(np.abs(after).max())
    inside = np.maximum(np.abs(before + q), np.abs(before - p))
    inside[1:-1][np.nextafter(edges[:-1], np.inf) == edges[1:]] = 0.0
    bound = max(float(inside.max()) - value, 0.0)
    noise = _KS_95 * math.sqrt(1 / n + 1 / m)
    return value, max(0.0, value - noise), min(1.0, value + bound + noise), bound


def wasserstein(
    window: Profile, reference: Profile, row: int, axis: Axis
) -> tuple[float, float, float, float]:
    """Return W1 in reference sd, its interval, and the greatest error that binning can make.

    The integral of `|G - F|` with both functions taken as straight inside a cell; beyond the
    reference's ends the sums of excess make it exact.
    """
    counts, base = window.cells(row), reference.cells(row)
    n, m = int(counts.sum()), int(base.sum())
    q, p = counts / n, base / m
    gap = (np.cumsum(q) - np.cumsum(p))[:-1]
    widths = np.diff(axis.edge_array) / axis.scale
    inner = float(np.sum(_straight(gap[:-1], gap[1:]) * widths))
    # A step instead of a straight line moves at most half the cell's mass across the cell.
    bound = float(np.sum(widths * (q[1:-1] + p[1:-1]))) / 2
    tails, tail_bound = _tails(window, reference, row, n, m)
    mixed = (np.cumsum(counts + base) / (n + m))[:-1]
    width = float(np.sum(np.sqrt(np.clip(mixed * (1 - mixed), 0, None))[:-1] * widths))
    noise = Z * math.sqrt(1 / n + 1 / m) * width
    value, bound = inner + tails, bound + tail_bound
    return value, max(0.0, value - bound - noise), value + bound + noise, bound


def _straight(left: Floats, right: Floats) -> Floats:
    """Return the mean of `|d|` along a line from `left` to `right`."""
    same = left * right >= 0
    total = np.abs(left) + np.abs(right)
    crossed = np.divide(left**2 + right**2, 2 * total, out=np.zeros_like(total), where=total > 0)
    return np.where(same, total / 2, crossed)


def _tails(window: Profile, reference: Profile, row: int, n: int, m: int) -> tuple[float, float]:
    """Return the tails' share of W1; exact when only one of the two reaches there."""
    value = bound = 0.0
    for name in ("excess_below", "excess_above"):
        mine = float(EXCESS.total(window.section(name)[row])) / n
        theirs = float(EXCESS.total(reference.section(name)[row])) / m
        value += abs(mine - theirs)
        bound += 2 * min(mine, theirs)
    return value, bound
