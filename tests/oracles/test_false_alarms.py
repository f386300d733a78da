"""Tests of a window at its limit pass as seldom as their level, also where positives are few.

With the plain errors 2 to 25 % of windows of 100 or 500 rows passed a test at any level: one
positive label that is missed has a recall of 0, with a standard error of 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from watchkeeper_monitor.metrics.confusion import Table, balanced_accuracy, mcc
from watchkeeper_monitor.metrics.intervals import normal_beyond
from watchkeeper_monitor.metrics.multiclass import _balanced, _mean
from watchkeeper_monitor.metrics.ranking import average_precision, roc_auc
from watchkeeper_monitor.metrics.values import Estimate, Test

LEVEL = 0.001
WINDOWS = 4_000
MOST = 11
"""Of 4,000 windows four are expected; three standard deviations and a half more are no accident."""


def passed(tests: Iterable[Test | None], limit: float) -> int:
    found = [one for one in tests if isinstance(one, Estimate)]
    return sum(
        normal_beyond(one.value + one.bound, one.error, limit, below=True) < LEVEL for one in found
    )


@pytest.mark.parametrize("n", [100, 500, 2_000])
@pytest.mark.parametrize(
    "shares",
    [(0.0035, 0.0015, 0.005, 0.99), (0.007, 0.003, 0.005, 0.985), (0.06, 0.04, 0.05, 0.85)],
)
def test_tables_of_few_positives(shares: tuple[float, ...], n: int) -> None:
    tp, fn, fp, tn = shares
    drawn = np.random.default_rng(n).multinomial(n, shares, WINDOWS).tolist()
    tables = [Table(*one) for one in drawn]
    margins = (tp + fn) * (tn + fp) * (tp + fp) * (tn + fn)

    balanced = (tp / (tp + fn) + tn / (tn + fp)) / 2
    assert passed((balanced_accuracy(one).test for one in tables), balanced) <= MOST
    coefficient = (tp * tn - fp * fn) / math.sqrt(margins)
    assert passed((mcc(one).test for one in tables), coefficient) <= MOST


@pytest.mark.parametrize("n", [100, 500])
def test_classes_of_few_rows(n: int) -> None:
    shares = np.array([[900, 10, 2], [10, 45, 5], [4, 4, 20]]) / 1_000
    right, labels = np.diagonal(shares), shares.sum(axis=1)
    limit = float((right / labels).mean())
    drawn = np.random.default_rng(n).multinomial(n, shares.ravel(), WINDOWS).reshape(-1, 3, 3)
    drawn = drawn[(drawn.sum(axis=2) > 0).all(axis=1)]  # with all classes there is one truth
    tables = [(np.diagonal(one), one.sum(axis=1)) for one in drawn]

    assert passed((_balanced(*one, n).test for one in tables), limit) <= MOST
    means = (_mean("recall", hits.astype(np.float64), rows, n, 1) for hits, rows in tables)
    assert passed((one.test for one in means), limit) <= MOST


@pytest.mark.parametrize(("n", "positives"), [(100, 2), (100, 5), (500, 5)])
def test_areas_of_few_positives(n: int, positives: int) -> None:
    """Scores of both classes normal, one and a half standard deviations apart."""
    rng = np.random.default_rng(n + positives)
    label = np.arange(n) < positives
    alone = np.zeros(n, dtype=bool)
    order = np.argsort(rng.normal(size=(WINDOWS, n)) + 1.5 * label, axis=1)
    areas, precisions = [], []
    for positive in label[order].astype(np.int64):
        areas.append(roc_auc(1 - positive, positive, alone))
        precisions.append(average_precision(1 - positive, positive, alone))

    assert passed(areas, float(stats.norm.cdf(1.5 / math.sqrt(2)))) <= MOST
    assert passed(precisions, float(np.mean([one.value for one in precisions]))) <= MOST
