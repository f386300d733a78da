"""Two-sample chi-square of many pairs of counts at once, rare cells pooled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.values import TwoSample

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_RARE = 5.0


def two_sample(window: Ints, reference: Ints) -> TwoSample:
    """Return the test of one pair of counts; see `two_samples`."""
    return two_samples(Ragged.of([window.size]), window, reference)[0]


def two_samples(cells: Ragged, window: Ints, reference: Ints) -> list[TwoSample]:
    """Return the test of each pair, with cells of expected count under 5 pooled.

    Unpooled rare cells make the statistic's tail up to 46 times too heavy; pooled it is right
    to within a factor of two at levels down to 1e-4 (simulated). A pool that is still rare
    joins the smallest other cell. Without two cells, or without rows, there is no degree of
    freedom and nothing to find.
    """
    counts = np.stack([window, reference]).astype(np.float64)
    totals = cells.sum(counts)
    whole = np.maximum(totals.sum(axis=0), 1.0)
    least = totals.min(axis=0) / whole
    sums = counts.sum(axis=0)
    kept = sums * least[cells.owner] >= _RARE
    pools = cells.sum(np.where(kept, 0.0, counts))
    pooled = pools.sum(axis=0)
    many = cells.sum(kept.astype(np.int64))
    joins = (pooled > 0) & (pooled * least < _RARE) & (many > 0)
    if joins.any():
        _join(counts, pools, joins, kept, cells)
    of_each = _terms(counts, totals[:, cells.owner], whole[cells.owner]) * kept
    alone = (pools.sum(axis=0) > 0) & ~joins
    statistic = cells.sum(of_each) + _terms(pools, totals, whole) * alone
    dof = many + alone - 1
    none = (dof < 1) | (totals.min(axis=0) == 0)
    return [
        TwoSample(0.0, 0) if nothing else TwoSample(value, degrees)
        for nothing, value, degrees in zip(
            none.tolist(), statistic.tolist(), dof.tolist(), strict=True
        )
    ]


def _join(counts: Floats, pools: Floats, joins: Floats, kept: Floats, cells: Ragged) -> None:
    """Add each pool that joins to the smallest cell that is kept; the first of equal ones."""
    sums = np.where(kept, counts.sum(axis=0), np.inf)
    smallest = sums == cells.min(sums)[cells.owner]
    places = np.where(smallest, np.arange(cells.size), cells.size)
    first = cells.min(places)[joins]
    counts[:, first] += pools[:, joins]


def _terms(counts: Floats, totals: Floats, whole: Floats) -> Floats:
    """Return `(O - E)^2 / E` of both rows, added."""
    sums = counts.sum(axis=0)
    expected = totals * (sums / whole)
    return np.asarray(
        np.divide(
            (counts - expected) ** 2, expected, out=np.zeros_like(counts), where=expected > 0
        ).sum(axis=0)
    )
