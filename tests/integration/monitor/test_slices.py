"""A rule about a slice is judged on the rows of the slice, from the log to the measurement."""

from __future__ import annotations

from typing import Any

from watchkeeper_shared.db import tables

RULES: list[dict[str, Any]] = [
    {
        "id": "accuracy-2",
        "metric": "accuracy",
        "below": True,
        "breach": 0.7,
        "min_rows": 50,
        "segments": ["SEX=2"],
    },
    {"id": "drift-2", "metric": "psi", "columns": ["AGE"], "breach": 0.25, "segments": ["SEX=2"]},
    {"id": "gone", "metric": "missing_share", "columns": ["AGE"], "segments": ["SEX=7"]},
]


def of_slice(world: Any, rule: str) -> Any:
    (row,) = world.all(tables.measurements, rule=rule, current=True)
    return row


def test_a_slice_is_judged_on_its_own_rows_and_labels(referenced: Any) -> None:
    referenced.policy(RULES)
    ids = referenced.predict(0, 1_600)
    said = [str(referenced.said[one]) for one in ids]
    referenced.label(ids, [{"0": "1", "1": "0"}[one] for one in said])
    referenced.go_to(2)
    referenced.settle()

    accuracy, drift = of_slice(referenced, "accuracy-2"), of_slice(referenced, "drift-2")

    assert 700 < accuracy.n < 900, "half of the rows are of SEX=2"
    assert (accuracy.state, accuracy.value) == ("breach", 0.0)
    assert drift.segment == "SEX=2"
    assert 1_800 < drift.reference_n < 2_200
    assert drift.state == "ok"


def test_a_slice_that_nobody_is_in_is_no_data_and_no_error(referenced: Any) -> None:
    referenced.policy(RULES)
    referenced.predict(0)
    referenced.settle()

    assert of_slice(referenced, "gone").state == "no_data"
