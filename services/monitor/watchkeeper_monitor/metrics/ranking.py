"""Areas under curves, from score histograms by label.

References
----------
.. [1] J. A. Hanley, B. J. McNeil, Radiology 143, 1982 (ROC AUC as a probability).
.. [2] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44, 1988 (its variance).
.. [3] K. Boyd, K. H. Eng, C. D. Page, ECML PKDD 2013 (interval of average precision).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics.intervals import (
    Interval,
    Z,
    area,
    area_error,
    careful_variance,
    wilson,
)
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield the areas under the ROC curve and under the precision-recall curve."""
    scores = window.section("label_scores")
    negative, positive = scores
    n, p = int(negative.sum()), int(positive.sum())
    if not n or not p:
        why = "all labels are of one class" if n + p else "no labels with a score yet"
        yield from (nothing(metric, "", why, n=n + p) for metric in ("roc_auc", "pr_auc"))
        return
    used = np.flatnonzero(scores.any(axis=0))
    mixed = ~_single(grid)[used]
    roc = roc_auc(negative[used], positive[used], mixed)
    yield _value("roc_auc", roc, area(roc.value, p, n), n + p)
    precision = average_precision(negative[used], positive[used], mixed)
    yield _value("pr_auc", precision, wilson(precision.value * p, p), n + p)


@lru_cache(maxsize=256)
def _single(grid: Grid) -> Bools:
    """Return which cells of the score hold one number only."""
    edges = grid.axes[grid.score].edge_array
    inner = np.nextafter(edges[:-1], np.inf) == edges[1:]
    return np.concatenate([[False], inner, [False]])


def _value(metric: str, test: Estimate, score: Interval, n: int) -> Value:
    """Return an area with the wider of two intervals: the normal one, and a score interval.

    Near 1 the normal one is too narrow, of curves of an odd shape the other may be.
    """
    low = max(0.0, min(score[0], test.value - Z * test.error) - test.bound)
    high = min(1.0, max(score[1], test.value + Z * test.error) + test.bound)
    note = f"binning error at most {test.bound:.2g}"
    return Value(metric, "", "", test.value, low, high, n, None, test, note)


def roc_auc(negative: Ints, positive: Ints, mixed: Bools) -> Estimate:
    """Return the area under the ROC curve.

    Rows of one cell count as ties. If they were ordered, the area could differ by at most
    half the share of pairs that share a cell with several values in it.
    """
    n, p = int(negative.sum()), int(positive.sum())
    beaten = np.cumsum(negative) - negative / 2  # negatives that a positive in this cell beats
    beating = p - np.cumsum(positive) + positive / 2
    value = float(np.dot(positive, beaten)) / (n * p)
    ties = float(np.dot((positive * mixed).astype(np.float64), negative)) / (2 * n * p)
    error = math.sqrt(_spread(beaten / n, positive, p) + _spread(beating / p, negative, n))
    # Few positives that lie alike show no spread, and still are few.
    return Estimate(value, max(error, area_error(value, p, n)), ties)


def _spread(placements: Floats, weights: Ints, n: int) -> float:
    """Return the variance of a mean of placements (DeLong's components)."""
    if n < 2:  # noqa: PLR2004  one value has no spread
        return 0.25
    mean = float(np.dot(placements, weights)) / n
    return float(np.dot((placements - mean) ** 2, weights)) / (n - 1) / n


def average_precision(negative: Ints, positive: Ints, mixed: Bools) -> Estimate:
    """Return average precision, rows of one cell counted as ties.

    At best every positive of a cell comes before its negatives, so that all of them see the
    precision after the last one; at worst they come one by one after all its negatives.
    """
    n, p = negative[::-1].astype(np.float64), positive[::-1].astype(np.float64)
    hits, rows = np.cumsum(p), np.cumsum(n + p)
    before = hits - p
    total = float(hits[-1])
    tied = p * hits / rows
    best = np.where(mixed[::-1] & (p > 0), p * hits / np.maximum(rows - n, 1), tied)
    # sum of (before + j) / (rows - p + j) over j = 1 … p
    harmonic = special.digamma(rows + 1) - special.digamma(rows - p + 1)
    worst = np.where(mixed[::-1], p - (rows - p - before) * harmonic, tied)
    value, high, low = (float(one.sum()) / total for one in (tied, best, worst))
    error = math.sqrt(careful_variance(min(value, 1.0) * total, total))
    return Estimate(value, error, max(high - value, value - low, 0.0))
