"""Estimates stand on calibrated scores alone, say so, and are never there without them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import CATALOGUE, Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows, labelled_of
from watchkeeper_shared.metric_names import FAMILIES, Family
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system()
NAMES = FAMILIES[Family.ESTIMATED]


def rows(n: int = 2_000, seed: int = 0, **changes: Any) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    score = np.round(rng.uniform(size=n), 3)
    columns: dict[str, Any] = {
        "features.AGEP": rng.normal(40, 10, n),
        "features.RELP": rng.choice(["0", "1"], n),
        "prediction": (score > 0.5).astype(np.int64),
        "score": score,
        "label": (rng.uniform(size=n) < score).astype(np.int64),
        "groups.SEX": rng.choice(["1", "2"], n),
        "groups.RAC1P": rng.choice(["1", "2"], n),
    }
    columns |= {name.replace("__", "."): value for name, value in changes.items()}
    kept = {name: pa.array(value) for name, value in columns.items() if value is not None}
    return pa.record_batch(kept)


def built(batch: pa.RecordBatch, spec: AISystem = SPEC) -> Reference:
    return Reference.build([batch], spec, "s", "1")


REFERENCE = built(rows(5_000, 9))


def profile_of(batch: pa.RecordBatch, grid: Grid = REFERENCE.grid) -> Profile:
    profile = Profile.empty(grid)
    add_rows(profile, batch)
    return profile


def found(
    window: Profile, spec: AISystem = SPEC, reference: Profile | None = None
) -> dict[tuple[str, str], Value]:
    values = measure(spec, window.grid, window, reference)
    return {(one.metric, one.segment): one for one in values if one.metric in NAMES}


def reasons(window: Profile, spec: AISystem = SPEC) -> set[str]:
    values = found(window, spec)
    assert {metric for metric, _ in values} == set(NAMES)
    assert all(one.value is None and one.test is None for one in values.values())
    return {one.note for one in values.values()}


def test_without_a_reference_there_is_nothing_to_calibrate_on() -> None:
    window = profile_of(rows(), Grid.bare(SPEC, "1"))

    assert reasons(window) == {"there is no reference to calibrate scores on"}


@pytest.mark.parametrize(
    "changes",
    [
        {"label": None},
        {"score": None},
        {"label": [1] * 2_000},
        {"label": [0] * 2_000},
        {"label": [1] * 50 + [0] * 49 + [None] * 1_901},
    ],
    ids=["no labels", "no scores", "one class", "the other class", "99 labels"],
)
def test_a_reference_that_cannot_be_calibrated_on_gives_no_estimate(
    changes: dict[str, Any],
) -> None:
    window = profile_of(rows(), built(rows(**changes)).grid)

    (why,) = reasons(window)

    assert why == "the reference has too few labelled scores of both classes to calibrate them on"


def test_more_than_two_classes_are_not_estimated_and_that_is_said() -> None:
    spec = a_system(task="multiclass")
    window = profile_of(rows(), built(rows(), spec).grid)

    assert reasons(window, spec) == {"estimated for two classes only"}


def test_a_regression_has_no_estimates_at_all() -> None:
    spec = a_system(task="regression")
    batch = rows(prediction=np.linspace(0, 1, 2_000), label=np.linspace(0, 2, 2_000))

    assert not found(profile_of(batch, built(batch, spec).grid), spec)


def test_estimates_come_before_any_label() -> None:
    values = found(profile_of(rows(label=None)))

    accuracy = values["estimated_accuracy", ""]
    assert accuracy.value is not None
    assert accuracy.low is not None
    assert accuracy.low < accuracy.value
    assert accuracy.n == 2_000
    assert values["estimation_error_accuracy", ""].note == "no labels with a score yet"


def test_labels_change_no_estimate() -> None:
    before, after = found(profile_of(rows(label=None))), found(profile_of(rows()))

    estimates = [key for key in before if key[0].startswith("estimated_")]
    assert len(estimates) == 5 + 4 * 4
    assert [before[key] for key in estimates] == [after[key] for key in estimates]


def test_rows_without_a_score_are_not_counted() -> None:
    score = rows().column("score").to_pylist()
    half = [one if place % 2 else None for place, one in enumerate(score)]

    values = found(profile_of(rows(score=half)))

    assert values["estimated_accuracy", ""].n == 1_000
    assert values["estimation_error_accuracy", ""].n == 1_000


def test_a_window_without_scores_has_no_estimate() -> None:
    values = found(profile_of(rows(score=None)))

    assert values["estimated_accuracy", ""].note == "no row with a score"
    assert values["estimated_roc_auc", ""].note == "no row with a score"
    assert values["estimated_recall", "SEX=2"].note == "no row of group 2 with a score"


def test_nothing_predicted_positive_leaves_precision_undefined() -> None:
    values = found(profile_of(rows(prediction=[0] * 2_000)))

    assert values["estimated_precision", ""].note == "nothing was predicted positive"
    assert values["estimated_recall", ""].value == 0.0


def test_a_change_of_who_comes_is_seen_before_labels_are() -> None:
    doubtful = np.round(np.random.default_rng(3).uniform(0.35, 0.65, 2_000), 3)
    unsure = rows(score=doubtful, prediction=(doubtful > 0.5).astype(np.int64), label=None)

    usual = found(profile_of(rows(label=None)))["estimated_accuracy", ""]
    now = found(profile_of(unsure))["estimated_accuracy", ""]

    assert usual.low is not None
    assert now.high is not None
    assert now.high < usual.low


def test_a_change_of_what_labels_mean_shows_in_the_track_record_only() -> None:
    swapped = rows(label=1 - rows().column("label").to_numpy())

    values, usual = found(profile_of(swapped)), found(profile_of(rows()))

    error = values["estimation_error_accuracy", ""]
    assert values["estimated_accuracy", ""] == usual["estimated_accuracy", ""]
    assert error.value == pytest.approx(0.5, abs=0.05)
    assert error.low is not None
    assert error.low > 0.4


def test_labels_taken_back_leave_no_trace() -> None:
    batch = rows()
    plain, corrected = profile_of(rows(label=None)), profile_of(batch)

    corrected.add_labels(labelled_of(batch, REFERENCE.grid), sign=-1)

    assert corrected.to_bytes() == plain.to_bytes()


@pytest.mark.parametrize("size", [1, 7, 999, 4_095, 4_097])
def test_any_split_in_any_order_gives_the_same_bytes(size: int) -> None:
    batch = rows(9_000, 4)
    whole = profile_of(batch)
    parts = [batch.slice(at, size) for at in range(0, min(9_000, 40 * size), size)]
    rest = batch.slice(min(9_000, 40 * size))

    merged = Profile.empty(REFERENCE.grid)
    for part in [rest, *reversed(parts)]:
        merged.merge(profile_of(part))

    assert merged.to_bytes() == whole.to_bytes()


def test_the_calibration_is_part_of_what_the_reference_id_covers() -> None:
    other = rows(5_000, 9).column("label").to_numpy().copy()
    other[:500] = 1
    again = Reference.from_bytes(REFERENCE.to_bytes())

    assert again.grid.calibrator == REFERENCE.grid.calibrator
    assert again.id == REFERENCE.id
    assert built(rows(5_000, 9, label=other)).grid.id != REFERENCE.grid.id


def test_every_estimate_is_in_the_catalogue_and_finite() -> None:
    for batch in (rows(), rows(0), rows(1), rows(3, prediction=[1, 1, 1], label=[1, 1, 1])):
        for value in found(profile_of(batch)).values():
            assert value.metric in CATALOGUE
            if value.value is None:
                assert value.note
                continue
            assert value.low is not None
            assert value.high is not None
            assert math.isfinite(value.value)
            assert value.low - 1e-12 <= value.value <= value.high + 1e-12
