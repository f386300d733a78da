"""What other people's producers write to our topics stops no reader, whichever client it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer as Raw
from kafka import KafkaAdminClient, KafkaProducer

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.clients import KafkaClient
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.testing.contracts.eventlog import append, values
from watchkeeper_shared.testing.readings import PATIENCE, Reading, fresh

pytestmark = pytest.mark.kafka

OLD_BROKERS = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""What brokers before Kafka 3.6 let through."""


class Latin1(str):
    """A name that a producer in C would write as it has it."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return super().encode("latin-1")


@pytest.fixture(params=["kafka-python", "confluent"])
def log(request: pytest.FixtureRequest, kafka_bootstrap: str) -> Iterator[KafkaLog]:
    client: KafkaClient = request.param
    made = KafkaLog(kafka_bootstrap, SystemClock(), client=client)
    yield made
    made.close()


@pytest.fixture
def topic(kafka_bootstrap: str) -> str:
    name = fresh("topic")
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics({name: {"num_partitions": 1, "configs": OLD_BROKERS}})
    admin.close()
    return name


@pytest.fixture
def transactions(kafka_bootstrap: str) -> Iterator[KafkaProducer]:
    made = KafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=fresh("sender"))
    made.init_transactions()
    yield made
    made.close()


def send(bootstrap: str, topic: str, **record: Any) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(topic, value=b"odd", key=b"k", **record).get(PATIENCE)
    producer.close()


def test_a_header_whose_name_is_no_text_costs_its_record_at_most_its_headers(
    log: KafkaLog, kafka_bootstrap: str, topic: str
) -> None:
    # What the interpreter has run often it runs without a check of what the client returns.
    append(log, [Message(topic, "k", b"before", {"a": "0"})] * 100)
    send(kafka_bootstrap, topic, headers=[(Latin1("größe"), b"1"), ("a", b"2")], timestamp_ms=5000)
    append(log, [Message(topic, "k", b"after", {"a": "3"})])

    *before, odd, after = Reading(log, topic).drain(102)

    assert [one.headers for one in before] == [{"a": "0"}] * 100
    assert (odd.value, odd.key, odd.timestamp.second) == (b"odd", "k", 5)
    assert odd.headers in ({"gr\ufffd\ufffde": "1", "a": "2"}, {})
    assert (after.value, after.headers) == (b"after", {"a": "3"})


def test_an_instant_that_no_calendar_has_is_the_nearest_that_one_has(
    log: KafkaLog, kafka_bootstrap: str, topic: str
) -> None:
    for milliseconds in (1_790_000_000_000_000, 2**62, -62_135_596_800_001, -(2**62)):
        send(kafka_bootstrap, topic, timestamp_ms=milliseconds)

    odd = Reading(log, topic).drain(4)

    assert [record.timestamp.year for record in odd] == [9999, 9999, 1, 1]


def test_snappy_is_read_with_what_is_here(log: KafkaLog, kafka_bootstrap: str, topic: str) -> None:
    producer = Raw({"bootstrap.servers": kafka_bootstrap, "compression.type": "snappy"})
    for number in range(3):
        producer.produce(topic, b"%d" % number * 5000, b"k")
    assert producer.flush(PATIENCE) == 0

    assert values(Reading(log, topic).drain(3)) == [b"%d" % number * 5000 for number in range(3)]


def committed(producer: KafkaProducer, topic: str, *texts: bytes) -> None:
    producer.begin_transaction()
    for text in texts:
        producer.send(topic, value=text, key=b"k")
    producer.commit_transaction()


def taken_back(producer: KafkaProducer, topic: str) -> None:
    producer.begin_transaction()
    producer.send(topic, value=b"taken back", key=b"k")
    producer.flush()
    producer.abort_transaction()


def test_what_a_sender_took_back_was_never_said(
    log: KafkaLog, topic: str, transactions: KafkaProducer
) -> None:
    taken_back(transactions, topic)
    committed(transactions, topic, b"a", b"b")
    taken_back(transactions, topic)
    committed(transactions, topic, b"c")

    assert values(Reading(log, topic).drain(3)) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("last", [committed, taken_back])
def test_reading_reaches_the_end_past_what_nobody_is_given(
    log: KafkaLog, topic: str, transactions: KafkaProducer, last: Callable[..., None]
) -> None:
    committed(transactions, topic, b"a")
    last(transactions, topic)
    reading, at = Reading(log, topic), TopicPartition(topic, 0)
    reading.drain(1)
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE

    while reading.positions[at] != reading.reader.end(at):
        assert clock.monotonic() < until, reading.positions
        reading.poll()

    assert reading.positions[at] > 1
