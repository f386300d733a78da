"""Performance over more than two classes: accuracy, and means over classes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics.confusion import kappa
from watchkeeper_monitor.metrics.intervals import (
    Interval,
    Z,
    careful_variance,
    mean_of_rates,
    sum_of,
    wilson,
)
from watchkeeper_monitor.metrics.shares import of_f1, share
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile

Floats = npt.NDArray[np.float64]

Ints = npt.NDArray[np.int64]

WHOLE = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "weighted_precision",
    "recall",
    "weighted_recall",
    "f1",
    "weighted_f1",
    "kappa",
)
OF_CLASS = ("class_precision", "class_recall", "class_f1")
MOST_CONFUSED = 8
"""With more classes the confusion matrix is no list that anybody reads."""


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield accuracy, means over classes, and each class by itself.

    Macro means go over every class that is in a label or a prediction, and a class that was
    never predicted has precision 0, as in scikit-learn. Classes that the reference never held
    count together as one.
    """
    n, confusion = window.labelled, window.section("confusion")
    if not n or not grid.classes:
        why = "classes are not known before there is a reference" if n else "no labels yet"
        yield from (nothing(metric, "", why, n=n) for metric in WHOLE)
        yield from _no_classes(grid, why, n)
        return
    right = np.diagonal(confusion).copy()
    right[-1] = 0  # two classes that the grid does not know are not known to be the same
    yield share("accuracy", "", int(right.sum()), n)
    actual, called = confusion.sum(axis=1), confusion.sum(axis=0)
    yield _balanced(right, actual, n)
    seen = (actual + called) > 0
    for metric, base in (("precision", called), ("recall", actual), ("f1", actual + called)):
        twice = 2 if metric == "f1" else 1
        hits = twice * right.astype(np.float64)
        yield _mean(metric, hits[seen], base[seen], n, twice)
        yield _weighted(metric, hits, base, actual, twice)
    known = confusion.copy()
    known[-1, -1] = 0
    yield kappa(known)
    yield from _classes(grid, right.tolist(), actual.tolist(), called.tolist(), n)
    yield from _confusion(grid, confusion)


def _no_classes(grid: Grid, why: str, n: int) -> Iterator[Value]:
    for name in grid.classes:
        yield from (nothing(metric, name, why, n=n) for metric in OF_CLASS)


def _balanced(right: Ints, actual: Ints, n: int) -> Value:
    """Return mean recall of the classes that labels hold."""
    held = actual > 0
    recall = right[held] / actual[held]
    error = math.sqrt(float(_spread(right[held], actual[held]).sum())) / len(recall)
    test = Estimate(float(recall.mean()), error)
    rates = list(zip(right[held].tolist(), actual[held].tolist(), strict=True))
    ends = mean_of_rates(rates)
    return Value("balanced_accuracy", "", "", test.value, *ends, n, None, test)


def _weighted(metric: str, hits: Floats, base: Ints, actual: Ints, twice: int) -> Value:
    """Return the mean over classes, weighted by their labels."""
    n = int(actual.sum())
    weight = actual / n
    rates = np.divide(hits, base, out=np.zeros_like(hits), where=base > 0)
    spread = twice * _spread(hits, base)
    value = float((weight * rates).sum())
    mixed = float((weight * (rates - value) ** 2).sum()) / n  # the weights are counted too
    test = Estimate(value, math.sqrt(float((weight**2 * spread).sum()) + mixed))
    parts = [*_parts(hits, base, weight, twice), (1.0, 0.0, _around(mixed))]
    return _summed(f"weighted_{metric}", test, sum_of(parts), n)


def _spread(hits: Ints | Floats, base: Ints) -> Floats:
    """Return the variance to test the rate of each class with; 0 of one that holds no row."""
    rows = np.maximum(base, 1).astype(np.float64)
    return np.where(base > 0, careful_variance(hits.astype(np.float64), rows), 0.0)


def _parts(
    hits: Floats, base: Ints, weight: Floats, twice: int
) -> Iterator[tuple[float, float, Interval]]:
    """Yield each class's weight, rate and interval.

    F1 is `2p / (1 + p)` of a plain share p. A wrong row is in the F1 of two classes, which at
    most doubles the variance of their sum.
    """
    for hit, rows, part in zip(hits.tolist(), base.tolist(), weight.tolist(), strict=True):
        right = round(hit) // twice
        n = rows - right if twice > 1 else rows
        if not n:
            continue
        low, high = wilson(right, n)
        if twice > 1:
            low, high = (_twice(2 * end / (1 + end), hit / rows) for end in (low, high))
        yield part, hit / rows, (low, high)


def _twice(end: float, value: float) -> float:
    return value + math.sqrt(2) * (end - value)


def _around(variance: float) -> Interval:
    half = Z * math.sqrt(variance)
    return -half, half


def _summed(metric: str, test: Estimate, ends: Interval, n: int, note: str = "") -> Value:
    low, high = max(0.0, ends[0]), min(1.0, ends[1])
    return Value(metric, "", "", test.value, low, high, n, None, test, note)


def _classes(
    grid: Grid, right: list[int], actual: list[int], called: list[int], n: int
) -> Iterator[Value]:
    for name, hits, labels, calls in zip(grid.classes, right, actual, called, strict=False):
        wrong = labels + calls - 2 * hits
        why = "no label is of this class"
        if calls:
            yield share("class_precision", name, hits, calls)
        else:
            yield nothing("class_precision", name, "nothing was predicted as this class", n=n)
        if labels:
            yield share("class_recall", name, hits, labels)
        else:
            yield nothing("class_recall", name, why, n=n)
        if hits + wrong:
            yield of_f1("class_f1", name, hits, wrong)
        else:
            yield nothing("class_f1", name, f"{why}, and nothing was predicted as it", n=n)


def _confusion(grid: Grid, confusion: Ints) -> Iterator[Value]:
    """Yield what labels of each class were taken for, for systems of few classes."""
    if len(grid.classes) > MOST_CONFUSED:
        return
    for row, label in enumerate(grid.classes):
        labels = int(confusion[row].sum())
        for column, called in enumerate(grid.classes):
            count, segment = int(confusion[row, column]), f"prediction={called}"
            yield share(
                "confusion_share", label, count, labels, segment=segment, empty="no such label"
            )


def _mean(metric: str, hits: Floats, base: npt.NDArray[np.int64], n: int, twice: int) -> Value:
    rates = np.divide(hits, base, out=np.zeros_like(hits), where=base > 0)
    value = float(rates.mean())
    # Classes taken as independent; F1's denominator holds every row of its class twice.
    error = math.sqrt(float(twice * _spread(hits, base).sum())) / len(rates)
    never = int(np.count_nonzero(base == 0))
    note = f"mean over {len(rates)} classes" + (f"; {never} of them count as 0" if never else "")
    ends = sum_of(list(_parts(hits, base, np.full(len(rates), 1 / len(rates)), twice)))
    return _summed(metric, Estimate(value, error), ends, n, note)
