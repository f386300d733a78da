"""Intervals and tests against SciPy, brute force and published figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from watchkeeper_monitor.metrics import intervals


@st.composite
def rates(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 400))
    return draw(st.integers(0, n)), n


@settings(deadline=None)
@given(rates())
def test_wilson_is_scipys(rate: tuple[int, int]) -> None:
    exact = stats.binomtest(*rate).proportion_ci(method="wilson")

    assert intervals.wilson(*rate) == pytest.approx((exact.low, exact.high), abs=1e-12)


@settings(deadline=None)
@given(rates(), st.floats(0.01, 0.99), st.booleans())
def test_the_rate_test_is_the_exact_binomial_test(
    rate: tuple[int, int],
    limit: float,
    below: bool,  # noqa: FBT001  hypothesis draws it
) -> None:
    exact = stats.binomtest(*rate, limit, alternative="less" if below else "greater").pvalue

    assert intervals.rate_beyond(*rate, limit, below=below) == pytest.approx(exact, rel=1e-9)


@settings(deadline=None)
@given(rates(), st.floats(1e-6, 0.2))
def test_the_rate_test_agrees_with_the_clopper_pearson_bound(
    rate: tuple[int, int], alpha: float
) -> None:
    exact = stats.binomtest(*rate, alternative="greater").proportion_ci(1 - alpha, "exact")

    for limit in (exact.low - 1e-6, exact.low + 1e-6):
        if 0 < limit < 1:
            passes = intervals.rate_beyond(*rate, limit, below=False) < alpha
            assert passes == (limit < exact.low)


def test_newcombe_gives_the_published_interval() -> None:
    # Newcombe 1998, table II, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/10.
    for a, b, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ):
        assert intervals.newcombe(a, b) == pytest.approx((low, high), abs=5e-5)


def likelihood(rate: tuple[int, int], p: float) -> float:
    return float(stats.binom.logpmf(rate[0], rate[1], p))


@settings(deadline=None, max_examples=50)
@given(rates(), rates(), st.floats(0.2, 1.0))
def test_the_ratio_test_maximises_the_likelihood_under_the_limit(
    a: tuple[int, int], b: tuple[int, int], limit: float
) -> None:
    found = intervals.ratio_beyond(a, b, limit)
    if a[0] * b[1] >= limit * b[0] * a[1] or b[0] == 0:
        assert found == 1.0
        return
    best = optimize.minimize_scalar(
        lambda p: -likelihood(a, limit * p) - likelihood(b, p),
        bounds=(1e-9, 1 - 1e-12),
        method="bounded",
        options={"xatol": 1e-12},
    ).fun
    free = likelihood(a, a[0] / a[1]) + likelihood(b, b[0] / b[1])

    assert found == pytest.approx(stats.norm.sf(math.sqrt(2 * max(free + best, 0))), abs=2e-4)


@settings(deadline=None, max_examples=50)
@given(rates(), rates(), st.floats(0.0, 0.5))
def test_the_gap_test_takes_its_variance_at_the_constrained_maximum(
    a: tuple[int, int], b: tuple[int, int], limit: float
) -> None:
    gap = a[0] / a[1] - b[0] / b[1]
    found = intervals.gap_beyond(a, b, limit)
    if gap <= limit:
        assert found == 1.0
        return
    grid = np.linspace(limit, 1, 20_001)
    values = stats.binom.logpmf(a[0], a[1], grid) + stats.binom.logpmf(b[0], b[1], grid - limit)
    p = float(grid[np.argmax(values)])
    variance = p * (1 - p) / a[1] + (p - limit) * (1 - p + limit) / b[1]
    exact = stats.norm.sf((gap - limit) / math.sqrt(variance)) if variance > 0 else 0.0

    assert found == pytest.approx(exact, abs=1e-3)


def rejections(test: Any, a: float, b: float, n: tuple[int, int], runs: int = 4_000) -> float:
    rng = np.random.default_rng(3)
    draws = zip(rng.binomial(n[0], a, runs), rng.binomial(n[1], b, runs), strict=True)
    return float(np.mean([test((int(s), n[0]), (int(t), n[1])) < 0.01 for s, t in draws]))


def test_pair_tests_keep_their_level_when_the_truth_is_at_the_limit() -> None:
    ratio = rejections(lambda a, b: intervals.ratio_beyond(a, b, 0.8), 0.24, 0.3, (200, 800))
    gap = rejections(lambda a, b: intervals.gap_beyond(a, b, 0.1), 0.4, 0.3, (200, 800))

    assert 0.004 < ratio < 0.018
    assert 0.004 < gap < 0.018


def test_the_mean_test_is_students() -> None:
    values = np.random.default_rng(1).exponential(1.0, 60)
    error = float(stats.sem(values))

    for limit, below in ((0.7, False), (1.4, True)):
        exact = stats.ttest_1samp(values, limit, alternative="less" if below else "greater").pvalue
        mean = float(np.mean(values))
        assert intervals.mean_beyond(mean, error, 60, limit, below=below) == pytest.approx(exact)
    assert intervals.student(float(np.mean(values)), error, 60) == pytest.approx(
        stats.ttest_1samp(values, 0).confidence_interval(0.95)
    )


def test_a_number_that_is_not_past_its_limit_is_never_evidence() -> None:
    assert intervals.mean_beyond(1.0, 0.1, 50, 1.0, below=False) == 1.0
    assert intervals.normal_beyond(1.0, 0.1, 0.5, below=True) == 1.0
    assert intervals.ratio_beyond((0, 10), (0, 10), 0.8) == 1.0
