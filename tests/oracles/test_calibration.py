"""The calibration error against raw rows, and against thousands of windows with a known truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from watchkeeper_monitor.metrics.calibration import Calibration, of_bins
from watchkeeper_monitor.metrics.chance import mean_deviation
from watchkeeper_monitor.metrics.intervals import normal_beyond

BINS = 15
Shape = Callable[[Any], Any]


def right(score: Any) -> Any:
    return score


def shifted(score: Any) -> Any:
    return np.minimum(score + 0.07, 1.0)


def overconfident(score: Any) -> Any:
    odds = score / (1 - score)
    return np.sqrt(odds) / (1 + np.sqrt(odds))


def one_bad_bin(score: Any) -> Any:
    return np.where((score * BINS).astype(int) == 4, score + 0.4, score)


def binned(score: Any, weights: Any = None) -> Any:
    """Sums by bin of `[windows, n]` scores, `[windows, bins]`."""
    places = np.minimum((score * BINS).astype(int), BINS - 1)
    places += BINS * np.arange(len(score))[:, None]
    flat = None if weights is None else weights.ravel()
    return np.bincount(places.ravel(), flat, BINS * len(score)).reshape(-1, BINS)


def windows(shape: Shape, n: int, count: int = 400) -> tuple[list[Calibration], float]:
    """What windows of n rows say, and the error that 400,000 rows' own probabilities have."""
    rng = np.random.default_rng(n)
    score = rng.uniform(1e-9, 1 - 1e-9, (count, n))
    positive = (rng.uniform(size=score.shape) < shape(score)).astype(float)
    hits = binned(score, positive).astype(np.int64)
    many = rng.uniform(1e-9, 1 - 1e-9, (1, 400_000))
    truth = float(np.abs(binned(many, shape(many) - many)).sum() / many.size)
    return of_bins(binned(score), hits, binned(score, score)), truth


@pytest.mark.parametrize(
    ("shape", "n", "off"),
    [
        (shifted, 500, 0.010),
        (shifted, 2_000, 0.003),
        (shifted, 10_000, 0.001),
        (overconfident, 500, 0.010),
        (overconfident, 2_000, 0.003),
        (one_bad_bin, 500, 0.010),
        (one_bad_bin, 2_000, 0.003),
        (right, 500, 0.015),
        (right, 2_000, 0.007),
        (right, 10_000, 0.004),
    ],
)
def test_what_is_shown_is_the_true_error_on_average(shape: Shape, n: int, off: float) -> None:
    """Less the whole mean deviation, a shift of 0.07 shows 0.04 too little at 500 rows."""
    found, truth = windows(shape, n)

    assert float(np.mean([one.value for one in found])) == pytest.approx(truth, abs=off)


@pytest.mark.parametrize("shape", [right, shifted, overconfident, one_bad_bin])
@pytest.mark.parametrize("n", [100, 500, 2_000, 10_000])
def test_intervals_hold_the_true_error(shape: Shape, n: int) -> None:
    found, truth = windows(shape, n)
    held = [one.interval[0] <= truth <= one.interval[1] for one in found]

    assert float(np.mean(held)) > 0.93


@pytest.mark.parametrize("shape", [shifted, overconfident, one_bad_bin])
def test_a_test_at_the_limit_passes_as_seldom_as_its_level(shape: Shape) -> None:
    """One in a hundred of 1,000 windows, and three standard deviations of a count of ten."""
    found, truth = windows(shape, 2_000, 1_000)
    tests = [one.test for one in found]
    passed = [normal_beyond(t.value - t.bound, t.error, truth, below=False) < 0.01 for t in tests]

    assert sum(passed) <= 19


def test_a_row_that_is_all_but_certain_weighs_no_more_than_one_that_is() -> None:
    """Its bin knows nothing of the others, however little is missing to 1."""
    rows = np.array([[14, 13, 12, 15, 13, 14, 12, 13, 14, 13, 12, 14, 13, 12, 5]])
    middle = (np.arange(BINS) + 0.5) / BINS
    sums = rows * middle
    hits = np.rint(rows * np.minimum(middle + 0.07, 1)).astype(np.int64)
    hits[0, -1] = 5

    found = [
        of_bins(rows, hits, np.append(sums[:, :-1], [[5.0 - missing]], axis=1))[0].value
        for missing in (0.0, 1e-12, 1e-9, 1e-6)
    ]

    assert found == pytest.approx([found[0]] * 4, abs=1e-6)


def test_the_parts_are_those_of_the_raw_rows(stream: Any) -> None:
    y, score = (stream.window.column(name).to_numpy(False) for name in ("label", "score"))
    raw = float(np.abs(binned(score[None], (y - score)[None])).sum() / len(y))
    rng = np.random.default_rng(0)
    again = (rng.uniform(size=(200, len(y))) < score) - score
    usual = np.abs(binned(np.broadcast_to(score, again.shape), again)).sum(axis=1) / len(y)

    value = stream.answers.of("ece")
    shown, chance, calibrated = (float(part) for part in re.findall(r"\d\.\d{4}", value.note))

    assert shown == pytest.approx(raw, abs=5e-5)
    assert calibrated == pytest.approx(float(usual.mean()), rel=0.05)
    assert 0 <= chance <= calibrated
    assert value.value == pytest.approx(raw - chance, abs=1e-4)


def test_the_chance_of_a_bin_is_the_mean_deviation_of_a_binomial() -> None:
    rng = np.random.default_rng(3)
    for n, p in ((1, 0.3), (7, 0.5), (40, 0.05), (900, 0.7)):
        drawn = np.abs(rng.binomial(n, p, 200_000) - n * p).mean()

        assert mean_deviation(np.array([n]), np.array([n * p]))[0] == pytest.approx(drawn, rel=0.02)
