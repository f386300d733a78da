"""A broker that is there and silent, behind one ingest process: told in time, outlived, bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.events import codec
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import a_prediction
from watchkeeper_shared.testing.readings import Reading
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.node import KafkaNode
from watchkeeper_shared.testing.servers.kafka_server import kafka_node
from watchkeeper_shared.testing.servers.unavailable import skip
from watchkeeper_shared.topics import PREDICTIONS

pytestmark = pytest.mark.kafka

DEADLINE = 2.0
PROGRAM = """
import sys, threading
from watchkeeper_ingest.main import run
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.observability.serving import stop_on_signals
from watchkeeper_shared.settings import environment, read
stop = threading.Event()
stop_on_signals(stop)
settings = read(IngestSettings, environment())
run(settings, "127.0.0.1", 0, stop, lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def node() -> Iterator[KafkaNode]:
    try:
        running = kafka_node(os.environ)  # noqa: TID251 - the edge of the test run
        broker = running.__enter__()
    except ServerUnavailable as reason:
        skip(reason)
    log = KafkaLog(broker.bootstrap, SystemClock())
    create_topics(log, 1)
    log.close()
    yield broker
    running.__exit__(None, None, None)


@contextmanager
def process(world: Any, node: KafkaNode) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    env = {
        **os.environ,  # noqa: TID251 - the child needs the path of this environment
        "WATCHKEEPER_DATABASE_URL": world.settings.database_url,
        "WATCHKEEPER_KAFKA_BOOTSTRAP": node.bootstrap,
        "WATCHKEEPER_INGEST_DEADLINE": f"{DEADLINE:g}s",
        "WATCHKEEPER_INGEST_SOFT_INFLIGHT_BYTES": str(1 << 20),
    }
    headers = {"Authorization": f"Bearer {world.add_key()}", "Content-Type": codec.JSON}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().strip()
            with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                yield child, client
        finally:
            child.kill()


def items(first: int, count: int) -> str:
    events = [
        a_prediction(number, time="2026-01-01T00:00:00Z") for number in range(first, first + count)
    ]
    return json.dumps(events)


def memory_of(child: subprocess.Popen[str]) -> int:
    """Return the bytes that the process has in memory now."""
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_frozen_broker_is_told_in_time_outlived_and_costs_no_memory(
    world: Any, node: KafkaNode
) -> None:
    clock = SystemClock()
    with process(world, node) as (child, client):
        assert client.post("/v1/predictions", content=items(0, 10)).status_code == 202
        before = memory_of(child)
        node.freeze()
        try:
            started = clock.monotonic()
            with ThreadPoolExecutor(16) as threads:
                flood = [
                    threads.submit(
                        client.post, "/v1/predictions", content=items(1000 * number, 500)
                    )
                    for number in range(1, 120)
                ]
                answers = [one.result() for one in flood]
            took = clock.monotonic() - started
            grown = memory_of(child) - before
            ready = client.get("/healthz").status_code
        finally:
            node.thaw()
        assert {one.status_code for one in answers} <= {429, 503}
        assert 503 in {one.status_code for one in answers}
        assert all(int(one.headers["retry-after"]) >= 1 for one in answers)
        assert max(one.elapsed.total_seconds() for one in answers) < DEADLINE + 3
        assert took < 60
        assert grown < 100 << 20
        assert ready == 200

        until = clock.monotonic() + 60
        while client.post("/v1/predictions", content=items(900_000, 5)).status_code != 202:
            assert clock.monotonic() < until, "the process did not recover"
        child.send_signal(signal.SIGTERM)
        assert child.wait(40) == 0

    kept = ids_on(node)
    assert {a_prediction(number)["id"] for number in (*range(10), *range(900_000, 900_005))} <= kept


def test_acknowledged_events_are_on_kafka_after_a_stop_under_load(
    world: Any, node: KafkaNode
) -> None:
    with process(world, node) as (child, client), ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(publish, client, 2_000_000 + 10_000 * n) for n in range(4)]
        until = SystemClock().monotonic() + 30
        while node_end(node) < 30 and SystemClock().monotonic() < until:
            pass
        child.send_signal(signal.SIGTERM)
        acknowledged = {one for sender in sent for one in sender.result(60)}
        assert child.wait(40) == 0

    assert acknowledged
    assert acknowledged <= ids_on(node)


def publish(client: httpx.Client, first: int) -> list[str]:
    """Send single events until nobody takes them; return the ids that were acknowledged."""
    kept: list[str] = []
    for number in range(first, first + 10_000):
        try:
            answer = client.post("/v1/predictions", content=items(number, 1))
        except httpx.TransportError:
            break
        if answer.status_code != 202:
            break
        kept.append(a_prediction(number)["id"])
    return kept


def node_end(node: KafkaNode) -> int:
    log = KafkaLog(node.bootstrap, SystemClock())
    try:
        reading = Reading(log, PREDICTIONS.name)
        (at,) = reading.begin(1)
        return reading.reader.end(at)
    finally:
        log.close()


def ids_on(node: KafkaNode) -> set[str]:
    log = KafkaLog(node.bootstrap, SystemClock())
    try:
        reading = Reading(log, PREDICTIONS.name)
        (at,) = reading.begin(1)
        found: set[str] = set()
        while reading.positions[at] < reading.reader.end(at):
            for record in reading.drain(1):
                content_type = record.headers["content-type"]
                batch = codec.decode(record.value, content_type, Kind.PREDICTIONS)
                found |= set(batch.column("id").to_pylist())
        return found
    finally:
        log.close()
