"""Where the log does not hold what comes next, reading goes on, and how much is lost is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper_shared.db import audit, tables
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import Poll, Record, TopicPartition
from watchkeeper_shared.topics import PREDICTIONS

START = datetime(2026, 3, 2, tzinfo=UTC)
TOPIC = {"topic": PREDICTIONS.name}


def breaks(world: Any) -> list[Any]:
    with world.database.read() as c:
        return [one for one in audit.entries(c) if one.act == "log.break"]


def broken(world: Any, kind: str) -> Any:
    labels = TOPIC | {"kind": kind}
    return world.metrics.get_sample_value("watchkeeper_monitor_log_breaks_total", labels)


def gap(world: Any) -> Any:
    return world.metrics.get_sample_value("watchkeeper_monitor_offset_gap_records_total", TOPIC)


def away_while(world: Any, happens: Any) -> None:
    """End the monitor in order, let something happen, and start another one."""
    world.monitor.stop()
    world.monitor._worker.finish()
    happens()
    world.monitor = world.new_monitor()
    world.clock.advance(timedelta(minutes=1))


def test_records_that_retention_took_are_counted_named_and_passed(referenced: Any) -> None:
    referenced.predict(0, 50)
    referenced.settle()

    def forgets() -> None:
        for number in range(3):
            referenced.predict(0, 10, seed=10 + number)
        referenced.log.retain(PREDICTIONS.name, size=0)
        referenced.predict(0, 20, seed=99)

    away_while(referenced, forgets)
    referenced.settle()

    (told,) = breaks(referenced)
    assert (broken(referenced, "retention"), gap(referenced)) == (1, 3)
    assert told.body["records"] == 3
    assert told.body["to"] - told.body["from"] == 3
    assert "before they were read" in told.reason
    assert referenced.now_measured("volume", 0).value == 70


def test_retention_that_overtakes_a_running_reader_does_not_end_it(referenced: Any) -> None:
    referenced.predict(0, 50)
    referenced.settle()
    reader = referenced.monitor._worker._partitions._reader
    referenced.monitor.step()
    referenced.predict(0, 10, seed=11)
    referenced.predict(0, 10, seed=12)
    referenced.log.retain(PREDICTIONS.name, size=0)
    referenced.predict(0, 20, seed=99)

    referenced.settle()

    assert referenced.monitor._worker._partitions._reader is reader
    assert gap(referenced) == 2
    assert referenced.now_measured("volume", 0).value == 70


def test_a_topic_that_was_made_again_is_read_from_its_beginning_and_named(
    referenced: Any,
) -> None:
    for number in range(3):
        referenced.predict(0, 10, seed=number)
    referenced.settle()

    def is_made_again() -> None:
        referenced.log.delete_topic(PREDICTIONS.name)
        create_topics(referenced.log, 2)
        # More records than the stored offset: only the topic's id tells.
        for number in range(6):
            referenced.predict(0, 10, seed=100 + number)

    away_while(referenced, is_made_again)
    referenced.settle()

    assert broken(referenced, "recreated") == len(breaks(referenced)) >= 1
    assert "made again" in breaks(referenced)[0].reason
    assert referenced.now_measured("volume", 0).value == 90


class Renamed:
    """A log whose predictions topic got another identity under a reader that did not notice."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.suffix = ""

    def topic_id(self, topic: str) -> str:
        known: str = self._reader.topic_id(topic)
        return known + self.suffix if topic == PREDICTIONS.name else known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def test_a_topic_made_again_under_a_running_reader_is_noticed(referenced: Any) -> None:
    referenced.predict(0, 50)
    referenced.settle()
    partitions = referenced.monitor._worker._partitions
    renamed = Renamed(partitions._reader)
    partitions._reader = partitions._claims._reader = renamed
    renamed.suffix = "x"
    referenced.predict(0, 20, seed=5)
    referenced.clock.advance(timedelta(seconds=30))

    referenced.settle()

    assert broken(referenced, "recreated") == 2  # partitions
    assert referenced.now_measured("volume", 0).value == 70
    assert referenced.tally("duplicates") == 50


def test_a_log_that_was_cut_short_is_read_from_its_beginning(referenced: Any) -> None:
    for number in range(4):
        referenced.predict(0, 10, seed=number)
    referenced.settle()
    (before,) = [row for row in positions_of(referenced) if row.next_offset]

    def is_restored_from_an_older_copy() -> None:
        topic_id = before.topic_id
        referenced.log.delete_topic(PREDICTIONS.name)
        create_topics(referenced.log, 2)
        set_topic_id(referenced, topic_id)
        referenced.predict(0, 10, seed=3)
        referenced.predict(0, 10, seed=50)

    away_while(referenced, is_restored_from_an_older_copy)
    referenced.settle()

    assert broken(referenced, "truncated") == 1
    assert gap(referenced) == 0
    assert referenced.now_measured("volume", 0).value == 50
    assert referenced.tally("duplicates") == 10


def positions_of(world: Any) -> Any:
    return world.all(tables.positions, topic=PREDICTIONS.name, consumer="monitor")


def set_topic_id(world: Any, topic_id: str) -> None:
    """Give the topic the id it had, as a copy of the file would."""
    with world.log._transaction("rename") as connection:
        connection.execute("update topics set id = ? where name = ?", (topic_id, PREDICTIONS.name))


def test_after_an_outage_nothing_that_was_read_meanwhile_is_skipped(referenced: Any) -> None:
    """What a poll brings while the database is away lies behind the stored position."""
    referenced.predict(0, 50)
    referenced.settle()
    partitions = referenced.monitor._worker._partitions
    for number in range(4):
        referenced.predict(0, 10, seed=20 + number)
        if number == 1:
            partitions.claim_again()  # as after an outage, with records on their way

    late = Late(partitions._reader)
    partitions._reader = partitions._claims._reader = late
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 90


class Late:
    """A client that still delivers what it had fetched before it was told to halt."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.stale: list[Any] = []

    def poll(self, timeout: timedelta) -> Any:
        polled = self._reader.poll(timeout)
        if self.stale:
            return polled
        found = [
            TopicPartition(PREDICTIONS.name, number)
            for number in range(2)
            if self._reader.end(TopicPartition(PREDICTIONS.name, number))
        ]
        self.stale = [
            Record(at, self._reader.end(at) - 1, "loans", b"\x00", {}, START) for at in found
        ]
        return Poll((*self.stale, *polled.records), polled.assigned, polled.lost)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)
