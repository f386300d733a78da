"""How dispersed a series is comes from its own windows in control, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from watchkeeper_monitor.metrics import (
    Census,
    Estimate,
    Mean,
    Rate,
    RateGap,
    RateRatio,
    Test,
    TwoSample,
    Value,
)
from watchkeeper_monitor.rule.dispersion import (
    ASSUMED,
    FEWEST,
    Dispersion,
    Sight,
    assumed,
    fixed,
    learnt,
    sight,
)
from watchkeeper_monitor.rule.experience import PROVEN, Broken, Experience, Key, Sights
from watchkeeper_monitor.windows.spans import Span

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY: Key = ("psi", "AGE", "")


def chi2s(factor: float, count: int, seed: int = 1, shared: float = 0.0) -> list[Sight]:
    rng = np.random.default_rng(seed)
    return [Sight(factor * x, 9.0, is_ratio=True, shared=shared) for x in rng.chisquare(9, count)]


def dated(sights: list[Sight], first: int = 0) -> dict[datetime, Sight]:
    return {START + (first + place) * DAY: one for place, one in enumerate(sights)}


def seen(test: Test | None, n: int = 100, reference_n: int | None = None) -> Sight | None:
    return sight(Value("m", "", "", 0.5, None, None, n, reference_n, test))


@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0, 10.0])
def test_the_factor_of_clustered_rows_is_found_and_rather_too_large(factor: float) -> None:
    found = [learnt(dated(chi2s(factor, 60, seed))).factor for seed in range(40)]

    assert np.mean(found) == pytest.approx(1.06 * factor, rel=0.04)
    assert np.mean([one < 0.9 * factor for one in found]) < 0.05


def test_rates_teach_by_how_far_neighbours_lie_apart() -> None:
    rng = np.random.default_rng(3)
    chances = rng.beta(90, 10, 100)  # clustered: each window has a chance of its own
    clustered = [seen(Rate(int(rng.binomial(300, p)), 300)) for p in chances]
    plain = [seen(Rate(int(rng.binomial(300, 0.9)), 300)) for _ in range(100)]

    # The variance of a mean of 300 rows, 1 + 299 / 101 times that of independent ones.
    assert learnt(dated([one for one in clustered if one])).factor == pytest.approx(4.0, rel=0.35)
    assert learnt(dated([one for one in plain if one])).factor == pytest.approx(1.0, abs=0.3)


def test_a_rate_that_falls_does_not_become_dispersed_by_it() -> None:
    rng = np.random.default_rng(4)
    rates = np.r_[np.full(50, 0.9), np.full(50, 0.7)]
    sights = [seen(Rate(int(rng.binomial(300, p)), 300)) for p in rates]

    assert learnt(dated([one for one in sights if one])).factor < 1.5


def test_two_wild_windows_of_a_hundred_do_not_lift_the_factor() -> None:
    calm = chi2s(1.0, 98)
    wild = chi2s(100.0, 2)

    assert learnt(dated(calm + wild)).factor < 1.4


def test_what_the_reference_itself_got_wrong_is_no_dispersion() -> None:
    # With as many rows as a window the reference has half of the error, and all windows have it.
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 0.5**0.5, (100, 9)) + np.r_[1.3, 1.2, 1.1, np.zeros(6)]
    common = [Sight(float((e**2).sum()), 9.0, is_ratio=True, shared=0.5) for e in errors]

    assert np.mean([one.effect / 9 for one in common]) == pytest.approx(1.0, abs=0.1)
    assert learnt(dated(common)).factor == 1.0
    assert learnt(dated(chi2s(1.25, 100, shared=0.05))).factor > 1.2
    assert learnt(dated(chi2s(3.0, 100, shared=0.5))).factor > 2.7


def test_before_thirty_windows_mild_clustering_is_assumed_and_said() -> None:
    few = learnt(dated(chi2s(1.0, FEWEST - 1)))

    assert few.factor == ASSUMED
    assert few.words == "dispersion not learnt yet (29 of 30 windows), taken as 3"
    assert learnt({}).factor == ASSUMED
    assert learnt(dated(chi2s(8.0, 10))).factor > 5
    assert learnt(dated(chi2s(8.0, 10))).words.endswith(" in the others")  # no comma of its own
    assert learnt(dated(chi2s(1.0, FEWEST))).words.endswith("learnt over 30 windows in control")


def test_a_limit_on_a_rate_does_not_wait_for_what_drift_must_wait_for() -> None:
    assert (assumed(TwoSample(9.0, 9)), assumed(Rate(9, 10))) == (ASSUMED, 1.0)
    few = learnt(dated([Sight(x, 0.01, is_ratio=False) for x in (0.5, 0.9, 0.2)]), None, 1.0)
    assert (few.factor, few.words) == (
        1.0,
        "dispersion not learnt yet (3 of 30 windows), taken as 1",
    )


def test_a_scale_that_is_not_learnt_takes_what_the_smaller_one_taught() -> None:
    smaller = Dispersion(1.7, "learnt")

    assert learnt(dated(chi2s(1.0, 20)), smaller) is smaller
    assert learnt(dated(chi2s(1.0, 30)), smaller).factor < 1.4


def test_the_policy_may_fix_it() -> None:
    assert (fixed(2.5).factor, fixed(2.5).words) == (2.5, "dispersion 2.5 fixed by the policy")


@pytest.mark.parametrize(
    "test",
    [
        Rate(9, 10),
        RateGap(Rate(9, 10), Rate(7, 10)),
        RateRatio(Rate(7, 10), Rate(9, 10)),
        Mean(30.0, 12.0, 100),
        Estimate(0.7, 0.02),
    ],
)
def test_whatever_has_a_sampling_error_leaves_a_sight(test: Test) -> None:
    found = seen(test)

    assert found is not None
    assert found.spread > 0
    assert not found.is_ratio


@pytest.mark.parametrize("test", [None, Census(), TwoSample(0.0, 0), Estimate(0.7, 0.0)])
def test_what_has_none_leaves_no_sight(test: Test | None) -> None:
    assert seen(test) is None


def test_a_chi_square_knows_how_much_of_it_is_the_reference() -> None:
    assert seen(TwoSample(9.0, 9), 1_000, 9_000) == Sight(9.0, 9.0, is_ratio=True, shared=0.1)


def experience(
    number: int, sights: dict[int, dict[datetime, Sight]], broken: Broken | None = None
) -> Experience:
    def recall(scale: int) -> Sights:
        return {start: {KEY: one} for start, one in sights.get(scale, {}).items()}

    window = Span(START + number * DAY, START + (number + 1) * DAY)
    return Experience(window, recall, lambda _since, _until: broken or {})


def test_the_first_thirty_windows_teach_at_once_and_later_ones_when_they_have_proven() -> None:
    sights = {1: dated(chi2s(1.0, 30) + chi2s(9.0, 50))}

    # The drift that began at window 30 cannot teach itself normal while it is looked for.
    assert experience(80, sights).dispersion(KEY, 1).factor < 1.4
    assert experience(79 + PROVEN, sights).dispersion(KEY, 1).factor > 3


def test_pools_teach_only_when_they_have_proven() -> None:
    sights = {
        1: dated(chi2s(2.0, 30)),
        2: {START + 2 * n * DAY: one for n, one in enumerate(chi2s(5.0, 40))},
    }

    young, old = experience(80, sights), experience(80 + PROVEN, sights)

    assert young.dispersion(KEY, 2) == young.dispersion(KEY, 1)
    assert old.dispersion(KEY, 2).factor > 4


def test_what_breached_teaches_nothing_nor_does_what_lies_in_a_pool_that_did() -> None:
    sights = {1: dated(chi2s(1.0, 20) + chi2s(50.0, 8) + chi2s(1.0, 20, seed=2))}
    broken = {KEY: [Span(START + 20 * DAY, START + 28 * DAY)]}

    assert experience(50, sights, broken).dispersion(KEY, 1).factor < 1.4
    assert experience(50, sights).dispersion(KEY, 1).factor > 1.4


def test_nothing_is_read_before_it_is_asked() -> None:
    def refuse(*_: object) -> Sights:
        raise AssertionError("read without need")

    Experience(Span(START, START + DAY), refuse, lambda _since, _until: {})


def test_a_level_that_wanders_is_seen_although_the_reference_is_as_uncertain() -> None:
    rng = np.random.default_rng(8)
    calm = chi2s(1.0, 60, shared=0.5)
    ridits = 0.5 + rng.normal(0, (11 * 1e-4) ** 0.5, 60)  # eleven times as far as by sampling
    placed = [
        replace(one, ridit=ridit, variance=1e-4) for one, ridit in zip(calm, ridits, strict=True)
    ]

    assert learnt(dated(calm)).directions.along < 2
    assert learnt(dated(placed)).directions.along == pytest.approx(0.5 * 11 + 0.5, rel=0.35)
