"""How often the system is right, once labels have come.

References
----------
.. [1] J. A. Hanley, B. J. McNeil, Radiology 143, 1982 (ROC AUC as a probability).
.. [2] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44, 1988 (its variance).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.intervals import Z, student, wilson
from watchkeeper_monitor.metrics.multiclass import measure as measure_classes
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Estimate, Mean, Rate, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import (
    ERROR,
    ERROR_FOURTH,
    ERROR_SQUARE,
    LOSS,
    LOSS_SQUARE,
    UNIT,
    Quantity,
)
from watchkeeper_shared.specs import Task

Ints = npt.NDArray[np.int64]

NO_LABELS = "no labels yet"


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield what the task's labels allow."""
    if grid.task is Task.BINARY:
        yield from _binary(grid, window)
        yield _roc_auc(window.section("label_scores"))
        yield _mean(window, "brier", "brier", UNIT, UNIT, bounds=(0.0, 1.0))
        yield _mean(window, "log_loss", "log_loss", LOSS, LOSS_SQUARE)
    elif grid.task is Task.MULTICLASS:
        yield from measure_classes(grid, window)
    else:
        yield from _errors(grid, window)


def _binary(grid: Grid, window: Profile) -> Iterator[Value]:
    """Everything but the positive class is negative."""
    confusion, at = window.section("confusion"), grid.positive
    n, hit = window.labelled, int(confusion[at, at])
    called, actual = int(confusion[:, at].sum()), int(confusion[at, :].sum())
    wrong = called + actual - 2 * hit
    yield share("accuracy", "", n - wrong, n, empty=NO_LABELS)
    yield _of(n, "precision", hit, called, "nothing was predicted positive")
    yield _of(n, "recall", hit, actual, "no label is positive")
    yield _f1(n, hit, wrong)


def _of(labelled: int, metric: str, successes: int, n: int, why: str) -> Value:
    if not n:
        return nothing(metric, "", why if labelled else NO_LABELS, n=labelled)
    return share(metric, "", successes, n)


def _f1(labelled: int, hit: int, wrong: int) -> Value:
    """F1 is `2p / (1 + p)` of p = TP / (TP + FP + FN), a plain share with a plain interval."""
    n = hit + wrong
    if not n:
        why = "neither a prediction nor a label is positive" if labelled else NO_LABELS
        return nothing("f1", "", why, n=labelled)
    low, high = (2 * end / (1 + end) for end in wilson(hit, n))
    return Value("f1", "", "", 2 * hit / (n + hit), low, high, n, None, Rate(hit, n, dice=True))


def _roc_auc(scores: Ints) -> Value:
    """Return the area under the ROC curve from score histograms by label.

    Rows of one cell count as ties. If they were ordered, the area could differ by at most
    half the share of pairs that share a cell; the interval includes that.
    """
    negative, positive = scores
    n, p = int(negative.sum()), int(positive.sum())
    if not n or not p:
        seen = n + p
        why = "all labels are of one class" if seen else "no labels with a score yet"
        return nothing("roc_auc", "", why, n=seen)
    beaten = np.cumsum(negative) - negative / 2  # negatives that a positive in this cell beats
    beating = p - np.cumsum(positive) + positive / 2
    value = float(np.dot(positive, beaten)) / (n * p)
    ties = float(np.dot(positive.astype(np.float64), negative)) / (2 * n * p)
    error = math.sqrt(_spread(beaten / n, positive, p) + _spread(beating / p, negative, n))
    low, high = max(0.0, value - ties - Z * error), min(1.0, value + ties + Z * error)
    note = f"binning error at most {ties:.2g}"
    return Value(
        "roc_auc", "", "", value, low, high, n + p, None, Estimate(value, error, ties), note
    )


def _spread(placements: npt.NDArray[np.float64], weights: Ints, n: int) -> float:
    """Return the variance of a mean of placements (DeLong's components)."""
    if n < 2:  # noqa: PLR2004  one value has no spread
        return 0.25
    mean = float(np.dot(placements, weights)) / n
    return float(np.dot((placements - mean) ** 2, weights)) / (n - 1) / n


def _mean(
    window: Profile,
    metric: str,
    section: str,
    quantity: Quantity,
    square: Quantity,
    bounds: tuple[float, float] | None = None,
) -> Value:
    n = int(window.section("scored_labels")[0])
    if not n:
        return nothing(metric, "", "no labels with a score yet")
    total = float(window.sums(section, quantity))
    squares = float(window.sums(f"{section}_squares", square))
    return of_mean(metric, Mean(total, squares, n, bounds))


def of_mean(metric: str, test: Mean) -> Value:
    """Return a mean, or its square root, with its t interval."""
    low, high = student(test.mean, test.error, test.n)
    least, most = test.bounds or (0.0, math.inf)
    low, high = max(low, least), min(high, most)
    value = test.mean
    if test.root:
        value, low, high = math.sqrt(value), math.sqrt(low), math.sqrt(high)
    return Value(
        metric, "", "", value, low, high if math.isfinite(high) else None, test.n, None, test
    )


def _errors(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield MAE and RMSE in the prediction's own unit."""
    n, unit = window.labelled, grid.axes[-1].scale
    if not n:
        yield from (nothing(metric, "", NO_LABELS) for metric in ("mae", "rmse"))
        return
    absolute = float(window.sums("absolute_errors", ERROR)) * unit
    squares = float(window.sums("error_squares", ERROR_SQUARE)) * unit**2
    fourths = float(window.sums("error_fourths", ERROR_FOURTH)) * unit**4
    yield of_mean("mae", Mean(absolute, squares, n))
    yield of_mean("rmse", Mean(squares, fourths, n, root=True))
