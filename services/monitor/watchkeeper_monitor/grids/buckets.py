"""Which cell every value of a batch lies in, all axes at once and without sorting anything.

Equal buckets are laid over the edges of an axis. The bucket of a value is one multiplication;
it says which cells lie wholly below it. From the first cell that does not, the value climbs
when it is at or past the upper edge of that cell. Most buckets hold one edge at most, so that one
climb ends it; in a bucket with more, as a heavy tail makes, the cell is searched by halving.

Finding the bucket rounds, but in one direction: a greater value never has a smaller bucket. So
edges in lower buckets are passed and edges in higher ones are not, and the cell is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids.axes import Axis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TO_AN_EDGE = 16
"""About so many buckets for every edge."""
_TAIL = 0.01
"""The edges at either end whose buckets may be crowded, so that the others are not."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """The buckets of several axes, whose cells are numbered through.

    Parameters
    ----------
    low, per_unit
        `[axes, 1]`: where the buckets of an axis begin, and how many there are to a unit.
    last, start
        `[axes, 1]`: the number of the last bucket of an axis, and its first one's place in `cell`.
    cell
        The first cell that does not lie wholly below the bucket; after those of each axis, its
        last cell.
    upper
        The upper edge of every cell; NaN, which nothing reaches, for the last one of an axis.
    """

    low: Floats
    per_unit: Floats
    last: Floats
    start: Ints
    cell: npt.NDArray[np.int32]
    upper: Floats

    @classmethod
    def of(cls, axes: Sequence[Axis]) -> Buckets:
        """Lay buckets over the edges of each axis."""
        spans = [_span(axis.edge_array) for axis in axes]
        low, per_unit, last = (np.array(column)[:, None] for column in zip(*spans, strict=True))
        first, cells = 0, []
        for axis, span in zip(axes, spans, strict=True):
            edges = np.bincount(_bucket(axis.edge_array, *span), minlength=int(span[2]) + 1)
            cells.append(first + np.concatenate([[0], np.cumsum(edges)]))
            first += axis.cells
        sizes = np.array([len(one) for one in cells])
        return cls(
            low=low,
            per_unit=per_unit,
            last=last,
            start=(np.cumsum(sizes) - sizes)[:, None],
            cell=np.concatenate(cells).astype(np.int32),
            upper=np.concatenate([np.append(axis.edge_array, np.nan) for axis in axes]),
        )

    def cells(self, values: Floats) -> Ints:
        """Return the cell of every value, `[axes, n]`; NaN is in the first cell of its axis.

        Examples
        --------
        >>> buckets = Buckets.of([Axis("a", "a", edges=(0.0, 1.0)), Axis("b", "b")])
        >>> buckets.cells(np.array([[-1.0, 0.0, 0.5, np.inf], [1.0, 2.0, 3.0, 4.0]])).tolist()
        [[0, 1, 1, 2], [3, 3, 3, 3]]
        """
        at = _bucket(values, self.low, self.per_unit, self.last)
        at += self.start
        cells = self.cell.take(at).astype(np.int64)
        cells += values >= self.upper.take(cells)
        rest = np.flatnonzero(values >= self.upper.take(cells))
        if rest.size:
            last = self.cell.take(at.take(rest) + 1).astype(np.int64)
            cells.put(rest, self._searched(values.take(rest), cells.take(rest) + 1, last))
        return cells

    def _searched(self, values: Floats, low: Ints, high: Ints) -> Ints:
        """Return the cells of values, between the least and the greatest that they can be in."""
        while (low < high).any():
            middle = (low + high) >> 1
            past = values >= self.upper.take(middle)  # never so where the cell is found
            high = np.where(past, high, middle)
            low = np.where(past, middle + 1, low)
        return low


def _span(edges: Floats) -> tuple[float, float, float]:
    """Return where the buckets of an axis begin, how many there are to a unit, and the last."""
    last = float(_TO_AN_EDGE * max(len(edges), 1) - 1)
    if not len(edges):
        return 0.0, 0.0, last
    tail = int(_TAIL * len(edges))
    low, high = float(edges[tail]), float(edges[-1 - tail])
    with np.errstate(all="ignore"):
        per_unit = np.float64(last) / (np.float64(high) - low)
    return low, float(per_unit) if np.isfinite(per_unit) else 0.0, last


def _bucket(
    values: Floats, low: float | Floats, per_unit: float | Floats, last: float | Floats
) -> Ints:
    """Return the bucket of each value; NaN has the first one."""
    with np.errstate(over="ignore", invalid="ignore"):
        at = values - low
        at *= per_unit
    np.fmax(at, 0.0, out=at)
    np.minimum(at, last, out=at)
    return at.astype(np.int64)
