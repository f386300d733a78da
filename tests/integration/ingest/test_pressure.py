"""Too much, a log that is away, a process that stops: said plainly, and nothing is lost."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.port import EventLog, LogWriter, Message, Position, TopicPartition
from watchkeeper_shared.events import codec
from watchkeeper_shared.testing.builders import a_prediction

Start = Callable[..., AbstractContextManager[httpx.Client]]


class HeldLog:
    """A log whose answers come when the test says so; the rest is the real one's."""

    def __init__(self, real: EventLog) -> None:
        self._real = real
        self.arrived = threading.Event()
        self.held: list[Future[Position]] = []

    def writer(self, topics: Sequence[str] = ()) -> LogWriter:
        return self

    def append(self, message: Message) -> Future[Position]:
        promised: Future[Position] = Future()
        self.held.append(promised)
        self.arrived.set()
        return promised

    def confirm(self) -> None:
        for offset, promised in enumerate(self.held):
            promised.set_result(Position(TopicPartition("t", 0), offset))

    def fail(self) -> None:
        for promised in self.held:
            promised.set_exception(LogUnavailable("the broker is away"))

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def held(world: Any) -> HeldLog:
    log = HeldLog(world.log)
    world.log = log
    return log


@contextmanager
def sending(client: httpx.Client, number: int = 1) -> Iterator[Future[httpx.Response]]:
    body = json.dumps([a_prediction(number)])
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(
            client.post, "/v1/predictions", content=body, headers={"Content-Type": codec.JSON}
        )


def test_nobody_is_answered_before_the_log_has_it(held: HeldLog, start: Start) -> None:
    with start() as client, sending(client) as answer:
        assert held.arrived.wait(10)
        early = answer.done()
        held.confirm()

        assert answer.result(10).status_code == 202
    assert not early


def test_above_the_soft_limit_others_are_asked_to_slow_down(held: HeldLog, start: Start) -> None:
    with start(ingest_soft_inflight_bytes=100) as client, sending(client) as answer:
        assert held.arrived.wait(10)
        refused = client.post(
            "/v1/predictions", content=b"[]", headers={"Content-Type": codec.JSON}
        )
        held.confirm()

        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "slow down" in refused.json()["detail"]
        assert answer.result(10).status_code == 202


def test_a_body_that_stalls_gives_its_room_back(start: Start, world: Any) -> None:
    short = {"ingest_soft_inflight_bytes": 100, "ingest_body_deadline": timedelta(seconds=1)}
    with start(**short) as client:
        key = client.headers["Authorization"]
        head = f"POST /v1/predictions HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        at = client.base_url
        with socket.create_connection((at.host, at.port or 80), timeout=20) as stalled:
            stalled.sendall(f"{head}Content-Length: 5000\r\n\r\n{' ' * 2000}".encode())
            answer = stalled.recv(4000)
        body = json.dumps([a_prediction(1)])
        after = client.post("/v1/predictions", content=body, headers={"Content-Type": codec.JSON})

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert after.status_code == 202
    labels = {"model": "unknown", "reason": "too_slow"}
    assert world.metrics.get_sample_value("watchkeeper_ingest_rejected_total", labels) == 1


def test_what_the_log_did_not_confirm_is_said_to_be_safe_to_repeat(
    held: HeldLog, start: Start, world: Any
) -> None:
    with start() as client, sending(client) as answer:
        assert held.arrived.wait(10)
        held.fail()
        failed = answer.result(10)
        at_once = client.post("/v1/predictions", content=b"[]")

        assert failed.status_code == 503
        assert int(failed.headers["retry-after"]) >= 1
        assert "same ids is safe" in failed.json()["detail"]
        assert at_once.status_code == 503
    assert world.metrics.get_sample_value("watchkeeper_ingest_produce_errors_total") == 1
    assert (
        world.metrics.get_sample_value(
            "watchkeeper_ingest_rejected_total",
            {"model": "unknown", "reason": "log_unavailable"},
        )
        == 2
    )


def test_a_silent_log_is_not_waited_for_for_ever(held: HeldLog, start: Start) -> None:
    with start(ingest_deadline=timedelta(milliseconds=200)) as client, sending(client) as answer:
        failed = answer.result(10)

    assert failed.status_code == 503
    assert "may or may not be in it" in failed.json()["detail"]


def test_a_stopping_process_sends_and_answers_what_it_took(start: Start, world: Any) -> None:
    body = json.dumps([a_prediction(1)])
    with ThreadPoolExecutor(1) as thread:
        with start(ingest_linger_ms=300) as client:
            answer = thread.submit(
                httpx.post,
                f"{client.base_url}/v1/predictions",
                content=body,
                headers={**client.headers, "Content-Type": codec.JSON},
            )
            pause = threading.Event()
            while not world.metrics.get_sample_value("watchkeeper_ingest_inflight_bytes"):
                pause.wait(0.002)
                assert not answer.done()

        assert answer.result(10).status_code == 202
    assert len(world.rows()) == 1


def test_the_page_has_every_reason_from_the_start(client: httpx.Client) -> None:
    page = client.get("/metrics").text

    rejected = 'watchkeeper_ingest_rejected_total{model="unknown",reason='
    assert f'{rejected}"not_finite"}} 0.0' in page
    assert f'{rejected}"overloaded"}} 0.0' in page
    assert 'watchkeeper_ingest_request_duration_seconds_count{route="/v1/labels"} 0.0' in page
    assert "watchkeeper_ingest_inflight_bytes 0.0" in page


def test_what_was_taken_and_what_was_not_is_counted_for_its_system(client: httpx.Client) -> None:
    stranger = a_prediction(3, system="made-up")
    body = json.dumps([a_prediction(1), a_prediction(1), a_prediction(2, score=7), stranger])
    client.post("/v1/predictions", content=body, headers={"Content-Type": codec.JSON})

    page = client.get("/metrics").text

    assert 'watchkeeper_predictions_ingested_total{model="employment-ma"} 1.0' in page
    rejected = "watchkeeper_ingest_rejected_total"
    assert f'{rejected}{{model="employment-ma",reason="out_of_range"}} 1.0' in page
    assert f'{rejected}{{model="unknown",reason="unknown_system"}} 1.0' in page
    assert "made-up" not in page
    assert "watchkeeper_ingest_duplicates_total 1.0" in page


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"{", {"Content-Type": "application/json"}, "malformed"),
        (b"a,b", {"Content-Type": "text/csv"}, "unsupported"),
        (b"x", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, "malformed"),
        (b"x" * 20_000, {"Content-Type": "application/json"}, "malformed"),
    ],
)
def test_a_request_that_cannot_be_read_is_counted_by_its_reason(
    client: httpx.Client, body: bytes, headers: dict[str, str], reason: str
) -> None:
    refused = client.post("/v1/predictions", content=body, headers=headers)
    page = client.get("/metrics").text

    assert refused.json()["code"] == reason
    rejected = "watchkeeper_ingest_rejected_total"
    assert f'{rejected}{{model="unknown",reason="{reason}"}} 1.0' in page


def test_the_service_is_ready_and_alive(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["ok"]
    assert client.get("/readyz").json()["checks"] == {
        "ingest coalescer": "ok",
        "ingest registry": "ok",
        "event log": "ok",
        "registry": "ok",
    }
