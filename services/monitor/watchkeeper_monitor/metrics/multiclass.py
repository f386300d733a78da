"""Performance over more than two classes: accuracy, and means over classes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.intervals import Z
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Estimate, Value, nothing
from watchkeeper_monitor.profiles import Profile

Floats = npt.NDArray[np.float64]

_MACRO = ("precision", "recall", "f1")


def measure(grid: Grid, window: Profile) -> Iterator[Value]:
    """Yield accuracy and macro precision, recall and F1.

    Macro means go over every class that is in a label or a prediction, and a class that was
    never predicted has precision 0, as in scikit-learn.
    """
    n, confusion = window.labelled, window.section("confusion")
    if not n or not grid.classes:
        why = "classes are not known before there is a reference" if n else "no labels yet"
        yield from (nothing(metric, "", why, n=n) for metric in ("accuracy", *_MACRO))
        return
    right = np.diagonal(confusion).copy()
    right[-1] = 0  # two classes that the grid does not know are not known to be the same
    yield share("accuracy", "", int(right.sum()), n)
    actual, called = confusion.sum(axis=1), confusion.sum(axis=0)
    seen = (actual + called) > 0
    for metric, base in (("precision", called), ("recall", actual), ("f1", actual + called)):
        twice = 2 if metric == "f1" else 1
        yield _macro(metric, twice * right[seen].astype(np.float64), base[seen], n, twice)


def _macro(metric: str, hits: Floats, base: npt.NDArray[np.int64], n: int, twice: int) -> Value:
    rates = np.divide(hits, base, out=np.zeros_like(hits), where=base > 0)
    value = float(rates.mean())
    # Classes taken as independent; F1's denominator holds every row of its class twice.
    spread = np.divide(twice * rates * (1 - rates), base, out=np.zeros_like(hits), where=base > 0)
    error = math.sqrt(float(spread.sum())) / len(rates)
    never = int(np.count_nonzero(base == 0))
    note = f"mean over {len(rates)} classes" + (f"; {never} of them count as 0" if never else "")
    low, high = max(0.0, value - Z * error), min(1.0, value + Z * error)
    return Value(metric, "", "", value, low, high, n, None, Estimate(value, error), note)
