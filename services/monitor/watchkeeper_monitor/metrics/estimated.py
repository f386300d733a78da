"""How right the system will turn out to be, before labels come: confidence-based estimates.

The grid's calibrator says how probable a positive label is for each score. Summed by predicted
class these are the true and false positives and negatives to expect (CBPE [1]_). That is as good
as the calibration: a change of *who comes* is seen, a change of *what makes a label positive* is
not. The names say `estimated`, and the track record beside them says how far off they were.

The intervals say where the realised number would lie by chance if the calibration still held.

References
----------
.. [1] J. Bialek et al., "Estimating model performance under covariate shift without labels",
       arXiv 2401.08348 (there as the baseline CBPE).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics.groups import segment_of
from watchkeeper_monitor.metrics.intervals import Z
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import PROBABILITY
from watchkeeper_shared.specs import AISystem, Task

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RATES = ("accuracy", "precision", "recall", "f1")
PREFIX = "estimated_"
ERROR_PREFIX = "estimation_error_"
GAP = "estimated_equal_opportunity_difference"

_UNDEFINED = {
    "accuracy": "no row with a score",
    "precision": "nothing was predicted positive",
    "recall": "no positive label is to be expected",
    "f1": "neither a prediction nor a label is to be expected positive",
}


class Confusion(msgspec.Struct, frozen=True, gc=False):
    """How many rows of each kind; expected ones are no whole numbers."""

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def rows(self) -> float:
        """All of them."""
        return self.tp + self.fp + self.fn + self.tn

    def rate(self, metric: str) -> tuple[float, float] | None:
        """Return a rate and the rows it is a share of; None where it is not defined."""
        match metric:
            case "accuracy":
                hits, n = self.tp + self.tn, self.rows
            case "precision":
                hits, n = self.tp, self.tp + self.fp
            case "recall":
                hits, n = self.tp, self.tp + self.fn
            case _:
                hits, n = 2 * self.tp, 2 * self.tp + self.fp + self.fn
        return None if n <= 0 else (hits / n, n)

    def estimate(self, metric: str) -> Estimate | None:
        """Return a rate with the standard error that its realised counterpart would have."""
        found = self.rate(metric)
        if found is None:
            return None
        value, n = found
        if metric != "f1":
            return Estimate(value, math.sqrt(max(value * (1 - value), 0.0) / n))
        # F1 is 2p / (1 + p) of the share p = TP / (TP + FP + FN); by the slope 2 / (1 + p)^2.
        rows = self.tp + self.fp + self.fn
        p = self.tp / rows
        return Estimate(value, 2 / (1 + p) ** 2 * math.sqrt(p * (1 - p) / rows))


def measure(spec: AISystem, grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield the estimates and their track record; why there are none, if so."""
    if grid.task is Task.REGRESSION:
        return
    why = _lacking(grid)
    if why:
        yield from (nothing(name, "", why, n=window.rows) for name in _names())
        return
    everyone, *by_group = _expected(window)
    yield from _rates(everyone, "no row with a score")
    yield _roc_auc(grid, window.cells(grid.score), f"{PREFIX}roc_auc")
    for row, column in enumerate(grid.attributes):
        if column.name in spec.groups:
            groups = dict(zip(column.values, by_group[window.groups(row)], strict=False))
            yield from _by_group(column.name, groups, spec.groups[column.name].reference)
    yield from _track_record(grid, window)


def _lacking(grid: Grid) -> str:
    if grid.task is Task.MULTICLASS:
        return "estimated for two classes only"
    if not grid.referenced:
        return "there is no reference to calibrate scores on"
    if grid.calibrator is None:
        return "the reference has too few labelled scores of both classes to calibrate them on"
    return ""


def _names() -> Iterator[str]:
    for prefix in (PREFIX, ERROR_PREFIX):
        yield from (prefix + name for name in (*RATES, "roc_auc"))


def _expected(window: Profile) -> list[Confusion]:
    """Return what to expect of everything, and then of each group of each attribute."""
    rows = window.section("expected_rows").tolist()
    positives = PROBABILITY.total(window.section("expected_positives")).tolist()
    return [
        Confusion(tp=above, fp=positive - above, fn=below, tn=negative - below)
        for (negative, positive), (below, above) in zip(rows, positives, strict=True)
    ]


def _rates(expected: Confusion, empty: str, column: str = "", segment: str = "") -> Iterator[Value]:
    n = round(expected.rows)
    for name in RATES:
        metric, found = PREFIX + name, expected.estimate(name)
        if found is None:
            why = _UNDEFINED[name] if n else empty
            yield nothing(metric, column, why, n=n, segment=segment)
        else:
            yield _value(metric, found, n, "", column, segment)


def _value(
    metric: str, found: Estimate, n: int, note: str = "", column: str = "", segment: str = ""
) -> Value:
    least = -1.0 if metric.startswith(ERROR_PREFIX) else 0.0
    reach = Z * found.error + found.bound
    low, high = max(least, found.value - reach), min(1.0, found.value + reach)
    return Value(metric, column, segment, found.value, low, high, n, None, found, note)


def _by_group(attribute: str, groups: dict[str, Confusion], against: str) -> Iterator[Value]:
    """Yield the rates of every group, and their gaps in true positive rate."""
    for name, expected in groups.items():
        segment = segment_of(attribute, name)
        empty = f"no row of group {name} with a score"
        yield from _rates(expected, empty, attribute, segment)
        if name != against:
            yield _gap(attribute, segment, (expected, groups.get(against)), against)


def _gap(
    attribute: str, segment: str, pair: tuple[Confusion, Confusion | None], against: str
) -> Value:
    mine, theirs = (None if one is None else one.estimate("recall") for one in pair)
    n = round(min(0.0 if one is None else one.rows for one in pair))
    if mine is None or theirs is None:
        why = f"no positive label is to be expected in both this group and group {against}"
        return nothing(GAP, attribute, why, n=n, segment=segment)
    error = math.hypot(mine.error, theirs.error)
    note = (
        f"estimated true positive rate {mine.value:.4f} against {theirs.value:.4f} of group "
        f"{against}; n is the smaller group's"
    )
    found = Estimate(abs(mine.value - theirs.value), error)
    return _value(GAP, found, n, note, attribute, segment)


def _roc_auc(grid: Grid, cells: Ints, metric: str) -> Value:
    """Return the area under the ROC curve with the expected positives of every cell.

    The cells' edges include every bend of the calibration, so the probability is a straight
    line in each; where it is not flat, its middle is taken and the rest goes to the bound.
    """
    n = int(cells.sum())
    middle, half = _heights(grid)
    positive, negative = cells * middle, cells * (1 - middle)
    p, q = float(positive.sum()), float(negative.sum())
    if p <= 0 or q <= 0:
        why = "no row with a score" if not n else "labels of one class only are to be expected"
        return nothing(metric, "", why, n=n)
    beaten = np.cumsum(negative) - negative / 2
    value = float(np.dot(positive, beaten)) / (p * q)
    ties = float(np.dot(positive, negative)) / (2 * p * q)
    moved = float(np.dot(cells, half))
    bound = ties + moved / p + moved / q
    error = math.sqrt(_hanley(value, p, q))
    note = f"binning error at most {bound:.2g}"
    return _value(metric, Estimate(value, error, bound), n, note)


@lru_cache(maxsize=256)
def _heights(grid: Grid) -> tuple[Floats, Floats]:
    """Return the calibrated probability in the middle of each score cell, and half its rise."""
    edges = grid.axes[grid.score].edge_array
    if grid.calibrator is None:
        raise ValueError("a grid without a calibrator has no probabilities")
    first = grid.calibrator.probability(np.concatenate([edges[:1], edges]))
    # A cell is open on its right.
    ends = np.concatenate([np.nextafter(edges, -np.inf), edges[-1:]])
    last = grid.calibrator.probability(ends)
    return (first + last) / 2, np.abs(last - first) / 2


def _hanley(area: float, p: float, q: float) -> float:
    """Return Hanley and McNeil's variance of an area from p positives and q negatives."""
    one, two = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (p - 1) * (one - area**2) + (q - 1) * (two - area**2)
    return max(spread, 0.0) / (p * q)


def _track_record(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield estimate minus realised number, both of exactly the rows whose labels came."""
    (tn, fp), (fn, tp) = window.section("tracked_rows").tolist()
    below, above = PROBABILITY.total(window.section("tracked_positives")).tolist()
    realised = Confusion(tp, fp, fn, tn)
    expected = Confusion(above, tp + fp - above, below, tn + fn - below)
    n = tp + fp + fn + tn
    for name in RATES:
        metric = ERROR_PREFIX + name
        mine, theirs = expected.estimate(name), realised.rate(name)
        if mine is None or theirs is None:
            why = "no labels with a score yet" if not n else f"{name} is not defined here"
            yield nothing(metric, "", why, n=n)
        else:
            yield _difference(metric, mine, theirs[0], n)
    yield _area_error(grid, window.section("label_scores"), n)


def _difference(metric: str, mine: Estimate, realised: float, n: int) -> Value:
    found = Estimate(mine.value - realised, mine.error, mine.bound)
    note = f"estimated {mine.value:.4f}, realised {realised:.4f}"
    return _value(metric, found, n, note)


def _area_error(grid: Grid, scores: Ints, n: int) -> Value:
    metric = f"{ERROR_PREFIX}roc_auc"
    negative, positive = scores
    q, p = int(negative.sum()), int(positive.sum())
    mine = _roc_auc(grid, scores.sum(axis=0), metric)
    if not q or not p or not isinstance(mine.test, Estimate):
        why = "all labels are of one class" if n else "no labels with a score yet"
        return nothing(metric, "", why, n=n)
    beaten = np.cumsum(negative) - negative / 2
    return _difference(metric, mine.test, float(np.dot(positive, beaten)) / (p * q), n)
