"""What chi-square is held against keeps the level, in whatever directions windows vary."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from watchkeeper_monitor.rule.directions import EVEN, Directions, directions

Floats = npt.NDArray[np.float64]
CELLS = np.arange(10)


def statistics(between: float, windows: int, rows: int, base: int, seed: int) -> Floats:
    """Two-sample chi-squares of windows whose rows lie higher or lower by chance, each anew."""
    rng = np.random.default_rng(seed)
    shares = np.exp(rng.normal(0, between, (windows, 1)) * (CELLS - 4.5) / 3)
    window = rng.multinomial(rows, shares / shares.sum(axis=1, keepdims=True))
    reference = rng.multinomial(base, np.full(10, 0.1))
    both = window + reference
    apart = window * math.sqrt(base / rows) - reference * math.sqrt(rows / base)
    return np.asarray((apart**2 / both).sum(axis=1))


def passed(level: float, between: float, rows: int, base: int, learn: int = 60) -> float:
    """Share of windows in control that pass the level, after others have taught."""
    hits = tests = 0
    for seed in range(40):
        drawn = statistics(between, learn + 100, rows, base, seed)
        taught = directions(drawn[:learn], 9.0, rows / (rows + base))
        hits += sum(taught.beyond(float(one), 9) < level for one in drawn[learn:])
        tests += 100
    return hits / tests


@pytest.mark.parametrize("between", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("rows", "base"), [(500, 2_000), (1_000, 10_000)])
def test_a_level_that_goes_up_and_down_keeps_the_alarm_budget(
    between: float, rows: int, base: int
) -> None:
    # Divided by its mean alone, 1.4 to 7 % pass it where the level varies.
    assert passed(0.001, between, rows, base) < 0.004


@pytest.mark.parametrize("factor", [1.0, 3.0, 10.0])
def test_clusters_spread_windows_in_all_directions_alike(factor: float) -> None:
    drawn = np.random.default_rng(5).chisquare(9, (60, 200)) * factor
    taught = [directions(one, 9.0, 0.001) for one in drawn]

    assert np.median([one.mean(9) for one in taught]) == pytest.approx(factor, rel=0.1)
    # One standard error on the safe side: the more windows teach, the nearer to 1.
    assert np.median([one.along / one.across for one in taught]) < 3


def test_the_direction_of_a_wandering_level_is_told_apart() -> None:
    rng = np.random.default_rng(6)
    drawn = 34 * rng.standard_normal((60, 200)) ** 2 + rng.chisquare(8, (60, 200))
    taught = [directions(one, 9.0, 0.001) for one in drawn]

    assert np.median([one.along for one in taught]) == pytest.approx(34, rel=0.15)
    assert np.median([one.across for one in taught]) == pytest.approx(1, abs=0.5)


def test_the_error_of_the_reference_is_no_dispersion_but_a_wandering_level_is() -> None:
    own = [directions(statistics(0.0, 100, 500, 500, seed), 9.0, 0.5) for seed in range(40)]
    wandering = [directions(statistics(0.3, 100, 500, 500, seed), 9.0, 0.5) for seed in range(40)]

    assert np.mean([one == EVEN for one in own]) > 0.6
    assert all(one.along > 3 for one in wandering)


weights = st.floats(1, 200)


@given(along=weights, across=weights, dof=st.integers(1, 60), statistic=st.floats(0, 5_000))
def test_the_tail_is_a_probability_that_falls_and_widens_with_each_weight(
    along: float, across: float, dof: int, statistic: float
) -> None:
    one = Directions(along, across, 60)
    here = one.beyond(statistic, dof)

    assert 0 <= here <= 1
    assert one.beyond(statistic + 1, dof) <= here + 1e-9
    assert Directions(along * 1.1, across * 1.1, 60).beyond(statistic, dof) >= here - 1e-9


@given(weight=weights, dof=st.integers(1, 60), level=st.floats(1e-9, 0.5))
def test_like_weights_are_a_scaled_chi_square(weight: float, dof: int, level: float) -> None:
    statistic = weight * float(stats.chi2.isf(level, dof))

    assert Directions(weight, weight).beyond(statistic, dof) == pytest.approx(level)
    nearly = Directions(weight, weight * (1 + 1e-12))
    assert nearly.beyond(statistic, dof) == pytest.approx(level, rel=1e-6)


@pytest.mark.parametrize("windows", [30, math.inf])
def test_the_tail_is_that_of_drawn_sums(windows: float) -> None:
    rng, draws = np.random.default_rng(7), 2_000_000
    normal: Callable[[int], Floats] = rng.standard_normal
    one = normal(draws) if math.isinf(windows) else rng.standard_t(windows - 1, draws)
    drawn = 12 * one**2 + 1.5 * rng.chisquare(8, draws)

    for statistic in (30.0, 80.0, 150.0):
        share = float(np.mean(drawn > statistic))
        assert Directions(12, 1.5, windows).beyond(statistic, 9) == pytest.approx(share, rel=0.03)


def test_without_a_degree_of_freedom_nothing_is_evidence() -> None:
    assert EVEN.beyond(100.0, 0) == 1.0


@given(
    drawn=st.lists(st.floats(0, 1e6), min_size=2, max_size=40),
    dof=st.integers(1, 30),
    shared=st.floats(0, 1),
)
def test_whatever_is_taught_no_weight_is_below_that_of_independent_rows(
    drawn: list[float], dof: int, shared: float
) -> None:
    taught = directions(np.array(drawn), float(dof), shared)

    assert taught.along >= 1
    assert taught.across >= 1
    assert taught.mean(dof) >= 1
