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
from watchkeeper_monitor.metrics.intervals import Z
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
    several
        1 where a cell holds several numbers, 0 where it holds one only.
    """

    cells: Ragged
    widths: Floats
    several: Floats


@lru_cache(maxsize=256)
def widths_of(grid: Grid) -> Widths:
    """Return the widths of a grid's cells."""
    widths, several = [], []
    for axis in grid.axes:
        edges = axis.edge_array
        inner = np.diff(edges) / axis.scale
        mixed = np.nextafter(edges[:-1], np.inf) != edges[1:]
        outer = 1 if edges.size else 0
        widths.append(np.concatenate([np.zeros(1), inner, np.zeros(outer)]))
        several.append(np.concatenate([np.ones(1), mixed, np.ones(outer)]))
    cells = Ragged.of([axis.cells for axis in grid.axes])
    return Widths(cells, np.concatenate(widths), np.concatenate(several))


@dataclass(frozen=True, eq=False)
class Side:
    """What a window or a reference says about every axis; computed once for a reference.

    Parameters
    ----------
    n
        Rows of each axis; an axis without a value counts as one row.
    each
        The same for each cell.
    below
        Rows in lower cells of the axis.
    shares, curve
        Rows in each cell, and in it and lower ones, divided by n.
    tails
        `[2, axes]`: mean distance below and above the reference's ends.
    """

    n: Floats
    each: Floats
    below: Ints
    shares: Floats
    curve: Floats
    tails: Floats

    @classmethod
    def of(cls, cells: Ragged, profile: Profile) -> Side:
        """Return one side of a comparison."""
        counts = profile.section("cells")
        sums = cells.running(counts)
        n = np.maximum(cells.sum(counts), 1).astype(np.float64)
        each = np.repeat(n, cells.lengths)
        excess = np.array([profile.section("excess_below"), profile.section("excess_above")])
        return cls(n, each, sums - counts, counts / each, sums / each, EXCESS.total(excess) / n)


@lru_cache(maxsize=256)
def side_of(grid: Grid, reference: Profile, _rows: int) -> Side:
    """Return a reference's side, computed once for all windows that are compared with it."""
    return Side.of(widths_of(grid).cells, reference)


@dataclass(frozen=True, eq=False)
class Curves:
    """A window, its reference, and the gap between what their shares add up to."""

    window: Side
    base: Side
    gap: Floats

    @classmethod
    def of(cls, grid: Grid, window: Profile, reference: Profile) -> Curves:
        """Return the curves of all axes."""
        mine = Side.of(widths_of(grid).cells, window)
        base = side_of(grid, reference, reference.rows)
        return cls(mine, base, mine.curve - base.curve)


def ks(at: Widths, curves: Curves) -> Bounded:
    """Return the greatest gap at the edges, its interval, and how much binning can hide.

    The true distance lies between the value and the value plus the bound: inside a cell that
    begins with a gap d the two functions can part by at most the window's or the reference's
    share of that cell. A cell that holds a single value hides nothing.
    """
    q, p = curves.window.shares, curves.base.shares
    before = curves.gap - (q - p)
    value = at.cells.max(np.abs(curves.gap))
    inside = np.maximum(np.abs(before + q), np.abs(before - p)) * at.several
    bound = np.maximum(at.cells.max(inside) - value, 0.0)
    noise = _KS_95 * np.sqrt(1 / curves.window.n + 1 / curves.base.n)
    low, high = np.maximum(value - noise, 0.0), np.minimum(value + bound + noise, 1.0)
    return value, low, high, bound


def wasserstein(at: Widths, curves: Curves) -> Bounded:
    """Return W1 in reference sd, its interval, and the greatest error that binning can make.

    The integral of `|G - F|` with both functions taken as straight inside a cell; beyond the
    reference's ends the sums of excess make it exact.
    """
    mine, base = curves.window, curves.base
    mixed = (mine.below + base.below) / (mine.each + base.each)
    heights = np.zeros((3, at.cells.size))
    # Nothing comes before the first cell; what comes before other outer cells has no width.
    heights[0, 1:] = _straight(curves.gap[:-1], curves.gap[1:])
    np.add(mine.shares, base.shares, out=heights[1])
    np.sqrt(np.maximum(mixed * (1 - mixed), 0.0), out=heights[2])
    heights *= at.widths
    inner, moved, width = at.cells.sum(heights)
    # A step instead of a straight line moves at most half the cell's mass across the cell.
    bound = moved / 2
    tails, tail_bound = _tails(mine, base)
    noise = Z * np.sqrt(1 / mine.n + 1 / base.n) * width
    value, bound = inner + tails, bound + tail_bound
    return value, np.maximum(value - bound - noise, 0.0), value + bound + noise, bound


def _straight(left: Floats, right: Floats) -> Floats:
    """Return the mean of `|d|` along a line from `left` to `right`."""
    total = np.abs(left) + np.abs(right)
    mean = total / 2
    crossed = np.flatnonzero(left * right < 0)
    if crossed.size:
        a, b = left[crossed], right[crossed]
        mean[crossed] = (a * a + b * b) / (2 * total[crossed])
    return mean


def _tails(window: Side, reference: Side) -> tuple[Floats, Floats]:
    """Return the tails' share of W1; exact when only one of the two reaches there."""
    mine, theirs = window.tails, reference.tails
    value = np.abs(mine - theirs).sum(axis=0)
    return value, (2 * np.minimum(mine, theirs)).sum(axis=0)
