"""The embedded log stays in bounds, and what counts for good stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from watchkeeper.forgetting import forget, forgetting
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import Message, TopicPartition
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.settings import LogSettings
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.topics import CONTROL, LABELS, PREDICTIONS

SETTINGS = LogSettings(log_path=Path("x"), log_retention=timedelta(days=7))


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedLog]:
    made = EmbeddedLog(tmp_path / "log.db", clock)
    create_topics(made, 1)
    writer = made.writer()
    for topic in (PREDICTIONS.name, LABELS.dead_letters, CONTROL.name):
        for _ in range(3):
            writer.append(Message(topic, "k", bytes(100))).result(10)
    writer.close()
    yield made
    made.close()


def oldest(log: EmbeddedLog, topic: str) -> int:
    reader = log.reader("people", [topic])
    try:
        return reader.beginning(TopicPartition(topic, 0))
    finally:
        reader.close()


def test_old_records_go_and_what_was_applied_stays(log: EmbeddedLog, clock: ManualClock) -> None:
    clock.advance(timedelta(days=6))
    early = forget(log, SETTINGS)
    clock.advance(timedelta(days=2))

    assert (early, forget(log, SETTINGS)) == (0, 6)
    assert oldest(log, PREDICTIONS.name) == oldest(log, LABELS.dead_letters) == 3
    assert oldest(log, CONTROL.name) == 0


def test_a_partition_that_has_grown_too_large_loses_its_oldest(log: EmbeddedLog) -> None:
    small = LogSettings(log_path=Path("x"), log_retention_bytes=250)

    assert forget(log, small) > 0
    assert 0 < oldest(log, PREDICTIONS.name) <= 3
    assert oldest(log, CONTROL.name) == 0


def test_a_running_process_forgets_by_itself(log: EmbeddedLog, clock: ManualClock) -> None:
    clock.advance(timedelta(days=8))
    real, health = SystemClock(), Health(clock)
    with forgetting(log, SETTINGS, health):
        until = real.monotonic() + 20
        while oldest(log, PREDICTIONS.name) == 0:
            assert real.monotonic() < until
        assert "log-retention" in health.liveness().checks

    assert health.liveness().checks == {}
