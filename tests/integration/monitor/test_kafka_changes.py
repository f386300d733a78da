"""What people do to topics of a real Kafka while the monitor reads them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from prometheus_client import CollectorRegistry

from watchkeeper_monitor.settings import EvidenceSettings, Pace
from watchkeeper_monitor.wiring import Monitor, build
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import audit, tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog import kafka_settings
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.node import KafkaNode
from watchkeeper_shared.testing.servers.kafka_server import kafka_node
from watchkeeper_shared.testing.servers.unavailable import skip
from watchkeeper_shared.topics import PREDICTIONS

pytestmark = pytest.mark.kafka

PACE = Pace(flush_interval=timedelta(0), judge_interval=timedelta(days=1))


@pytest.fixture
def node() -> Iterator[KafkaNode]:
    try:
        running = kafka_node(os.environ)  # noqa: TID251 - the edge of the test run
        broker = running.__enter__()
    except ServerUnavailable as reason:
        skip(reason)
    yield broker
    running.__exit__(None, None, None)


def body(number: int) -> bytes:
    row = {
        "id": f"p-{number}",
        "system": "loans",
        "version": "1",
        "time": "2026-03-02T10:00:00Z",
        "prediction": 1,
    }
    return json.dumps([row]).encode()


class Reader:
    """A monitor on a real Kafka, turned by hand."""

    def __init__(self, node: KafkaNode, world: Any) -> None:
        self.database: Database = world.database
        self.clock = SystemClock()
        self.node = node
        self.log = KafkaLog(node.bootstrap, self.clock)
        create_topics(self.log, 1)
        self.writer = self.log.writer()
        self.metrics = CollectorRegistry()
        self.monitor: Monitor = build(
            log=self.log,
            database=self.database,
            clock=self.clock,
            health=Health(self.clock),
            metrics=self.metrics,
            pace=PACE,
            evidence=EvidenceSettings(evidence_reports=False),
        )

    def send(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            # Keys of many kinds, so that every partition gets some.
            key = f"loans|{number}"
            headers = {"content-type": "application/json"}
            message = Message(PREDICTIONS.name, key, body(number), headers)
            while self.writer.append(message).exception(30) is not None:
                pass

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = self.clock.monotonic() + 90
        while not condition():
            assert self.clock.monotonic() < end, what
            self.monitor.step(timedelta(milliseconds=200))

    def rows(self) -> int:
        with self.database.read() as c:
            total = sa.select(sa.func.coalesce(sa.func.sum(tables.profiles.c.rows), 0))
            return int(c.execute(total).scalar_one())

    def breaks(self) -> list[str]:
        with self.database.read() as c:
            return [one.body["kind"] for one in audit.entries(c) if one.act == "log.break"]

    def close(self) -> None:
        self.monitor.stop()
        self.log.close()


@pytest.fixture
def reader(node: KafkaNode, world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(kafka_settings, "METADATA_MS", 1000)  # finds new partitions sooner
    made = Reader(node, world)
    yield made
    made.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_partition_that_is_added_is_read_from_its_beginning_and_named(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reader.send(0, 20)
    reader.until(lambda: reader.rows() == 20, "the first rows were not stored")
    admin = KafkaAdminClient(bootstrap_servers=reader.node.bootstrap)
    admin.create_partitions({PREDICTIONS.name: 3})
    admin.close()
    other = KafkaLog(reader.node.bootstrap, reader.clock)  # a sender that knows of them
    reader.writer = other.writer()
    reader.send(20, 60)
    other.close()

    reader.until(lambda: reader.rows() == 80, "the rows of the new partitions were not stored")

    named = {
        getattr(one, "at", "") for one in caplog.records if one.message == "partition_first_read"
    }
    assert {f"{PREDICTIONS.name}/{number}" for number in range(3)} <= named
    assert reader.breaks() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sender_of_transactions_is_read_to_the_end_and_not_past_what_it_says(
    reader: Reader,
) -> None:
    reader.send(0, 5)
    producer = KafkaProducer(bootstrap_servers=reader.node.bootstrap, transactional_id="sender")
    producer.init_transactions()
    headers = [("content-type", b"application/json")]
    for number, end in ((5, producer.commit_transaction), (6, producer.abort_transaction)):
        producer.begin_transaction()
        producer.send(PREDICTIONS.name, body(number), b"loans", headers)
        producer.flush()
        end()
    producer.close()

    # A partition that never seems read to its end would hold its windows open for ever.
    assert reader.monitor.run_until_idle(timedelta(seconds=90), reader.clock)
    assert reader.rows() == 6


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_topic_made_again_while_it_is_read_loses_nothing_of_the_new_one(
    reader: Reader,
) -> None:
    reader.send(0, 20)
    reader.until(lambda: reader.rows() == 20, "the first rows were not stored")
    reader.log.delete_topic(PREDICTIONS.name)
    end = reader.clock.monotonic() + 60
    while True:
        try:
            create_topics(reader.log, 1)
            if reader.log.topic_id(PREDICTIONS.name):
                break
        except Exception:  # noqa: BLE001 - the broker is still deleting
            assert reader.clock.monotonic() < end
    # More than the stored offset: only the topic's id tells.
    reader.send(100, 50)

    reader.until(lambda: reader.rows() == 70, "the rows of the new topic were not stored")

    assert set(reader.breaks()) == {"recreated"}
