"""What the Kafka adapter does while its broker is away, and when it is back."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import ConfigError, LogUnavailable
from watchkeeper_shared.eventlog import kafka as client
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.eventlog.port import LogWriter, Message, Position
from watchkeeper_shared.testing.contracts.eventlog import values
from watchkeeper_shared.testing.readings import PATIENCE, Reading, fresh
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.node import KafkaNode
from watchkeeper_shared.testing.servers.kafka_server import kafka_node
from watchkeeper_shared.testing.servers.unavailable import skip
from watchkeeper_shared.topics import TOPICS


@pytest.fixture(scope="module")
def node() -> Iterator[KafkaNode]:
    try:
        running = kafka_node(os.environ)  # noqa: TID251 - the edge of the test run
        broker = running.__enter__()
    except ServerUnavailable as reason:
        skip(reason)
    yield broker
    running.__exit__(None, None, None)


@pytest.fixture
def log(node: KafkaNode) -> Iterator[KafkaLog]:
    log = KafkaLog(node.bootstrap, SystemClock(), patience=timedelta(seconds=4))
    yield log
    log.close()


def settle(futures: list[Future[Position]]) -> tuple[int, int]:
    """Return how many were kept and how many failed; none may stay open."""
    errors = [future.exception(PATIENCE) for future in futures]
    assert all(error is None or isinstance(error, LogUnavailable) for error in errors)
    return errors.count(None), len(errors) - errors.count(None)


def append_until_kept(writer: LogWriter, message: Message) -> Position:
    """Send again under the same id until it is kept, as every caller of a writer does."""
    clock = SystemClock()
    until = clock.monotonic() + 2 * PATIENCE
    while True:
        assert clock.monotonic() < until, "the writer did not recover"
        future = writer.append(message)
        if future.exception(PATIENCE) is None:
            return future.result()


@pytest.mark.kafka
def test_a_writer_whose_broker_hangs_fails_in_time_and_recovers(
    node: KafkaNode, log: KafkaLog
) -> None:
    topic = fresh("topic")
    log.create_topics({topic: 2})
    clock = SystemClock()
    writer = log.writer()
    writer.append(Message(topic, "k", b"first")).result(PATIENCE)
    node.freeze()
    started = clock.monotonic()
    try:
        futures = [writer.append(Message(topic, f"{i}", bytes(1000))) for i in range(400)]
        assert clock.monotonic() - started < 1, "append blocked its caller"
        assert settle(futures) == (0, 400)
        assert clock.monotonic() - started < 15
    finally:
        node.thaw()
    append_until_kept(writer, Message(topic, "k", b"last"))
    reading = Reading(log, topic)
    read: list[bytes] = []
    while b"last" not in read:
        read += values(reading.drain(1))


@pytest.mark.kafka
def test_writer_and_reader_survive_a_killed_broker(node: KafkaNode, log: KafkaLog) -> None:
    topic = fresh("topic")
    log.create_topics({topic: 1})
    writer, reading = log.writer(), Reading(log, topic)
    writer.append(Message(topic, "k", b"before")).result(PATIENCE)
    assert values(reading.drain(1)) == [b"before"]
    node.kill()
    lost = [writer.append(Message(topic, "k", b"during")) for _ in range(20)]
    with pytest.raises(LogUnavailable, match="credentials"):
        log.reader(fresh("group"), [topic])
    with pytest.raises(LogUnavailable):
        log.ping()
    assert settle(lost) == (0, 20)
    node.start()
    append_until_kept(writer, Message(topic, "k", b"after"))
    # What failed may be in the log all the same; what was kept must be.
    again = Reading(log, topic)
    read = values(again.drain(2))
    while b"after" not in read:
        read += values(again.drain(1))
    assert read[0] == b"before"


@pytest.mark.kafka
def test_topics_of_the_flow_are_made_on_either_log(node: KafkaNode, tmp_path: Path) -> None:
    for bootstrap in (node.bootstrap, None):
        log = open_log(bootstrap, tmp_path / "log.db", SystemClock())
        create_topics(log, 3)
        create_topics(log, 3)
        reading = Reading(log, *(topic.name for topic in TOPICS))
        assert len(reading.begin(3 * len(TOPICS))) == 12
        assert reading.reader.topic_id(TOPICS[0].dead_letters)
        log.close()


def test_a_broker_that_is_not_there_is_named_with_what_to_check() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, but nobody listens
        address = f"127.0.0.1:{held.getsockname()[1]}"
        log = KafkaLog(address, SystemClock(), patience=timedelta(seconds=1))
        future = log.writer().append(Message("t", "k", b"x"))
        with pytest.raises(LogUnavailable):
            future.result(PATIENCE)
        with pytest.raises(LogUnavailable, match=f"{address}.*check address, credentials, TLS"):
            log.ping()
        log.close()


def test_a_port_that_never_answers_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        log = KafkaLog(address, SystemClock())
        for attempt in (log.ping, lambda: log.reader("g", ["t"])):
            with pytest.raises(LogUnavailable, match="credentials"):
                attempt()
        log.close()
    assert set(threading.enumerate()) <= before


def test_missing_compression_is_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "has_lz4", lambda: False)
    with pytest.raises(ConfigError, match=r"lacks lz4: install kafka-python\[crc32c"):
        KafkaLog("127.0.0.1:9", SystemClock())


def test_a_process_without_any_log_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="WATCHKEEPER_KAFKA_BOOTSTRAP"):
        open_log(None, None, SystemClock())
    log = open_log("", tmp_path / "log.db", SystemClock())
    assert isinstance(log, EmbeddedLog)
    log.close()
