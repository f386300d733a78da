"""Where a series lies in control is learnt around whatever offset it has, and tested twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from watchkeeper_monitor.metrics import TwoSample, Value
from watchkeeper_monitor.metrics.chisquare import two_sample
from watchkeeper_monitor.metrics.intervals import student_beyond
from watchkeeper_monitor.metrics.ragged import Ragged
from watchkeeper_monitor.metrics.ridits import Ridits
from watchkeeper_monitor.rule.dispersion import FEWEST, Dispersion, Sight, fixed, learnt, sight
from watchkeeper_monitor.rule.findings import Finding, find
from watchkeeper_monitor.rule.usual import usual

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

START = datetime(2026, 1, 1, tzinfo=UTC)
LEVEL = 2.5e-5
CELLS = hnp.arrays(np.int64, 6, elements=st.integers(0, 40)).filter(lambda counts: counts.any())


def a_test(window: Ints, reference: Ints) -> TwoSample:
    plain = two_sample(window, reference)
    place = (one.item() for one in of_one(window, reference))
    return TwoSample(plain.statistic, plain.dof, *place) if plain.dof else plain


def of_one(window: Ints, reference: Ints) -> tuple[Floats, Floats, Floats]:
    """Return the mean ridit of one window of one distribution, and its variances."""
    return Ridits.of(Ragged.of([window.size]), reference).of_windows(window[None, :])


def counts(values: Floats, edges: Floats) -> Ints:
    return np.bincount(np.searchsorted(edges, values), minlength=10)


def taught(tests: list[TwoSample], reference_rows: int) -> Dispersion:
    values = [
        Value("psi", "AGE", "", 0.1, None, None, 1_000, reference_rows, test) for test in tests
    ]
    sights = [one for one in map(sight, values) if one is not None]
    return learnt({START + at * timedelta(days=1): one for at, one in enumerate(sights)})


class Source:
    """Windows of 1,000 normal rows against the deciles of a reference."""

    def __init__(self, seed: int, reference_rows: int) -> None:
        self._rng = np.random.default_rng(seed)
        rows = self._rng.normal(size=reference_rows)
        self._edges = np.quantile(rows, np.arange(1, 10) / 10)
        self._reference = counts(rows, self._edges)

    def test(self, shift: float = 0.0, windows: int = 1) -> TwoSample:
        rows = self._rng.normal(shift, size=1_000 * windows)
        return a_test(counts(rows, self._edges), self._reference)


def found(test: TwoSample, dispersion: Dispersion) -> Finding:
    return find(test, 0.1, below=False, dispersion=dispersion)


@given(CELLS, CELLS)
def test_the_mean_ridit_is_the_chance_to_lie_above_the_reference(window: Ints, base: Ints) -> None:
    of_each = (np.repeat(np.arange(6), rows).astype(float) for rows in (window, base))
    u = stats.mannwhitneyu(*of_each, method="asymptotic").statistic if window.any() else 0.0

    mean, variance, base_variance = (one.item() for one in of_one(window, base))

    scores = (np.cumsum(base) - base / 2) / base.sum()
    assert mean == pytest.approx(u / window.sum() / base.sum())
    row = np.average(scores**2, weights=base) - 0.25
    assert variance * window.sum() == pytest.approx(row, abs=1e-12)
    assert base_variance * base.sum() == pytest.approx(row, abs=1e-12)


@pytest.mark.parametrize(("cluster", "share"), [(1.0, 0.005), (3.0, 0.01)])
def test_a_window_like_the_others_is_called_unusual_no_more_often_than_the_level_says(
    cluster: float, share: float
) -> None:
    rng = np.random.default_rng(5)
    variances = np.full(FEWEST, 1e-4)
    below = 0
    for _ in range(10_000):
        place = rng.normal(0.5, 0.03)  # of a small reference; the windows share it
        *earlier, last = rng.normal(place, np.sqrt(cluster * 1e-4), FEWEST + 1)
        known = usual(np.array(earlier), variances)
        t = known.from_usual(TwoSample(0.0, 9, last, 1e-4, 1e-3))
        below += student_beyond(t, known.windows - 1) < 0.01

    # Independent rows: half as often, for the factor is held at 1.
    assert below / 10_000 == pytest.approx(share, abs=0.0025)


def test_a_shift_that_a_small_reference_hides_from_chi_square_is_found() -> None:
    """Its own error lies against the shift: 64 windows are not enough for chi-square."""
    hidden = 0
    for seed in range(40):
        source = Source(seed, 1_000)
        known = taught([source.test() for _ in range(FEWEST)], 1_000)
        lasting = source.test(shift=0.2, windows=64)
        hidden += found(lasting, Dispersion()).probability > LEVEL
        assert found(lasting, known).probability < LEVEL

    assert hidden >= 4


def test_an_offset_since_the_first_window_does_not_pass_for_dispersion() -> None:
    """Chi-square takes it for dispersion; the windows agree with each other and not with it."""
    source = Source(3, 10_000)
    known = taught([source.test(shift=0.1) for _ in range(FEWEST)], 10_000)
    later = source.test(shift=0.1, windows=4)

    assert known.factor > 1.5
    assert known.usual is not None
    assert known.usual.factor < 1.5
    assert abs(known.usual.from_usual(later)) < 3
    said = found(later, known)
    assert said.probability < LEVEL
    assert "of the reference where 50.0% would be alike, t " in said.words


def test_a_slow_drift_that_was_learnt_is_still_seen_against_the_reference() -> None:
    source = Source(4, 10_000)
    known = taught([source.test(shift=0.004 * day) for day in range(FEWEST)], 10_000)

    assert found(source.test(shift=0.12, windows=16), known).probability < LEVEL


def test_clustered_windows_need_more_evidence() -> None:
    rng = np.random.default_rng(6)
    test = TwoSample(9.0, 9, 0.55, 1e-4, 1e-5)
    plain, clustered = (
        usual(rng.normal(0.5, np.sqrt(factor * 1e-4), 100), np.full(100, 1e-4))
        for factor in (1.0, 4.0)
    )

    assert clustered.factor == pytest.approx(4.0, rel=0.3)
    assert abs(clustered.from_usual(test)) < 0.7 * abs(plain.from_usual(test))


def test_a_few_wild_windows_do_not_make_all_others_usual() -> None:
    rng = np.random.default_rng(7)
    means = np.r_[rng.normal(0.5, 0.01, 97), 0.9, 0.1, 0.9]

    assert usual(means, np.full(100, 1e-4)).factor < 2


def test_three_looks_share_the_level_and_the_strongest_speaks() -> None:
    known = learnt({START + n * timedelta(days=1): a_sight(0.5) for n in range(FEWEST)})
    test = TwoSample(60.0, 9, 0.5, 1e-4, 1e-5)

    alone, of_three = found(test, Dispersion()), found(test, known)

    assert of_three.probability == pytest.approx(3 * alone.probability)
    assert of_three.words.startswith(
        "chi2 60.0 with 9 degrees of freedom (p 1.3e-09), dispersion 1 learnt"
    )
    moved = found(TwoSample(9.0, 9, 0.6, 1e-4, 1e-5), known)
    assert moved.words == (
        "rows lie above 60.0% of the reference where 50.0% is usual, t 9.8, "
        "dispersion 1 between 30 windows in control,"
    )


@pytest.mark.parametrize("windows", [0, FEWEST - 1])
def test_until_thirty_windows_have_taught_chi_square_has_the_level_to_itself(windows: int) -> None:
    known = learnt({START + n * timedelta(days=1): a_sight(0.5) for n in range(windows)})

    assert known.usual is None


def test_the_place_of_a_window_counts_each_cell_at_its_middle() -> None:
    place, _, _ = of_one(np.array([20, 10, 70]), np.array([40, 30, 30]))

    assert place == pytest.approx(0.2 * 0.2 + 0.1 * 0.55 + 0.7 * 0.85)


def test_where_windows_without_order_lie_is_never_learnt() -> None:
    known = learnt({START: a_sight(0.5)} | {START + timedelta(n): plain() for n in range(1, 90)})

    assert known.usual is None


def test_a_policy_that_fixes_the_factor_fixes_it_for_every_look() -> None:
    known = learnt({START + n * timedelta(days=1): a_sight(0.5) for n in range(FEWEST)})

    held = fixed(2.5, known)

    assert known.usual is not None
    assert held.usual is not None
    assert (held.factor, held.usual.factor, held.usual.mean) == (2.5, 2.5, known.usual.mean)


def test_sights_from_before_places_were_kept_are_read() -> None:
    stored = msgspec.msgpack.encode({"effect": 9.0, "spread": 9.0, "is_ratio": True, "shared": 0.1})

    assert msgspec.msgpack.decode(stored, type=Sight) == Sight(9.0, 9.0, is_ratio=True, shared=0.1)


def a_sight(ridit: float) -> Sight:
    return Sight(8.0, 9.0, is_ratio=True, ridit=ridit, variance=1e-4)


def plain() -> Sight:
    return Sight(9.0, 9.0, is_ratio=True)
