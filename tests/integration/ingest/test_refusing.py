"""Bad input: each gets a clear answer, the good events beside it are kept, nothing dies."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest

from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.events import codec
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.testing.builders import NOON, a_batch, a_prediction

Post = Callable[..., httpx.Response]
Start = Callable[..., AbstractContextManager[httpx.Client]]

GOOD = a_prediction(1)


def changed(**changes: Any) -> dict[str, Any]:
    return {**a_prediction(2), **changes}


BAD_ITEMS = {
    "null id": (changed(id=None), "missing_field", "id is null"),
    "empty id": (changed(id=""), "missing_field", "id is empty"),
    "no prediction": (a_prediction(2, prediction=None), "missing_field", "prediction is missing"),
    "no system": (a_prediction(2, system=None), "missing_field", "system is missing"),
    "true as number": (changed(score=True), "wrong_type", "`bool` - at `$.score`"),
    "true as prediction": (changed(prediction=True), "wrong_type", "`$.prediction`"),
    "number as id": (changed(id=7), "wrong_type", "`$.id`"),
    "text as score": (changed(score="0.5"), "wrong_type", "`$.score`"),
    "flag as feature": (
        changed(features={"AGEP": True}),
        "wrong_type",
        "features.AGEP is a boolean (True)",
    ),
    "text in a numeric feature": (
        changed(features={"AGEP": "forty"}),
        "wrong_type",
        "features.AGEP is a text ('forty')",
    ),
    "digits in a numeric feature": (changed(features={"AGEP": "41"}), "wrong_type", "AGEP"),
    "an object as feature": (changed(features={"AGEP": {}}), "wrong_type", "AGEP"),
    "misspelt key": (changed(scroe=0.5), "malformed", "unknown field `scroe`; known are id"),
    "score over one": (changed(score=1.5), "out_of_range", "score is 1.5"),
    "score below zero": (changed(score=-0.1), "out_of_range", "score is -0.1"),
    "seq over 64 bits": (changed(seq=2**63), "out_of_range", "`$.seq`"),
    "no zone": (changed(time="2026-11-23T06:00:00"), "time_without_zone", "timezone"),
    "no time": (
        changed(time="yesterday"),
        "wrong_type",
        "('yesterday'); send date, time and timezone",
    ),
    "far future": (
        changed(time=(NOON + timedelta(minutes=6)).isoformat()),
        "time_in_future",
        "clock",
    ),
    "past the year 9999": (changed(time="9999-12-31T23:59:59-10:00"), "time_in_future", "10000"),
    "before 1970": (changed(time="1969-12-31T23:59:59Z"), "out_of_range", "1970"),
    "unknown system": (changed(system="nobody"), "unknown_system", "apply an AISystem"),
    "long id": (changed(id="x" * 129), "too_long", "id has 129 characters; at most 128"),
    "long feature": (
        changed(features={"RELP": "x" * 257}),
        "too_long",
        "features.RELP has 257 characters",
    ),
    "an array": ([1, 2], "malformed", "send an object"),
    "a text": ("event", "malformed", "send an object"),
    "null": (None, "malformed", "send an object"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_a_bad_item_is_named_and_its_neighbours_are_kept(name: str, post: Post, world: Any) -> None:
    bad, code, detail = BAD_ITEMS[name]

    answer = post([GOOD, bad, a_prediction(3)])

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    (reject,) = answer.json()["rejected"]
    assert (reject["index"], reject["code"]) == (1, code)
    assert detail in reject["detail"]
    assert [row["id"] for row in world.rows()] == ["p-000001", "p-000003"]


def test_a_system_that_was_withdrawn_is_refused_whole_until_it_is_applied_again(
    post: Post, world: Any
) -> None:
    assert post([GOOD]).status_code == 202
    world.add_system(revision=2, withdrawn="replaced by another")
    tried = (post([a_prediction(number)]) for number in itertools.count(2))
    refused = next(answer for answer in tried if answer.status_code != 202)  # read once a second
    world.add_system(revision=3)

    assert refused.status_code == 422
    (reject,) = refused.json()["rejected"]
    assert reject["code"] == "withdrawn_system"
    assert "withdrawn by test at " in reject["detail"]
    assert "replaced by another" in reject["detail"]
    assert post([a_prediction(1)]).status_code == 202


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(number: str, client: httpx.Client, world: Any) -> None:
    items = json.dumps([GOOD, changed(score="HERE")]).replace('"HERE"', number)

    answer = client.post("/v1/predictions", content=items, headers={"Content-Type": codec.JSON})

    (reject,) = answer.json()["rejected"]
    assert (reject["index"], reject["code"]) == (1, "not_finite")
    assert "score is" in reject["detail"]
    assert len(world.rows()) == 1


def test_nan_in_an_arrow_column_is_refused_per_row(client: httpx.Client, world: Any) -> None:
    batch = a_batch(3)
    scores = pa.array([0.5, float("nan"), float("inf")])
    batch = batch.set_column(batch.schema.get_field_index("score"), "score", scores)

    answer = client.post(
        "/v1/predictions", content=to_bytes(batch), headers={"Content-Type": codec.ARROW}
    )

    assert answer.json()["accepted"] == 1
    codes = [(one["index"], one["code"]) for one in answer.json()["rejected"]]
    assert codes == [(1, "not_finite"), (2, "not_finite")]
    assert len(world.rows()) == 1


def test_a_bad_line_is_named_and_its_neighbours_are_kept(client: httpx.Client, world: Any) -> None:
    lines = b"\n".join([json.dumps(GOOD).encode(), b'{"id": ', b"\xff\xfe", b""])

    answer = client.post("/v1/predictions", content=lines, headers={"Content-Type": codec.NDJSON})

    rejects = answer.json()["rejected"]
    assert [(one["index"], one["code"]) for one in rejects] == [(1, "malformed"), (2, "malformed")]
    assert "line 2 is not JSON" in rejects[0]["detail"]
    assert "not UTF-8" in rejects[1]["detail"]
    assert len(world.rows()) == 1


def test_nothing_good_in_a_request_is_a_problem_with_the_same_members(post: Post) -> None:
    answer = post([changed(score=2), changed(system="nobody")])

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == 422
    assert body["instance"] == "/v1/predictions"
    assert (body["accepted"], body["duplicates"], len(body["rejected"])) == (0, 0, 2)
    assert "item 0" in body["detail"]


BROKEN = {
    "half an array": (b'[{"id": "a"', codec.JSON, 400, "not JSON"),
    "nothing": (b"", codec.JSON, 400, "not JSON"),
    "not UTF-8": (b'["\xff"]', codec.JSON, 400, "not UTF-8"),
    "nested deeply": (b"[" * 200_000, codec.JSON, 400, "nested too deeply"),
    "no Arrow": (b"PAR1" * 10, codec.ARROW, 400, "Arrow stream"),
    "half an Arrow stream": (to_bytes(a_batch(100))[:-4000], codec.ARROW, 400, "Arrow stream"),
    "text": (b"id,score", "text/csv", 415, "text/csv"),
    "no type": (b"{}", "", 415, "content type"),
    "no gzip": (b"plain", codec.JSON + "+gzip", 415, "content type"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_cannot_be_read_is_a_problem(name: str, client: httpx.Client) -> None:
    body, content_type, status, detail = BROKEN[name]

    answer = client.post("/v1/predictions", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert answer.json()["code"] in ("malformed", "unsupported")


def test_a_time_column_without_a_zone_is_refused(client: httpx.Client) -> None:
    batch = a_batch(2)
    naive = batch.column("time").cast(pa.timestamp("us"))
    batch = batch.set_column(batch.schema.get_field_index("time"), "time", naive)

    answer = client.post(
        "/v1/predictions", content=to_bytes(batch), headers={"Content-Type": codec.ARROW}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "time_without_zone")
    assert "timestamp[us, tz=UTC]" in answer.json()["detail"]


@pytest.mark.parametrize("packing", ["gzip", "identity"])
def test_a_body_over_the_limit_is_refused_packed_or_not(packing: str, start: Start) -> None:
    body = b" " * 2_000_000 + b"[]"
    headers = {"Content-Type": codec.JSON, "Content-Encoding": packing}

    with start(ingest_max_body_bytes=1_000_000) as client:
        sent = gzip.compress(body) if packing == "gzip" else body
        answer = client.post("/v1/predictions", content=sent, headers=headers)

    assert answer.status_code == 413
    assert "1000000 bytes" in answer.json()["detail"]


def test_too_many_rows_are_refused_as_a_whole(start: Start) -> None:
    with start(ingest_max_rows=10) as client:
        answer = client.post(
            "/v1/predictions", content=to_bytes(a_batch(11)), headers={"Content-Type": codec.ARROW}
        )

    assert (answer.status_code, answer.json()["code"]) == (413, "too_long")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"plain", "gzip", 400),
        (gzip.compress(b"[]" * 99, mtime=0)[:-9], "gzip", 400),
        (b"[]", "br", 415),
    ],
)
def test_a_broken_or_unknown_packing_is_refused(
    body: bytes, encoding: str, status: int, client: httpx.Client
) -> None:
    headers = {"Content-Type": codec.JSON, "Content-Encoding": encoding}

    answer = client.post("/v1/predictions", content=body, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer watchkeeper_00_00", "Basic eDp5"])
def test_without_a_good_key_nobody_publishes(token: str, client: httpx.Client) -> None:
    answer = client.post(
        "/v1/predictions", content=b"[]", headers={"Authorization": token, "Content-Type": "x/y"}
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_viewer_may_not_publish(client: httpx.Client, world: Any) -> None:
    token = world.add_key(Role.VIEWER)

    answer = client.post(
        "/v1/predictions", content=b"[]", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_publishes_only_for_its_systems(client: httpx.Client, world: Any) -> None:
    token = world.add_key(systems=("credit",))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": codec.JSON}

    answer = client.post("/v1/predictions", content=json.dumps([GOOD]), headers=headers)

    assert answer.status_code == 403
    assert answer.json()["rejected"][0]["code"] == "forbidden_system"
    assert world.rows() == []


def test_wrong_paths_and_methods_are_problems_too(client: httpx.Client) -> None:
    for answer, status in ((client.get("/v1/nowhere"), 404), (client.get("/v1/labels"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_fault_of_ours_is_a_problem_without_its_inside(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("watchkeeper_ingest.deciding.decode_items", broken)

    answer = client.post("/v1/predictions", content=b"[]", headers={"Content-Type": codec.JSON})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "42" not in answer.text
