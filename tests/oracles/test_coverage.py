"""Intervals hold the truth as often as they say, also where a model is good or positives are rare.

Normal intervals held it in 19 to 75 % of these windows: a table without an error says nothing of
how many errors there will be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.metrics.confusion import Table, balanced_accuracy, kappa, mcc
from watchkeeper_monitor.metrics.intervals import area, wilson
from watchkeeper_monitor.metrics.means import of_mean
from watchkeeper_monitor.metrics.multiclass import _mean
from watchkeeper_monitor.metrics.ranking import _value, average_precision, roc_auc
from watchkeeper_monitor.metrics.values import Mean

GOOD = (0.3, 0.005, 0.005, 0.69)
RARE = (0.007, 0.003, 0.005, 0.985)


def coverage(values: Iterable[Value], truth: float) -> float:
    known = [(one.low, one.high) for one in values if one.low is not None and one.high is not None]
    return float(np.mean([low <= truth <= high for low, high in known]))


@pytest.mark.parametrize("shares", [GOOD, RARE])
@pytest.mark.parametrize("n", [100, 500])
def test_what_a_table_says_holds_the_truth(shares: tuple[float, ...], n: int) -> None:
    tp, fn, fp, tn = shares
    drawn = np.random.default_rng(n).multinomial(n, shares, 1_000).tolist()
    tables = [Table(*one) for one in drawn]
    chance = (tp + fn) * (tp + fp) + (tn + fp) * (tn + fn)
    margins = (tp + fn) * (tn + fp) * (tp + fp) * (tn + fn)

    for values, truth in (
        (map(balanced_accuracy, tables), (tp / (tp + fn) + tn / (tn + fp)) / 2),
        (map(mcc, tables), (tp * tn - fp * fn) / math.sqrt(margins)),
        (
            (kappa(np.array(one).reshape(2, 2)) for one in drawn),
            (tp + tn - chance) / (1 - chance),
        ),
    ):
        assert coverage(values, truth) > 0.92


@pytest.mark.parametrize("n", [500, 5_000])
def test_means_over_classes_hold_the_truth(n: int) -> None:
    shares = np.array([[330, 2, 1], [3, 330, 2], [1, 1, 330]]) / 1_000
    right = np.diagonal(shares)
    f1 = 2 * right / (shares.sum(axis=0) + shares.sum(axis=1))
    drawn = np.random.default_rng(n).multinomial(n, shares.ravel(), 500).reshape(-1, 3, 3)
    hits = [np.diagonal(one).astype(np.float64) for one in drawn]
    sides = [one.sum(axis=0) + one.sum(axis=1) for one in drawn]
    found = [_mean("f1", 2 * hit, both, n, 2) for hit, both in zip(hits, sides, strict=True)]
    recalls = [
        _mean("recall", hit, one.sum(axis=1), n, 1) for hit, one in zip(hits, drawn, strict=True)
    ]

    assert coverage(found, float(f1.mean())) > 0.92
    assert coverage(recalls, float((right / shares.sum(axis=1)).mean())) > 0.92


@pytest.mark.parametrize(("n", "positives", "distance"), [(100, 10, 3.0), (500, 5, 3.5)])
def test_areas_hold_the_truth(n: int, positives: int, distance: float) -> None:
    """Scores of both classes normal, as far apart as a good model puts them."""
    rng = np.random.default_rng(n)
    truth = float(stats.norm.cdf(distance / math.sqrt(2)))
    label = np.arange(n) < positives
    rocs, precisions = [], []
    for _ in range(500):
        order = np.argsort(rng.normal(size=n) + distance * label)
        positive = label[order].astype(np.int64)
        alone = np.zeros(n, dtype=bool)
        roc = roc_auc(1 - positive, positive, alone)
        rocs.append(_value("roc_auc", roc, area(roc.value, positives, n - positives), n))
        pr = average_precision(1 - positive, positive, alone)
        precisions.append(_value("pr_auc", pr, wilson(pr.value * positives, positives), n))
    usual = float(np.mean([one.value for one in precisions if one.value is not None]))

    assert coverage(rocs, truth) > 0.93
    assert coverage(precisions, usual) > 0.93


@pytest.mark.parametrize("n", [100, 500])
@pytest.mark.parametrize("shape", [(0.1, 9.0), (1.0, 100.0), (2.0, 2.0)])
def test_brier_scores_hold_the_truth(shape: tuple[float, float], n: int) -> None:
    """Without a positive label among 100 rows their losses say that there never is one."""
    rng = np.random.default_rng(n)
    score = rng.beta(*shape, (1_000, n))
    loss = ((rng.uniform(size=score.shape) < score) - score) ** 2
    pairs = zip(loss.sum(axis=1).tolist(), (loss**2).sum(axis=1).tolist(), strict=True)
    values = [of_mean("brier", Mean(total, squares, n, (0.0, 1.0))) for total, squares in pairs]
    one, other = shape
    truth = one * other / ((one + other) * (one + other + 1))  # mean of score times its rest

    assert coverage(values, truth) > 0.92
