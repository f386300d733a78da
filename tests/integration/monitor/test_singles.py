"""Events that come one a record are read together, and each as if it had come alone."""

from __future__ import annotations

import json
from typing import Any

from watchkeeper_monitor.records.singles import TOGETHER
from watchkeeper_shared.db import tables
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.topics import LABELS, PREDICTIONS


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "system": "loans",
        "version": "1",
        "time": "2026-03-02T10:00:00Z",
        "prediction": number % 2,
        "score": 0.25,
        "features": {"AGE": 30.0 + number % 20, "JOB": "ab"[number % 2]},
        "groups": {"SEX": "1"},
    } | changes


def send(world: Any, *rows: dict[str, Any], topic: str = PREDICTIONS.name) -> None:
    promises = [
        world.writer.append(
            Message(topic, "loans", json.dumps(row).encode(), {"content-type": "application/json"})
        )
        for row in rows
    ]
    for promise in promises:
        promise.result(timeout=30)


def selected(world: Any) -> float:
    """The share of positive predictions, all of which are of one group."""
    (row,) = world.all(tables.measurements, metric="selection_rate", segment="SEX=1", current=True)
    return float(row.value)


def test_a_small_record_whose_own_rows_differ_in_type_is_read_whole(referenced: Any) -> None:
    rows = [event(0, prediction=0), event(1, prediction="1"), event(2, prediction=0.0)]
    for content_type, value in (
        ("application/json", json.dumps(rows).encode()),
        ("application/x-ndjson", b"\n".join(json.dumps(row).encode() for row in rows)),
    ):
        headers = {"content-type": content_type}
        message = Message(PREDICTIONS.name, "loans", value, headers)
        referenced.writer.append(message).result(timeout=30)
    send(referenced, event(3))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 4
    assert selected(referenced) == 0.5
    assert (referenced.tally("duplicates"), referenced.all(tables.dead_letters)) == (3, [])


def test_more_singles_than_are_put_together_are_all_counted(referenced: Any) -> None:
    rows = TOGETHER + 200
    send(referenced, *(event(number) for number in range(rows)))
    send(
        referenced,
        *(
            {
                "id": f"e{number}",
                "system": "loans",
                "label": number % 2,
                "time": "2026-03-02T11:00:00Z",
            }
            for number in range(rows)
        ),
        topic=LABELS.name,
    )
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == rows
    assert (referenced.now_measured("accuracy", 0).value, referenced.tally("labels_waiting")) == (
        1.0,
        0,
    )


def test_one_that_fits_no_table_harms_none_of_the_others(referenced: Any) -> None:
    """Before the first year of the calendar, once it is moved to UTC."""
    before_time = event(1, time="0001-01-01T00:00:00+14:00")
    send(referenced, event(0), before_time, event(2))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 2
    refused = sum(
        row.value for row in referenced.all(tables.tallies) if row.name.startswith("rejected_")
    )
    assert refused + len(referenced.all(tables.dead_letters)) == 1


def test_types_that_differ_and_fields_that_are_missing_are_read_as_if_alone(
    referenced: Any,
) -> None:
    send(
        referenced,
        event(0, features={"AGE": 40, "JOB": None}),
        event(1, features={"AGE": None, "JOB": "a"}),
        event(2, features={"AGE": "forty", "JOB": 3}),
        event(3, features={"JOB": "b"}),
        event(4, features=None, score=None, groups=None),
        event(5, prediction="1"),
        event(6, prediction=1.0),
    )
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 6
    assert referenced.tally("rejected_wrong_type") == 1
    assert referenced.all(tables.dead_letters) == []
