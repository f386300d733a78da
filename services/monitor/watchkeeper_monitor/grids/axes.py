"""The cells of one numeric column, fixed by the reference.

Cell 0 holds what lies below the reference minimum and the last cell what lies above its
maximum. Between them: about 256 reference quantiles, a cell of its own for every value that
repeats (an atom), and no cell wider than 0.05 reference standard deviations plus 10 % of its
distance from the median. Quantiles alone fail on heavy tails, equal widths alone on anything
else. All cells are closed on the left: `[edge, next edge)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

QUANTILES = 256
BINS = 10
WIDTH_SD = 0.05
WIDTH_GROWTH = 0.10
MOST_DISTINCT = 256
"""A column with at most so many distinct values has each in a cell of its own."""


class Axis(msgspec.Struct, frozen=True, dict=True):
    """One numeric column and its cells.

    Parameters
    ----------
    name
        The column as measurements name it: a feature, `score` or `prediction`.
    field
        The column's name in a batch, such as `features.AGEP`.
    edges
        Ascending; cell k is `[edges[k-1], edges[k])`. Empty when nothing is known.
    cuts
        The cells at which a new reference-decile bin begins, ascending; the bins are merges
        of cells, so PSI needs no counts of its own.
    mean, sd
        Of the reference, `sd` with divisor n. Zero when there was no value.
    low, high
        The least and the greatest reference value; None when there was no value.
    """

    name: str
    field: str
    edges: tuple[float, ...] = ()
    cuts: tuple[int, ...] = ()
    mean: float = 0.0
    sd: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.edges) + 1

    @property
    def scale(self) -> float:
        """The unit of sums: a reference standard deviation, or 1 for a constant column."""
        return self.sd or 1.0

    @cached_property
    def edge_array(self) -> Floats:
        """The edges, as numbers to search in."""
        return np.array(self.edges, dtype=np.float64)

    @cached_property
    def bin_starts(self) -> Ints:
        """The first cell of every decile bin, beginning with cell 0."""
        return np.array((0, *self.cuts), dtype=np.int64)

    @classmethod
    def build(
        cls, name: str, field: str, values: Floats, extra_edges: Floats | None = None
    ) -> Axis:
        """Fix the cells from reference values.

        Parameters
        ----------
        values
            Reference values; NaN and infinities are left out.
        extra_edges
            Edges that must exist whatever the reference holds.

        Examples
        --------
        >>> axis = Axis.build("age", "features.age", np.array([1.0, 2.0, 2.0, 3.0]))
        >>> axis.low, axis.high, len(axis.cuts) + 1
        (1.0, 3.0, 3)
        """
        extra = np.empty(0) if extra_edges is None else extra_edges
        x = np.sort(values[np.isfinite(values)]) + 0.0  # -0.0 becomes 0.0
        if not x.size:
            return cls(name, field, edges=tuple(extra.tolist()))
        mean, sd = _moments(x)
        distinct, counts = np.unique(x, return_counts=True)
        with np.errstate(over="ignore", invalid="ignore"):  # numbers near the end of float64
            bounds = _bin_bounds(x, distinct, counts)
            bounds = bounds[np.isfinite(bounds)]
            edges = np.concatenate([_edges(x, distinct, counts, sd), bounds, extra])
        edges = np.unique(edges[np.isfinite(edges)])
        cuts = np.searchsorted(edges, bounds, side="left") + 1
        return cls(name, field, tuple(edges.tolist()), tuple(cuts.tolist()), mean, sd, *_ends(x))


class Ends(NamedTuple):
    """The outer edges of several axes and their units, each `[axes, 1]`; NaN where no edge is."""

    first: Floats
    last: Floats
    scale: Floats

    @classmethod
    def of(cls, axes: Sequence[Axis]) -> Ends:
        """Return those of some axes."""
        outer = [(axis.edges or (math.nan,)) for axis in axes]
        columns = [one[0] for one in outer], [one[-1] for one in outer], [a.scale for a in axes]
        return cls(*(np.array(column, dtype=np.float64)[:, None] for column in columns))


def _ends(x: Floats) -> tuple[float, float]:
    return float(x[0]), float(x[-1])


def _moments(x: Floats) -> tuple[float, float]:
    """Mean and standard deviation, correctly rounded sums, safe from overflow."""
    unit = float(np.abs(x).max()) or 1.0
    scaled = x / unit
    mean = math.fsum(scaled) / x.size
    sd = math.sqrt(math.fsum((scaled - mean) ** 2) / x.size)
    if x[0] == x[-1]:
        return float(x[0]), 0.0
    with np.errstate(over="ignore"):
        return float(mean * unit), float(min(sd * unit, np.finfo(np.float64).max))


def _edges(x: Floats, distinct: Floats, counts: Ints, sd: float) -> Floats:
    """Edges between the reference's ends: quantiles, atoms, and a ladder of widths."""
    atoms = distinct
    if distinct.size > MOST_DISTINCT:
        atoms = distinct[counts >= max(2, x.size / (2 * QUANTILES))]
    own = np.concatenate([atoms, x[:1], x[-1:]])
    parts = [own, np.nextafter(own, np.inf)]
    if distinct.size > MOST_DISTINCT:
        parts += [np.quantile(x, np.arange(1, QUANTILES) / QUANTILES), _ladder(x, sd)]
    return np.concatenate(parts)


def _ladder(x: Floats, sd: float) -> Floats:
    """Edges that keep every cell at most 0.05 sd + 10 % of its distance from the median wide."""
    median = float(np.median(x))
    reach = max(median - float(x[0]), float(x[-1]) - median)
    if not sd > 0 or not math.isfinite(reach):
        return np.empty(0)
    start = WIDTH_SD * sd
    steps = math.ceil(math.log1p(WIDTH_GROWTH * reach / start) / math.log1p(WIDTH_GROWTH))
    # d(k+1) = d(k) + start + growth * d(k), in closed form.
    away = start / WIDTH_GROWTH * np.expm1(np.arange(steps + 1) * math.log1p(WIDTH_GROWTH))
    ladder = np.concatenate([median - away, median + away])
    return np.asarray(ladder[(ladder > x[0]) & (ladder < x[-1])])


def _bin_bounds(x: Floats, distinct: Floats, counts: Ints) -> Floats:
    """Where the decile bins begin.

    Bins are `[bound, next bound)`, open to both ends. A value that carries a tenth of the rows
    or more has a bin of its own, and so has each of at most ten distinct values: quantiles
    alone would put a 0/1 column into one bin and see nothing. A constant column has three
    bins: below, at and above.
    """
    if distinct.size == 1:
        return np.array([x[0], np.nextafter(x[0], np.inf)])
    if distinct.size <= BINS:
        return distinct[1:]
    heavy = distinct[counts * BINS >= x.size]
    deciles = np.quantile(x, np.arange(1, BINS) / BINS)
    bounds = np.unique(np.concatenate([deciles, heavy, np.nextafter(heavy, np.inf)]))
    below = np.searchsorted(x, bounds, side="left")
    # A bound that leaves no reference row in the bin before it, or after it, splits nothing.
    fills = np.diff(np.concatenate([[0], below])) > 0
    return np.asarray(bounds[fills & (below < x.size)])


def as_floats(values: Any) -> Floats:
    """Return an Arrow array of numbers as float64, null as NaN."""
    if not pa.types.is_float64(values.type):
        values = values.cast(pa.float64(), safe=False)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
