"""How often the system is right, once labels have come."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import ranking
from watchkeeper_monitor.metrics.calibration import Calibration, calibrations
from watchkeeper_monitor.metrics.confusion import Table, balanced_accuracy, kappa, mcc
from watchkeeper_monitor.metrics.errors import measure as measure_errors
from watchkeeper_monitor.metrics.means import of_mean
from watchkeeper_monitor.metrics.multiclass import measure as measure_classes
from watchkeeper_monitor.metrics.shares import of_f1, share
from watchkeeper_monitor.metrics.values import Mean, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.exact import LOSS, LOSS_SQUARE, UNIT, Quantity
from watchkeeper_shared.specs import Task

Ints = npt.NDArray[np.int64]

NO_LABELS = "no labels yet"


def measure(
    grid: Grid, window: Profile, calibrated: Sequence[Calibration] | None = None
) -> Iterator[Value]:
    """Yield what the task's labels allow.

    Parameters
    ----------
    calibrated
        The window's calibrations, where they are known.
    """
    if grid.task is Task.BINARY:
        yield from _binary(grid, window)
        yield from ranking.measure(grid, window)
        yield from _losses(window)
        yield _calibration(window, (calibrated or calibrations(window, 1))[0])
    elif grid.task is Task.MULTICLASS:
        yield from measure_classes(grid, window)
        yield from _losses(window)
    else:
        yield from measure_errors(grid, window)


def _binary(grid: Grid, window: Profile) -> Iterator[Value]:
    """Everything but the positive class is negative."""
    table = Table.of(window.section("confusion"), grid.positive)
    n, wrong = table.n, table.missed + table.false_alarms
    yield share("accuracy", "", n - wrong, n, empty=NO_LABELS)
    yield balanced_accuracy(table)
    yield _of(n, "precision", table.hits, table.called, "nothing was predicted positive")
    yield _of(n, "recall", table.hits, table.positive, "no label is positive")
    yield _of(n, "specificity", table.rejected, table.negative, "no label is negative")
    yield _f1(n, table.hits, wrong)
    yield mcc(table)
    yield kappa(_two_classes(table))


def _two_classes(table: Table) -> Ints:
    return np.array([[table.hits, table.missed], [table.false_alarms, table.rejected]])


def _of(labelled: int, metric: str, successes: int, n: int, why: str) -> Value:
    if not n:
        return nothing(metric, "", why if labelled else NO_LABELS, n=labelled)
    return share(metric, "", successes, n)


def _f1(labelled: int, hit: int, wrong: int) -> Value:
    if not hit + wrong:
        why = "neither a prediction nor a label is positive" if labelled else NO_LABELS
        return nothing("f1", "", why, n=labelled)
    return of_f1("f1", "", hit, wrong)


def _losses(window: Profile) -> Iterator[Value]:
    most = 1.0 if window.grid.positive >= 0 else 2.0
    yield _mean(window, "brier", UNIT, UNIT, bounds=(0.0, most))
    yield _mean(window, "log_loss", LOSS, LOSS_SQUARE, bounds=(0.0, math.inf))


def _mean(
    window: Profile,
    metric: str,
    quantity: Quantity,
    square: Quantity,
    bounds: tuple[float, float],
) -> Value:
    n = int(window.section("scored_labels")[0])
    if not n:
        return nothing(metric, "", "no labels with a score yet", n=window.labelled)
    total = float(window.sums(metric, quantity))
    squares = float(window.sums(f"{metric}_squares", square))
    return of_mean(metric, Mean(total, squares, n, bounds))


def _calibration(window: Profile, found: Calibration) -> Value:
    if not found.n:
        return nothing("ece", "", "no labels with a score yet", n=window.labelled)
    return Value("ece", "", "", found.value, *found.interval, found.n, None, found.test, found.note)
