"""A partition that is halted is kept and delivers nothing; topics are made as they are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.opening import open_log
from watchkeeper_shared.eventlog.port import EventLog, Message, TopicPartition
from watchkeeper_shared.testing.readings import PATIENCE, Reading, fresh


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    address = None if request.param == "embedded" else request.getfixturevalue("kafka_bootstrap")
    made = open_log(address, tmp_path / "log.db", SystemClock())
    yield made
    made.close()


def test_a_halted_partition_delivers_nothing_until_it_is_started_again(log: EventLog) -> None:
    one, other = fresh("topic"), fresh("topic")
    log.create_topics({one: 1, other: 1})
    writer = log.writer()
    reading = Reading(log, one, other)
    reading.begin(2)
    halted = TopicPartition(one, 0)
    reading.halt(halted)
    reading.reader.halt(TopicPartition("nobody's", 0))
    for topic in (one, other):
        for number in range(3):
            writer.append(Message(topic, "k", b"%d" % number)).result(PATIENCE)

    meanwhile = reading.drain(3)
    reading.start(halted, 1)
    after = reading.drain(2)

    assert {record.at.topic for record in meanwhile} == {other}
    assert [(record.at.topic, record.value) for record in after] == [(one, b"1"), (one, b"2")]
    assert halted in reading.ours


@pytest.mark.kafka
def test_a_compacted_topic_is_made_as_one(kafka_bootstrap: str) -> None:
    kept, other = fresh("topic"), fresh("topic")
    log = open_log(kafka_bootstrap, None, SystemClock())
    log.create_topics({kept: 1, other: 1}, [kept])
    log.create_topics({kept: 1, other: 1}, [kept])
    log.close()

    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        found = {
            topic: settings_of(admin, topic, "cleanup.policy", "max.message.bytes")
            for topic in (kept, other)
        }
    finally:
        admin.close()

    assert found[kept]["cleanup.policy"] == "compact"
    assert found[other]["cleanup.policy"] != "compact"
    assert all(int(one["max.message.bytes"]) > 8 << 20 for one in found.values())


def settings_of(admin: KafkaAdminClient, topic: str, *names: str) -> dict[str, str]:
    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: _value(answer, name) for name in names}


def _value(answer: object, name: str) -> str:
    """Find a setting in whatever shape this release of the client answers."""
    if isinstance(answer, dict):
        if name in answer:
            found = answer[name]
            return str(found["value"] if isinstance(found, dict) else found)
        return next((hit for one in answer.values() if (hit := _value(one, name))), "")
    if isinstance(answer, list | tuple):
        return next((hit for one in answer if (hit := _value(one, name))), "")
    return ""
