"""What a sender may send, and that the log has it when the sender is told so."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pyarrow as pa
import pytest

from watchkeeper_shared.events import codec, headers
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import (
    NOON,
    SYSTEM,
    a_batch,
    a_label,
    a_prediction,
    a_system,
)

Post = Callable[..., httpx.Response]

ROWS = [a_prediction(number) for number in range(3)]


def columnar() -> bytes:
    batch = a_batch(3)
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    columns["time"] = [one.isoformat() for one in columns["time"]]
    return json.dumps({"columns": columns}).encode()


FORMS = {
    "array": (json.dumps(ROWS).encode(), codec.JSON, {}),
    "lines": (b"\n".join(json.dumps(row).encode() for row in ROWS), codec.NDJSON, {}),
    "columns": (columnar(), "application/json; charset=utf-8", {}),
    "arrow": (to_bytes(a_batch(3)), codec.ARROW, {}),
    "gzip": (
        gzip.compress(json.dumps(ROWS).encode()),
        codec.JSON,
        {"Content-Encoding": "gzip"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_batch_ends_as_the_same_rows_on_the_log(
    form: str, client: httpx.Client, world: Any
) -> None:
    body, content_type, extra = FORMS[form]

    answer = client.post(
        "/v1/predictions", content=body, headers={"Content-Type": content_type, **extra}
    )

    assert (answer.status_code, answer.json()) == (
        202,
        {"accepted": 3, "duplicates": 0, "rejected": []},
    )
    rows = world.rows()
    assert [row["id"] for row in rows] == ["p-000000", "p-000001", "p-000002"]
    assert [row["features.AGEP"] for row in rows] == [20, 21, 22]
    assert [row["groups.SEX"] for row in rows] == ["1", "2", "1"]


def test_one_object_is_a_batch_of_one(post: Post, world: Any) -> None:
    answer = post(a_prediction(7))

    assert answer.status_code == 202
    assert world.rows()[0]["id"] == "p-000007"


def test_labels_go_to_their_own_topic(post: Post, world: Any) -> None:
    answer = post([a_label(1), a_label(2, label="1")], "/v1/labels")

    assert answer.json()["accepted"] == 2
    assert world.rows() == []
    assert {row["id"] for row in world.rows(Kind.LABELS)} == {"p-000001", "p-000002"}


def test_a_record_says_what_it_holds_in_its_headers(post: Post, world: Any) -> None:
    post(ROWS)

    (record,) = world.records()
    said = headers.parse(record.headers)
    assert record.key == SYSTEM
    assert (said.type, said.source, said.rows) == (
        "watchkeeper.predictions.batch",
        "/watchkeeper/ingest",
        3,
    )
    assert said.time == NOON
    assert said.mintime is not None
    assert said.maxtime is not None
    assert said.maxtime > said.mintime


def test_the_systems_of_one_request_become_records_of_their_own(post: Post, world: Any) -> None:
    # Applied while the service runs: whoever publishes right after must not be turned away.
    world.add_system("credit", a_system())

    answer = post([a_prediction(1), a_prediction(2, system="credit")])

    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    by_key = {record.key: codec.decode(record.value, codec.ARROW) for record in world.records()}
    assert by_key["credit"].column("id").to_pylist() == ["p-000002"]
    assert by_key[SYSTEM].column("id").to_pylist() == ["p-000001"]


def test_requests_that_come_together_share_records(client: httpx.Client, world: Any) -> None:
    def send(number: int) -> int:
        content = json.dumps(a_prediction(number))
        answer = client.post(
            "/v1/predictions", content=content, headers={"Content-Type": codec.JSON}
        )
        return answer.status_code

    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(send, range(200)))

    assert codes == [202] * 200
    assert len({row["id"] for row in world.rows()}) == 200
    assert len(world.records()) < 200


def test_a_large_request_is_cut_into_records(client: httpx.Client, world: Any) -> None:
    answer = client.post(
        "/v1/predictions", content=to_bytes(a_batch(5000)), headers={"Content-Type": codec.ARROW}
    )

    assert answer.json()["accepted"] == 5000
    sizes = [headers.parse(record.headers).rows or 0 for record in world.records()]
    assert sum(sizes) == 5000
    assert max(sizes) <= 2000


def test_the_same_again_is_passed_on_once(post: Post, world: Any) -> None:
    answer = post([a_prediction(1), a_prediction(2), a_prediction(1)])

    assert answer.json() == {"accepted": 2, "duplicates": 1, "rejected": []}
    assert [row["id"] for row in world.rows()] == ["p-000001", "p-000002"]


def test_two_predictions_under_one_id_are_a_conflict(post: Post, world: Any) -> None:
    answer = post([a_prediction(1), a_prediction(1, score=0.9)])

    assert answer.json()["accepted"] == 1
    (reject,) = answer.json()["rejected"]
    assert (reject["index"], reject["code"]) == (1, "conflicting_id")
    assert [row["score"] for row in world.rows()] == [0.01]


def test_a_corrected_label_is_passed_on_after_the_first(post: Post, world: Any) -> None:
    answer = post([a_label(1, label=0), a_label(1, label=1)], "/v1/labels")

    assert answer.json()["accepted"] == 2
    assert [row["label"] for row in world.rows(Kind.LABELS)] == [0, 1]


def test_other_arrow_types_are_cast(
    client: httpx.Client, world: Any, stream: Callable[[pa.RecordBatch], bytes]
) -> None:
    batch = a_batch(2)
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["id"] = columns["id"].cast(pa.large_string())
    columns["system"] = columns["system"].dictionary_encode()
    columns["prediction"] = columns["prediction"].cast(pa.int8())
    columns["score"] = columns["score"].cast(pa.float32())
    columns["time"] = columns["time"].cast(pa.timestamp("ns", "Europe/Berlin"))
    columns["features.RELP"] = columns["features.RELP"].cast(pa.int32())

    answer = client.post(
        "/v1/predictions",
        content=stream(pa.RecordBatch.from_pydict(columns)),
        headers={"Content-Type": codec.ARROW},
    )

    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    assert [row["features.RELP"] for row in world.rows()] == ["0", "1"]


def test_nothing_in_an_empty_array_is_nothing_wrong(post: Post) -> None:
    assert post([]).json() == {"accepted": 0, "duplicates": 0, "rejected": []}
