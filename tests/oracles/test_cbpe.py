"""Estimates before labels come, against scikit-learn's isotonic regression on the raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from watchkeeper_monitor.grids.calibration import Calibrator

Floats = npt.NDArray[np.float64]


def isotonic(scores: Floats, labels: npt.NDArray[np.int64]) -> Any:
    return IsotonicRegression(out_of_bounds="clip", increasing=True).fit(scores, labels)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 12]), st.integers(120, 3_000))
def test_the_calibration_is_scikit_learns(seed: int, decimals: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.round(rng.beta(0.8, 0.8, n), decimals)
    labels = (rng.uniform(size=n) < scores**2).astype(np.int64)
    labels[:2] = 0, 1
    asked = np.concatenate([rng.uniform(-0.1, 1.1, 500), scores])

    ours = Calibrator.fit(scores, labels == 1)

    assert ours is not None
    theirs = isotonic(scores, labels).predict(asked)
    np.testing.assert_allclose(ours.probability(asked), theirs, rtol=0, atol=1e-12)
    assert np.all(np.diff(ours.scores) > 0)
    assert np.all(np.diff(ours.probabilities) >= 0)


def test_the_order_of_reference_rows_changes_no_bit() -> None:
    rng = np.random.default_rng(7)
    scores = np.round(rng.uniform(size=5_000), 3)
    positive = rng.uniform(size=5_000) < scores
    shuffled = rng.permutation(5_000)

    assert Calibrator.fit(scores, positive) == Calibrator.fit(scores[shuffled], positive[shuffled])


class Expected:
    """The same estimates from raw rows: probabilities summed one by one."""

    def __init__(self, reference: pa.RecordBatch, window: pa.RecordBatch) -> None:
        fitted = isotonic(*(reference.column(name).to_numpy() for name in ("score", "label")))
        self.p = fitted.predict(window.column("score").to_numpy())
        self.called = window.column("prediction").to_numpy() == 1

    def numbers(self, rows: Any = slice(None)) -> dict[str, float]:
        p, called = self.p[rows], self.called[rows]
        tp, fn = p[called].sum(), p[~called].sum()
        fp, tn = (1 - p[called]).sum(), (1 - p[~called]).sum()
        return {
            "accuracy": (tp + tn) / p.size,
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
        }


def test_sums_give_the_numbers_of_the_raw_rows(stream: Any) -> None:
    exact = Expected(stream.reference, stream.window).numbers()

    for name, number in exact.items():
        assert stream.answers.number(f"estimated_{name}") == pytest.approx(number, abs=1e-12)


def test_groups_have_estimates_of_their_own(stream: Any) -> None:
    expected = Expected(stream.reference, stream.window)
    sex = stream.window.column("groups.SEX").to_numpy(False)
    exact = {value: expected.numbers(sex == value) for value in ("1", "2")}

    for value, numbers in exact.items():
        for name, number in numbers.items():
            ours = stream.answers.number(f"estimated_{name}", "SEX", f"SEX={value}")
            assert ours == pytest.approx(number, abs=1e-12)
    gap = stream.answers.number("estimated_equal_opportunity_difference", "SEX", "SEX=2")
    assert gap == pytest.approx(abs(exact["1"]["recall"] - exact["2"]["recall"]), abs=1e-12)


def test_the_estimated_area_is_within_its_bound(stream: Any) -> None:
    p = Expected(stream.reference, stream.window).p
    score = stream.window.column("score").to_numpy()
    weights = np.concatenate([p, 1 - p])
    labels = np.repeat([1, 0], p.size)

    exact = sk.roc_auc_score(labels, np.concatenate([score, score]), sample_weight=weights)

    ours = stream.answers.of("estimated_roc_auc")
    assert abs(ours.value - exact) <= ours.test.bound
    assert abs(ours.value - exact) < 2e-5


def test_the_track_record_is_estimate_minus_realised(stream: Any) -> None:
    y, predicted, score = (
        stream.window.column(name).to_numpy() for name in ("label", "prediction", "score")
    )
    exact = Expected(stream.reference, stream.window).numbers()
    realised = {
        "accuracy": sk.accuracy_score(y, predicted),
        "precision": sk.precision_score(y, predicted),
        "recall": sk.recall_score(y, predicted),
        "f1": sk.f1_score(y, predicted),
    }

    for name, number in realised.items():
        error = stream.answers.of(f"estimation_error_{name}")
        assert error.value == pytest.approx(exact[name] - number, abs=1e-12)
        assert error.n == y.size
    area = stream.answers.number("estimation_error_roc_auc")
    estimated = stream.answers.number("estimated_roc_auc")
    assert area == pytest.approx(estimated - sk.roc_auc_score(y, score), abs=1e-3)


@pytest.mark.parametrize("attribute", ["SEX", "RACE", "SEX&RACE"])
def test_a_group_is_called_what_the_realised_rates_call_it(stream: Any, attribute: str) -> None:
    """Else no label could ever confirm that the breach of an estimate is over."""

    def groups(metric: str) -> list[str]:
        values = stream.answers.values
        return [one.segment for one in values if (one.metric, one.column) == (metric, attribute)]

    realised = groups("true_positive_rate")

    assert len(realised) >= 2
    assert [one for one in groups("estimated_recall") if one] == realised
    against = [one for one in groups("equal_opportunity_difference") if one]
    assert groups("estimated_equal_opportunity_difference") == against
