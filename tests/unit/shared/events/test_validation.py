"""What holds against a declaration, and what a sender is told about what does not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper_shared.events.codec import JSON, decode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import MIXED
from watchkeeper_shared.events.validation import Checked, check_labels, check_predictions
from watchkeeper_shared.testing.builders import (
    NOON,
    SYSTEM,
    a_batch,
    a_label,
    a_prediction,
    a_system,
)


def checked(rows: list[dict[str, Any]], versions: tuple[str, ...] = (), **spec: Any) -> Checked:
    batch = decode(json.dumps(rows).encode(), JSON)
    return check_predictions(batch, SYSTEM, a_system(**spec), versions, NOON)


def test_good_predictions_pass_whole() -> None:
    result = check_predictions(a_batch(100), SYSTEM, a_system(), {"1"}, NOON)

    assert result.batch.num_rows == 100
    assert result.rejects == ()


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_an_answer_that_is_there_and_holds_nothing_is_missing(task: str) -> None:
    batch = a_batch(2, Kind.LABELS)
    cells = [{"number": 1.0}, {"number": None}]
    label = pa.array(cells, MIXED)
    odd = batch.set_column(batch.schema.get_field_index("label"), "label", label)

    result = check_labels(odd, SYSTEM, a_system(task=task), {"1"}, NOON)

    assert [(one.index, one.code) for one in result.rejects] == [(1, "missing_field")]
    assert result.batch.column("label").null_count == 0


def test_an_unknown_version_is_refused_and_the_known_ones_are_named() -> None:
    result = checked([a_prediction(1), a_prediction(2, version="9")], versions=("2", "1"))

    (reject,) = result.rejects
    assert (reject.index, reject.code) == (1, "unknown_version")
    assert reject.detail == f"version '9' of {SYSTEM} is not known; known are 1, 2"


def test_without_declared_versions_any_is_taken() -> None:
    assert checked([a_prediction(1, version="9")]).rejects == ()


def test_a_row_of_another_system_is_refused() -> None:
    result = checked([a_prediction(1), a_prediction(2, system="credit")])

    (reject,) = result.rejects
    assert reject.code == "unknown_system"
    assert "'credit'" in reject.detail


def test_a_missing_feature_or_attribute_is_null_not_an_error() -> None:
    result = checked([a_prediction(1, features=None, groups={"SEX": None})])

    row = result.batch.to_pylist()[0]
    assert result.rejects == ()
    assert (row["features.AGEP"], row["features.RELP"], row["groups.RAC1P"]) == (None, None, None)
    types = {field.name: str(field.type) for field in result.batch.schema}
    assert (types["features.AGEP"], types["features.RELP"]) == ("double", "string")


def test_what_was_not_declared_is_ignored() -> None:
    row = a_prediction(
        1,
        features={"AGEP": 1, "SHOE": 43},
        groups={"SEX": "1", "HAIR": "red"},
        explanation={"AGEP": 0.1, "SHOE": 0.9},
    )

    names = checked([row]).batch.schema.names

    assert "explanation.AGEP" in names
    assert not [name for name in names if name.endswith(("SHOE", "HAIR"))]


def test_numbers_become_the_categories_that_they_name() -> None:
    rows = [
        a_prediction(n, features={"RELP": value}, groups={"SEX": 2.0})
        for n, value in enumerate([0, 1.0, "1", 1.5, None])
    ]

    batch = checked(rows).batch

    assert batch.column("features.RELP").to_pylist() == ["0", "1", "1", "1.5", None]
    assert set(batch.column("groups.SEX").to_pylist()) == {"2"}


def test_a_text_among_numbers_is_refused_alone() -> None:
    rows = [a_prediction(n, features={"AGEP": value}) for n, value in enumerate([41, "n/a", 43.5])]

    result = checked(rows)

    assert [(one.index, one.code) for one in result.rejects] == [(1, "wrong_type")]
    assert "features.AGEP is a text ('n/a')" in result.rejects[0].detail
    assert result.batch.column("features.AGEP").to_pylist() == [41.0, 43.5]


def test_a_regression_predicts_numbers() -> None:
    rows = [a_prediction(1, prediction=1.5), a_prediction(2, prediction="high")]

    result = checked(rows, task="regression")

    assert [(one.index, one.code) for one in result.rejects] == [(1, "wrong_type")]
    assert result.batch.column("prediction").to_pylist() == [1.5]


def test_a_class_may_be_a_number_or_a_text() -> None:
    rows = [a_prediction(n, prediction=value) for n, value in enumerate([1, "yes", 0.0])]

    assert checked(rows, task="multiclass").batch.column("prediction").to_pylist() == [
        "1",
        "yes",
        "0",
    ]


def test_probabilities_of_classes_lie_between_0_and_1() -> None:
    result = checked([a_prediction(1, scores={"a": 0.2, "b": 1.2})], task="multiclass")

    assert result.rejects[0].code == "out_of_range"
    assert "scores.b is 1.2" in result.rejects[0].detail


@pytest.mark.parametrize(
    ("ahead", "kept"), [(timedelta(minutes=5), 1), (timedelta(301 / 86400), 0)]
)
def test_a_clock_may_run_five_minutes_ahead(ahead: timedelta, kept: int) -> None:
    assert checked([a_prediction(1, time=(NOON + ahead).isoformat())]).batch.num_rows == kept


def test_the_first_reason_is_given_and_each_row_is_refused_once() -> None:
    rows = [a_prediction(1), a_prediction(2, id="", score=2, time="2036-01-01T00:00:00Z")]

    assert [one.code for one in checked(rows).rejects] == ["missing_field"]


def test_a_required_column_that_nobody_sent_refuses_every_row() -> None:
    batch = a_batch(2).drop_columns(["version"])

    result = check_predictions(batch, SYSTEM, a_system(), (), NOON)

    assert [one.detail for one in result.rejects] == ["version is missing"] * 2
    assert result.batch.num_rows == 0


def test_versions_with_features_of_their_own_are_checked_by_them() -> None:
    versions = {"2": {"features": {"AGEP": "categorical"}}}
    rows = [a_prediction(1, version="1"), a_prediction(2, version="2", features={"AGEP": "old"})]

    apart = [checked([row], versions=("1", "2")) for row in rows[:1]]
    together = check_predictions(
        decode(json.dumps(rows).encode(), JSON), SYSTEM, a_system(versions=versions), (), NOON
    )

    assert apart[0].rejects == ()
    assert [one.index for one in together.rejects] == [1]
    assert "one version per batch" in together.rejects[0].detail


def test_labels_are_checked_by_the_same_rules() -> None:
    rows = [a_label(1), a_label(2, label="x" * 200), a_label(3, time="2036-01-01T00:00:00Z")]
    batch = decode(json.dumps(rows).encode(), JSON, Kind.LABELS)

    result = check_labels(batch, SYSTEM, a_system(), {"1"}, NOON)

    assert [(one.index, one.code) for one in result.rejects] == [
        (1, "too_long"),
        (2, "time_in_future"),
    ]


def test_the_scores_that_a_label_tells_of_are_probabilities() -> None:
    rows = [a_label(1, scores={"a": 0.25, "b": 0.75}), a_label(2, scores={"a": 1.5})]
    batch = decode(json.dumps(rows).encode(), JSON, Kind.LABELS)

    result = check_labels(batch, SYSTEM, a_system(), {"1"}, NOON)

    assert [(one.index, one.code) for one in result.rejects] == [(1, "out_of_range")]
    assert result.batch.column("scores.b").to_pylist() == [0.75]


def test_an_instant_that_python_cannot_hold_is_refused_by_name() -> None:
    batch = a_batch(1)
    far = pa.array([2**60], pa.int64()).cast(batch.column("time").type)
    batch = batch.set_column(batch.schema.get_field_index("time"), "time", far)

    (reject,) = check_predictions(batch, SYSTEM, a_system(), (), NOON).rejects

    assert reject.code == "time_in_future"


def test_an_empty_batch_is_nothing_wrong() -> None:
    empty = decode(b"[]", JSON)

    assert check_predictions(empty, SYSTEM, a_system(), {"1"}, NOON).rejects == ()


def test_texts_are_measured_in_characters_also_in_a_piece_of_a_batch() -> None:
    batch = a_batch(4)
    ids = pa.array(["x" * 129, "é" * 128, "é" * 129, "x" * 128])
    batch = batch.set_column(batch.schema.get_field_index("id"), "id", ids)

    whole = check_predictions(batch, SYSTEM, a_system(), (), NOON).rejects
    piece = check_predictions(batch.slice(1, 2), SYSTEM, a_system(), (), NOON).rejects
    short = check_predictions(batch.slice(1, 1), SYSTEM, a_system(), (), NOON).rejects

    assert [(one.index, one.code) for one in whole] == [(0, "too_long"), (2, "too_long")]
    assert [(one.index, one.code) for one in piece] == [(1, "too_long")]
    assert short == ()


@pytest.mark.parametrize(
    "said",
    [
        {"id": "a\0b"},
        {"version": "1\0"},
        {"prediction": "\0"},
        {"groups": {"SEX": "2\0"}},
        {"features": {"AGEP": 41, "RELP": "a\0"}},
    ],
)
def test_a_text_that_no_postgresql_holds_is_refused_by_name(said: dict[str, Any]) -> None:
    result = checked([a_prediction(1), a_prediction(2, **said), a_prediction(3)])

    assert [(one.index, one.code) for one in result.rejects] == [(1, "malformed")]
    assert "NUL" in result.rejects[0].detail
    assert result.batch.num_rows == 2


def test_a_label_that_no_postgresql_holds_is_refused() -> None:
    batch = decode(json.dumps([a_label(1, label="\0"), a_label(2)]).encode(), JSON, Kind.LABELS)

    result = check_labels(batch, SYSTEM, a_system(), (), NOON)
    piece = check_labels(batch.slice(1), SYSTEM, a_system(), (), NOON)

    assert [(one.index, one.code) for one in result.rejects] == [(0, "malformed")]
    assert piece.rejects == ()


def test_a_class_whose_name_no_postgresql_holds_is_not_kept() -> None:
    result = checked([a_prediction(1, scores={"a\0": 0.5, "b": 0.5})])

    assert [name for name in result.batch.schema.names if name.startswith("scores.")] == [
        "scores.b"
    ]
