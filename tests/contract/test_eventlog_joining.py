"""A member of a group stays one, however short its polls and whatever changes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from kafka.admin import KafkaAdminClient

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog import kafka_settings
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import LogReader, TopicPartition
from watchkeeper_shared.testing.readings import PATIENCE, fresh

pytestmark = pytest.mark.kafka

SHORT = timedelta(milliseconds=2)
TURN = timedelta(milliseconds=100)
ADDED = 3


@pytest.fixture
def log(kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaLog]:
    monkeypatch.setattr(kafka_settings, "METADATA_MS", 500)  # finds new partitions sooner
    made = KafkaLog(kafka_bootstrap, SystemClock(), session=timedelta(seconds=6))
    yield made
    made.close()


def share(reader: LogReader, wanted: int) -> frozenset[TopicPartition]:
    """Poll in the shortest slices until so many partitions are given; return what is held."""
    clock = SystemClock()
    until = clock.monotonic() + 2 * PATIENCE
    held: frozenset[TopicPartition] = frozenset()
    while len(held) < wanted and clock.monotonic() < until:
        poll = reader.poll(SHORT)
        held = (held - poll.lost) | poll.assigned
    return held


def test_a_poll_that_ends_in_the_middle_of_a_rebalance_does_not_cost_the_share(
    log: KafkaLog, kafka_bootstrap: str
) -> None:
    """Partitions that are added make the leader of the group rebalance by itself."""
    topic = fresh("topic")
    log.create_topics({topic: 1})
    reader = log.reader(fresh("group"), [topic])
    assert len(share(reader, 1)) == 1
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_partitions({topic: ADDED})
    admin.close()

    assert len(share(reader, ADDED)) == ADDED


def test_members_that_one_thread_polls_in_turn_settle(log: KafkaLog) -> None:
    """What the broker answers nearly always comes while its member is not polled."""
    topic = fresh("topic")
    log.create_topics({topic: 4})
    group, clock = fresh("group"), SystemClock()
    meanwhile = log.reader(fresh("group"), [topic])
    held: dict[LogReader, frozenset[TopicPartition]] = {}
    for _ in range(4):
        held[log.reader(group, [topic])] = frozenset()

    until = clock.monotonic() + PATIENCE
    while [len(each) for each in held.values()] != [1] * 4:
        assert clock.monotonic() < until, held
        for reader, before in held.items():
            poll = reader.poll(SHORT)
            held[reader] = (before - poll.lost) | poll.assigned
        meanwhile.poll(TURN)

    assert frozenset[TopicPartition]().union(*held.values()) == {
        TopicPartition(topic, partition) for partition in range(4)
    }
