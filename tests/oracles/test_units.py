"""Errors of a regression in any unit: exact with and without a reference; and how sure they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_predict

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import add_rows
from watchkeeper_shared.specs import AISystem, Group, Task


@pytest.fixture
def spec(survey: Any) -> AISystem:
    found: AISystem = survey(task=Task.REGRESSION, features={}, groups={"SEX": Group("1")})
    return found


def priced(n: int, unit: float, error: float, seed: int = 1) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    label = unit * rng.normal(5, 1, n)
    columns = {
        "prediction": label + unit * error * rng.normal(size=n),
        "label": label,
        "groups.SEX": np.array(["1", "2"])[np.arange(n) % 2],
    }
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def errors_of(batch: pa.RecordBatch) -> Any:
    return batch["prediction"].to_numpy() - batch["label"].to_numpy()


def unreferenced(spec: AISystem, batch: pa.RecordBatch) -> dict[tuple[str, str], Value]:
    grid = Grid.bare(spec, "1")
    profile = Profile.empty(grid)
    add_rows(profile, batch)
    return {(one.metric, one.segment): one for one in measure(spec, grid, profile, None)}


@pytest.mark.parametrize("error", [0.3, 0.03, 1e-2, 1e-3, 1e-4])
def test_the_interval_of_a_good_model_is_that_of_its_squared_errors(
    answering: Any, spec: AISystem, error: float
) -> None:
    """The fourth powers of errors of a hundredth are too small to be summed."""
    stream = answering(spec, priced(3_000, 1.0, 0.3), priced(2_000, 1.0, error, 2))
    squares = errors_of(stream.window) ** 2
    exact = stats.t.interval(0.95, 1_999, squares.mean(), stats.sem(squares))

    value = stream.answers.of("rmse")

    assert [value.low, value.high] == pytest.approx(np.sqrt(exact), rel=2e-3)


@pytest.mark.parametrize("error", [0.3, 1e-2, 1e-3, 1e-4])
def test_the_interval_of_relative_errors_is_never_too_sure(
    answering: Any, spec: AISystem, error: float
) -> None:
    stream = answering(spec, priced(3_000, 1.0, 0.3), priced(2_000, 1.0, error, 2))
    relative = np.abs(errors_of(stream.window) / stream.window["label"].to_numpy())
    low, high = stats.t.interval(0.95, 1_999, relative.mean(), stats.sem(relative))

    value = stream.answers.of("mape")

    assert value.value == pytest.approx(relative.mean(), rel=1e-7)
    assert value.low <= low + 1e-12
    assert high - 1e-12 <= value.high <= high * (1 + 1e-4) + 1e-4


@pytest.fixture(scope="module")
def progress() -> tuple[Any, Any, Any]:
    """Real labels, out-of-fold predictions and a group: diabetes a year on, from 25 to 346."""
    rows, label = load_diabetes(return_X_y=True)
    return label, cross_val_predict(LinearRegression(), rows, label), (rows[:, 1] > 0).astype(int)


def diagnosed(progress: tuple[Any, Any, Any], unit: float, origin: float = 0.0) -> pa.RecordBatch:
    label, predicted, sex = progress
    columns = {
        "prediction": unit * predicted + origin,
        "label": unit * label + origin,
        "groups.SEX": np.array(["1", "2"])[sex],
    }
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


ORACLES = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "mean_error": lambda label, predicted: float(np.mean(predicted - label)),
}


def assert_they_are_scikit_learns(found: dict[tuple[str, str], Any], batch: pa.RecordBatch) -> None:
    label, predicted = (batch[name].to_numpy() for name in ("label", "prediction"))
    errors = predicted - label
    nearly = 1e-10 * float(np.abs(errors).mean())
    for metric, oracle in ORACLES.items():
        value = found[metric, ""]
        assert value.value == pytest.approx(oracle(label, predicted), rel=1e-9, abs=nearly), metric
        assert value.low < value.value < value.high, metric
        assert value.note == ""
    low, high = stats.t.interval(0.95, len(errors) - 1, np.mean(errors**2), stats.sem(errors**2))
    rmse = found["rmse", ""]
    assert [rmse.low, rmse.high] == pytest.approx(np.sqrt([low, high]), rel=2e-3)
    assert found["max_error", ""].value == pytest.approx(np.abs(errors).max(), rel=0.016)
    first = np.array(batch["groups.SEX"].to_pylist()) == "1"
    assert_a_group_is(found["group_mean_prediction", "SEX=1"], predicted[first])
    assert_a_group_is(found["group_mean_error", "SEX=1"], errors[first])


def assert_a_group_is(value: Value, rows: Any) -> None:
    mean, error = float(np.mean(rows)), float(stats.sem(rows))

    assert value.value == pytest.approx(mean, rel=1e-9)
    assert [value.low, value.high] == pytest.approx(
        stats.norm.interval(0.95, mean, error), rel=1e-9
    )


UNITS = [1e-6, 1.0, 1e3, 3e5, 1e9]


@pytest.mark.parametrize("unit", UNITS)
def test_without_a_reference_errors_in_any_unit_are_scikit_learns(
    spec: AISystem, progress: tuple[Any, Any, Any], unit: float
) -> None:
    """House prices of 300,000 had no number, and shares of a millionth an RMSE of 0."""
    batch = diagnosed(progress, unit)
    label, predicted = (batch[name].to_numpy() for name in ("label", "prediction"))

    found = unreferenced(spec, batch)

    assert_they_are_scikit_learns(found, batch)
    assert found["mape", ""].value == pytest.approx(
        sk.mean_absolute_percentage_error(label, predicted), rel=1e-12
    )


@pytest.mark.parametrize("unit", UNITS)
def test_with_a_reference_errors_in_any_unit_are_scikit_learns(
    answering: Any, spec: AISystem, progress: tuple[Any, Any, Any], unit: float
) -> None:
    batch = diagnosed(progress, unit)

    stream = answering(spec, batch, batch)

    found = {(one.metric, one.segment): one for one in stream.answers.values}
    assert_they_are_scikit_learns(found, batch)


@pytest.mark.parametrize("unit", [3e5, 1e9])
def test_a_window_in_another_unit_than_its_reference_is_measured_as_it_is(
    answering: Any, spec: AISystem, progress: tuple[Any, Any, Any], unit: float
) -> None:
    """Past 1,024 standard deviations all sums were held, and R2 read `all labels are equal`."""
    batch = diagnosed(progress, unit)

    stream = answering(spec, diagnosed(progress, 1.0), batch)

    found = {(one.metric, one.segment): one for one in stream.answers.values}
    assert_they_are_scikit_learns(found, batch)


def test_near_and_far_rows_of_one_window_are_summed_together(
    answering: Any, spec: AISystem, progress: tuple[Any, Any, Any]
) -> None:
    reference = diagnosed(progress, 1.0)
    window = pa.Table.from_batches([reference, diagnosed(progress, 1e4)]).combine_chunks()
    (window,) = window.to_batches()

    stream = answering(spec, reference, window)

    found = {(one.metric, one.segment): one for one in stream.answers.values}
    assert_they_are_scikit_learns(found, window)


@pytest.mark.parametrize("referenced", [False, True])
def test_labels_far_from_zero_that_hardly_differ_keep_their_r2(
    answering: Any, spec: AISystem, progress: tuple[Any, Any, Any], *, referenced: bool
) -> None:
    """Times in seconds since 1970: of their squares only the last bits differ."""
    batch = diagnosed(progress, 1.0, origin=1.7e9)
    label, predicted = (batch[name].to_numpy() for name in ("label", "prediction"))

    if referenced:
        value = answering(spec, batch, batch).answers.of("r2")
    else:
        value = unreferenced(spec, batch)["r2", ""]

    assert value.value == pytest.approx(sk.r2_score(label, predicted), rel=1e-9)


def test_labels_that_are_all_equal_have_no_r2(spec: AISystem) -> None:
    batch = pa.record_batch(
        {
            "prediction": pa.array([1e5 + 0.1 * at for at in range(9)]),
            "label": pa.array([1e5 / 3] * 9),
        }
    )

    value = unreferenced(spec, batch)["r2", ""]

    assert (value.value, value.note) == (None, "all labels are equal")


@pytest.mark.parametrize("label", [5.1, 1 / 7, 0.3])
def test_labels_that_are_all_equal_have_no_r2_beside_a_reference_either(
    answering: Any, spec: AISystem, label: float
) -> None:
    """What rounding left of their spread made an R2 of -6e13."""
    window = priced(2_000, 1.0, 0.3, 2).set_column(1, "label", pa.array([label] * 2_000))

    value = answering(spec, priced(3_000, 1.0, 0.3), window).answers.of("r2")

    assert (value.value, value.note[:20]) == (None, "all labels are equal")


def test_no_label_is_no_number_however_large_predictions_are(spec: AISystem) -> None:
    batch = priced(50, 3e5, 0.3).set_column(1, "label", pa.nulls(50, pa.float64()))

    found = unreferenced(spec, batch)

    for metric in (*ORACLES, "mape", "max_error"):
        assert (found[metric, ""].value, found[metric, ""].note) == (None, "no labels yet")


@pytest.mark.parametrize("referenced", [False, True])
def test_what_lies_past_all_that_is_summed_is_told_beside_the_number(
    answering: Any, spec: AISystem, *, referenced: bool
) -> None:
    """A system gone mad is no reason to fall silent."""
    window = priced(2_000, 1.0, 0.3, 2)
    mad = window["prediction"].to_numpy().copy()
    mad[0] = 1e30
    window = window.set_column(0, "prediction", pa.array(mad))
    if referenced:
        values = answering(spec, priced(3_000, 1.0, 0.3), window).answers.values
        found = {(one.metric, one.segment): one for one in values}
    else:
        found = unreferenced(spec, window)

    for key in (("mae", ""), ("max_error", ""), ("group_mean_prediction", "SEX=1")):
        value = found[key]
        assert value.value is not None
        assert "what lies past 1.8e+19" in value.note
        assert (value.low, value.high) == (None, None)


def test_the_interval_of_r2_holds_the_truth_nineteen_times_of_twenty(
    answering: Any, spec: AISystem
) -> None:
    """The spread of the labels is an estimate as well: taken as known, it held six of seven."""
    reference = priced(3_000, 1.0, 0.5)
    held = [
        value.low <= 1 - 0.5**2 <= value.high
        for value in (
            answering(spec, reference, priced(200, 1.0, 0.5, seed)).answers.of("r2")
            for seed in range(100, 300)
        )
    ]

    assert 0.91 <= np.mean(held) <= 0.99
