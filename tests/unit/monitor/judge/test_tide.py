"""How far event time is: the slowest partition that still speaks, or nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from watchkeeper_monitor.judge.tide import Tide, tide
from watchkeeper_monitor.store.progress import Progress
from watchkeeper_shared.eventlog.port import TopicPartition

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
IDLE = timedelta(seconds=30)
A, B = TopicPartition("predictions", 0), TopicPartition("predictions", 1)


def progress(at: TopicPartition, minutes: float, silent_for: float) -> Progress:
    return Progress(at, NOW - timedelta(minutes=minutes), NOW - timedelta(seconds=silent_for))


def look(
    partitions: list[Progress], behind: frozenset[TopicPartition] = frozenset()
) -> Tide | None:
    return tide(partitions, NOW, IDLE, lambda at: 1 if at in behind else 0)


def test_without_any_prediction_there_is_no_tide() -> None:
    assert look([]) is None


def test_the_slowest_partition_that_speaks_holds_the_watermark() -> None:
    found = look([progress(A, 1, 1), progress(B, 9, 2)])

    assert found == Tide(
        NOW - timedelta(minutes=9), idle=False, last_arrival=NOW - timedelta(seconds=1)
    )


def test_a_silent_partition_holds_nothing_back() -> None:
    found = look([progress(A, 1, 1), progress(B, 9, 60)])

    assert found is not None
    assert found.watermark == NOW - timedelta(minutes=1)


def test_a_partition_that_is_silent_because_we_are_behind_does() -> None:
    found = look([progress(A, 1, 1), progress(B, 9, 60)], behind=frozenset({B}))

    assert found is not None
    assert found.watermark == NOW - timedelta(minutes=9)


def test_when_all_are_silent_and_read_the_system_is_idle() -> None:
    found = look([progress(A, 1, 60), progress(B, 9, 60)])

    assert found is not None
    assert found.idle
