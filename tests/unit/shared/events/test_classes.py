"""A value is the same class, category or number whatever is beside it."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper_shared.events.batches import concatenate, values_column
from watchkeeper_shared.events.classes import as_classes, class_name
from watchkeeper_shared.events.codec import JSON, decode
from watchkeeper_shared.events.validation import check_predictions
from watchkeeper_shared.testing.builders import NOON, SYSTEM, a_prediction, a_system

LONG = 2**53 + 1


@pytest.mark.parametrize("beside", [[0.5], ["x"], [0.5, "x"], [None, 1e300], [-LONG, 2.0**53]])
def test_a_long_whole_number_is_the_same_class_whatever_is_beside_it(beside: list[Any]) -> None:
    rows = [a_prediction(n, prediction=1, features={"A": v}) for n, v in enumerate([LONG, *beside])]

    together = decode(json.dumps(rows).encode(), JSON).column("features.A")

    assert as_classes(together)[0].as_py() == str(LONG)
    assert as_classes(together).to_pylist()[1:] == [
        v if v is None else class_name(v) for v in beside
    ]


def test_joining_batches_changes_no_class() -> None:
    answers: list[list[Any]] = [[LONG, 1], [0.5, 2.0**53], [None, None], ["x", "1.0"]]
    parts = [pa.record_batch({"label": values_column(values)}) for values in answers]
    alone = [name for part in parts for name in as_classes(part.column("label")).to_pylist()]

    for chosen in (parts, parts[:2], parts[1::-1]):
        joined = as_classes(concatenate(chosen).column("label")).to_pylist()
        assert sorted(map(str, joined)) == sorted(map(str, alone[: len(joined)]))


def test_a_batch_that_knows_nothing_of_a_column_does_not_make_texts_of_anothers_numbers() -> None:
    numbers = pa.record_batch({"features.A": pa.array([1.5, 2.5])})
    nulls = pa.record_batch({"features.A": pa.nulls(2, pa.string())})

    for parts in ([numbers, nulls], [nulls, numbers]):
        assert concatenate(parts).column("features.A").type == pa.float64()


def test_answers_that_nobody_knows_yet_are_joined_whatever_type_they_were_sent_in() -> None:
    parts = [pa.record_batch({"label": pa.nulls(1, kind)}) for kind in (pa.int64(), pa.float64())]

    for chosen in (parts, parts[::-1], [part.slice(0, 0) for part in parts]):
        assert concatenate(chosen).column("label").null_count == sum(map(len, chosen))


def test_what_a_regression_predicts_is_a_float_whole_or_not() -> None:
    spec = a_system(task="regression")
    parts = []
    for value in (LONG, 0.5):
        batch = decode(json.dumps(a_prediction(1, prediction=value)).encode(), JSON)
        checked = check_predictions(batch, SYSTEM, spec, (), NOON)
        parts.append(checked.batch.select(["prediction"]))

    assert concatenate(parts).column("prediction").to_pylist() == [float(LONG), 0.5]
