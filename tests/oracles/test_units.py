"""Errors of a regression in any unit: exact, or said to be none; and how sure, for good models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

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


@pytest.mark.parametrize("error", [0.3, 1e-3])
def test_prices_without_a_reference_are_right_or_have_no_number(
    spec: AISystem, error: float
) -> None:
    """There the unit of all sums is 1, and a row is held to 1,024 of them."""
    batch = priced(2_000, 3e5, error)
    mean = float(np.abs(errors_of(batch)).mean())
    predicted = float(batch["prediction"].to_numpy()[::2].mean())

    found = unreferenced(spec, batch)

    for name, segment, exact in (
        ("mae", "", mean),
        ("group_mean_prediction", "SEX=1", predicted),
        ("group_mean_error", "SEX=1", float(errors_of(batch)[::2].mean())),
        ("r2", "", 1 - error**2),
    ):
        value = found[name, segment]
        if value.value is None:
            assert "only where a reference gives a standard deviation" in value.note
        else:
            assert value.value == pytest.approx(exact, rel=1e-9, abs=1e-9), name


def test_small_numbers_without_a_reference_are_all_there(spec: AISystem) -> None:
    batch = priced(2_000, 10.0, 0.3)

    found = unreferenced(spec, batch)

    assert found["mae", ""].value == pytest.approx(np.abs(errors_of(batch)).mean(), rel=1e-12)
    assert found["group_mean_prediction", "SEX=1"].value == pytest.approx(
        batch["prediction"].to_numpy()[::2].mean(), rel=1e-12
    )
    assert (found["r2", ""].value or 0) > 0.9


def test_an_error_past_what_is_summed_is_told_beside_the_number(
    answering: Any, spec: AISystem
) -> None:
    """A system gone mad is no reason to fall silent."""
    window = priced(2_000, 1.0, 0.3, 2)
    mad = window["prediction"].to_numpy().copy()
    mad[0] = 1e6
    stream = answering(
        spec, priced(3_000, 1.0, 0.3), window.set_column(0, "prediction", pa.array(mad))
    )

    for name, segment in (("mae", ""), ("max_error", ""), ("group_mean_prediction", "SEX=1")):
        value = stream.answers.of(name, "SEX" if segment else "", segment)
        assert value.value is not None
        assert "past 1,024 reference standard deviations" in value.note
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
