"""The event log's contract, held by each adapter."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import EventLog, TopicPartition
from watchkeeper_shared.testing.contracts.eventlog import EventLogContract, Subject


class EmbeddedSubject:
    """A file in a folder of the test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> EmbeddedLog:
        return EmbeddedLog(self.path, SystemClock())

    def delete_topic(self, topic: str) -> None:
        self.open().delete_topic(topic)

    def forget(self, at: TopicPartition, before: int) -> None:
        log = self.open()
        reader = log.reader("retention", [at.topic])
        kept = reader.end(at) - before
        log.close()
        # Every record of the contract's test weighs two bytes: one of the key, one of the value.
        log.retain(at.topic, size=2 * kept)


class TestEmbeddedLog(EventLogContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Subject:
        return EmbeddedSubject(tmp_path / "log.db")


class KafkaSubject:
    """A broker that the session shares; names are fresh in each test."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def open(self) -> EventLog:
        return KafkaLog(self.bootstrap, SystemClock())

    def delete_topic(self, topic: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_topics([topic])
        admin.close()

    def forget(self, at: TopicPartition, before: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        admin.delete_records({KafkaPartition(at.topic, at.partition): before})
        admin.close()


@pytest.mark.kafka
class TestKafkaLog(EventLogContract):
    @pytest.fixture
    def subject(self, kafka_bootstrap: str) -> Subject:
        return KafkaSubject(kafka_bootstrap)
