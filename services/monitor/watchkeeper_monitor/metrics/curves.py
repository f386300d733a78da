"""Distances between two distribution functions known at the edges of a grid.

References
----------
.. [1] N. Smirnov, Annals of Mathematical Statistics 19, 1948.
.. [2] S. Vallender, Theory of Probability and its Applications 18, 1974 (W1 as an integral).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.intervals import Z
from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import EXCESS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bounded = tuple[Floats, Floats, Floats, Floats]
"""Values, the ends of their intervals, and how much binning can hide; one for each axis."""

_KS_95 = 1.3581
"""The 95 % point of the Kolmogorov distribution."""


@dataclass(frozen=True, eq=False)
class Widths:
    """The cells of all axes side by side.

    Parameters
    ----------
    cells
        Where each axis stands.
    widths
        Of each cell in reference sd; 0 for the two beyond the outer edges.
    single
        Cells that hold one number only.
    """

    cells: Ragged
    widths: Floats
    single: npt.NDArray[np.bool_]


@lru_cache(maxsize=256)
def widths_of(grid: Grid) -> Widths:
    """Return the widths of a grid's cells."""
    widths, single = [], []
    for axis in grid.axes:
        edges = axis.edge_array
        inner = np.diff(edges) / axis.scale
        alone = np.nextafter(edges[:-1], np.inf) == edges[1:]
        outer = 1 if edges.size else 0
        widths.append(np.concatenate([np.zeros(1), inner, np.zeros(outer)]))
        single.append(np.concatenate([[False], alone, np.zeros(outer, dtype=bool)]))
    cells = Ragged.of([axis.cells for axis in grid.axes])
    return Widths(cells, np.concatenate(widths), np.concatenate(single))


@dataclass(frozen=True, eq=False)
class Curves:
    """Counts of window and reference, their shares and the gap between what they add up to."""

    counts: Ints
    base: Ints
    n: Floats
    m: Floats
    q: Floats
    p: Floats
    gap: Floats

    @classmethod
    def of(cls, cells: Ragged, counts: Ints, base: Ints) -> Curves:
        """Return the curves of all axes; an axis without a value counts as one row."""
        n, m = (np.maximum(cells.sum(one), 1).astype(np.float64) for one in (counts, base))
        each_n, each_m = n[cells.owner], m[cells.owner]
        gap = cells.running(counts) / each_n - cells.running(base) / each_m
        return cls(counts, base, n, m, counts / each_n, base / each_m, gap)


def ks(at: Widths, curves: Curves) -> Bounded:
    """Return the greatest gap at the edges, its interval, and how much binning can hide.

    The true distance lies between the value and the value plus the bound: inside a cell that
    begins with a gap d the two functions can part by at most the window's or the reference's
    share of that cell. A cell that holds a single value hides nothing.
    """
    before = curves.gap - (curves.q - curves.p)
    value = at.cells.max(np.abs(curves.gap))
    inside = np.maximum(np.abs(before + curves.q), np.abs(before - curves.p))
    inside[at.single] = 0.0
    bound = np.maximum(at.cells.max(inside) - value, 0.0)
    noise = _KS_95 * np.sqrt(1 / curves.n + 1 / curves.m)
    low, high = np.maximum(value - noise, 0.0), np.minimum(value + bound + noise, 1.0)
    return value, low, high, bound


def wasserstein(at: Widths, curves: Curves, window: Profile, reference: Profile) -> Bounded:
    """Return W1 in reference sd, its interval, and the greatest error that binning can make.

    The integral of `|G - F|` with both functions taken as straight inside a cell; beyond the
    reference's ends the sums of excess make it exact.
    """
    before = np.roll(curves.gap, 1)  # what rolls in stands before an outer cell, of width 0
    inner = at.cells.sum(_straight(before, curves.gap) * at.widths)
    # A step instead of a straight line moves at most half the cell's mass across the cell.
    bound = at.cells.sum(at.widths * (curves.q + curves.p)) / 2
    tails, tail_bound = _tails(window, reference, curves.n, curves.m)
    both = curves.counts + curves.base
    mixed = (at.cells.running(both) - both) / (curves.n + curves.m)[at.cells.owner]
    width = at.cells.sum(np.sqrt(np.maximum(mixed * (1 - mixed), 0.0)) * at.widths)
    noise = Z * np.sqrt(1 / curves.n + 1 / curves.m) * width
    value, bound = inner + tails, bound + tail_bound
    return value, np.maximum(value - bound - noise, 0.0), value + bound + noise, bound


def _straight(left: Floats, right: Floats) -> Floats:
    """Return the mean of `|d|` along a line from `left` to `right`."""
    total = np.abs(left) + np.abs(right)
    squares = left * left + right * right
    crossed = np.divide(squares, 2 * total, out=np.zeros_like(total), where=total > 0)
    return np.where(left * right >= 0, total / 2, crossed)


def _tails(window: Profile, reference: Profile, n: Floats, m: Floats) -> tuple[Floats, Floats]:
    """Return the tails' share of W1; exact when only one of the two reaches there."""
    value, bound = np.zeros_like(n), np.zeros_like(n)
    for name in ("excess_below", "excess_above"):
        mine = EXCESS.total(window.section(name)) / n
        theirs = EXCESS.total(reference.section(name)) / m
        value += np.abs(mine - theirs)
        bound += 2 * np.minimum(mine, theirs)
    return value, bound
