"""The optional client holds the same contract, and agrees with the other one on names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import ConfigError, LogUnavailable
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.testing.contracts.eventlog import EventLogContract, Subject, append
from watchkeeper_shared.testing.readings import PATIENCE, Reading, fresh


class ConfluentSubject:
    """A broker that the session shares; names are fresh in each test."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def open(self) -> KafkaLog:
        return KafkaLog(self.bootstrap, SystemClock(), client="confluent")

    def delete_topic(self, topic: str) -> None:
        log = self.open()
        log.delete_topic(topic)
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        with suppress(LogUnavailable):  # once the broker does not know it any more
            while log.topic_id(topic):
                assert clock.monotonic() < until
        log.close()

    def forget(self, at: TopicPartition, before: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_records({KafkaPartition(at.topic, at.partition): before})
        admin.close()


@pytest.mark.kafka
class TestConfluentLog(EventLogContract):
    @pytest.fixture
    def subject(self, kafka_bootstrap: str) -> Subject:
        return ConfluentSubject(kafka_bootstrap)


@pytest.fixture
def both(kafka_bootstrap: str) -> Iterator[tuple[KafkaLog, KafkaLog]]:
    logs = (
        KafkaLog(kafka_bootstrap, SystemClock()),
        KafkaLog(kafka_bootstrap, SystemClock(), client="confluent"),
    )
    yield logs
    for log in logs:
        log.close()


@pytest.mark.kafka
def test_a_process_may_change_its_client(both: tuple[KafkaLog, KafkaLog]) -> None:
    topic = fresh("topic")
    both[0].create_topics({topic: 5})
    keys = ["", "employment-ma", "employment-ma|3", "ü", *(f"system-{i}" for i in range(40))]
    for log in both:
        append(log, [Message(topic, key, b"x", {"ce_id": "ä"}) for key in keys])

    records = Reading(both[1], topic).drain(2 * len(keys))

    assert both[0].topic_id(topic) == both[1].topic_id(topic)
    assert len({(record.key, record.at) for record in records}) == len(keys)


def test_a_missing_extra_is_told_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "watchkeeper_shared.eventlog.confluent", raising=False)
    monkeypatch.delattr("watchkeeper_shared.eventlog.confluent", raising=False)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ConfigError, match=r"pip install watchkeeper\[confluent\]"):
        KafkaLog("127.0.0.1:9", SystemClock(), client="confluent")
