"""What every event log must do; one class per adapter inherits this and says how to get one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Protocol

import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable, NotFound, OffsetGone, PermanentError
from watchkeeper_shared.eventlog.port import (
    MAX_RECORD_BYTES,
    EventLog,
    LogReader,
    Message,
    Record,
    TopicPartition,
)
from watchkeeper_shared.testing.readings import PATIENCE, SLICE, Reading, fresh


class Subject(Protocol):
    """An adapter under test: the same log can be opened more than once."""

    def open(self) -> EventLog: ...

    def delete_topic(self, topic: str) -> None: ...

    def forget(self, at: TopicPartition, before: int) -> None:
        """Remove the records before an offset, as retention would."""
        ...


def append(log: EventLog, messages: Sequence[Message]) -> list[int]:
    """Append and wait until all is durable; return the offsets."""
    writer = log.writer()
    futures = [writer.append(message) for message in messages]
    offsets = [future.result(PATIENCE).offset for future in futures]
    writer.close()
    return offsets


def values(records: Sequence[Record]) -> list[bytes]:
    """Return the values in the order of delivery."""
    return [record.value for record in records]


def overtaken(subject: Subject, log: EventLog) -> tuple[Reading, TopicPartition, OffsetGone]:
    """Return a reader that retention has overtaken, and what it was told.

    A client that fetches ahead may have had the records in time; then nothing was missed, and
    it is tried again.
    """
    for _ in range(20):
        topic = fresh("topic")
        log.create_topics({topic: 1})
        append(log, [Message(topic, "k", b"%d" % i) for i in range(3)])
        reading = Reading(log, topic, offset=3)
        (at,) = reading.begin(1)
        append(log, [Message(topic, "k", b"%d" % i) for i in range(3, 10)])
        subject.forget(at, 8)
        try:
            assert values(reading.drain(7)) == [b"%d" % i for i in range(3, 10)]
        except OffsetGone as gone:
            return reading, at, gone
    pytest.fail("retention never was ahead of the reader")


class EventLogContract:
    """Inherit, and override the fixture `subject`."""

    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    @pytest.fixture
    def log(self, subject: Subject) -> Iterator[EventLog]:
        log = subject.open()
        yield log
        log.close()

    @pytest.fixture
    def topic(self, log: EventLog) -> str:
        topic = fresh("topic")
        log.create_topics({topic: 4})
        return topic

    def test_records_of_one_key_keep_their_order_and_their_partition(
        self, log: EventLog, topic: str
    ) -> None:
        append(log, [Message(topic, f"k{i % 7}", b"%d" % i) for i in range(210)])
        reading = Reading(log, topic)
        records = reading.drain(210)
        for key in range(7):
            of_key = [record for record in records if record.key == f"k{key}"]
            assert values(of_key) == [b"%d" % i for i in range(key, 210, 7)]
            assert len({record.at for record in of_key}) == 1

    def test_offsets_count_up_from_zero_without_gaps(self, log: EventLog, topic: str) -> None:
        assert append(log, [Message(topic, "k", b"%d" % i) for i in range(50)]) == list(range(50))
        assert append(log, [Message(topic, "k", b"more")]) == [50]

    def test_what_was_confirmed_is_there_after_reopening(
        self, subject: Subject, log: EventLog, topic: str
    ) -> None:
        append(log, [Message(topic, "k", b"kept")])
        log.close()
        again = subject.open()
        reading = Reading(again, topic)
        assert values(reading.drain(1)) == [b"kept"]
        again.close()

    def test_headers_an_empty_key_and_an_empty_value_come_back(
        self, log: EventLog, topic: str
    ) -> None:
        headers = {"ce_id": "1", "ce_source": "zürich/β"}
        before = SystemClock().now()
        append(log, [Message(topic, "", b"", headers)])
        reading = Reading(log, topic)
        (record,) = reading.drain(1)
        assert (record.key, record.value, dict(record.headers)) == ("", b"", headers)
        assert abs(record.timestamp - before) < timedelta(minutes=1)

    def test_a_megabyte_comes_back_as_it_was(self, log: EventLog, topic: str) -> None:
        value = secrets.token_bytes(1 << 20)
        append(log, [Message(topic, "k", value)])
        reading = Reading(log, topic)
        assert values(reading.drain(1)) == [value]

    def test_a_record_over_the_limit_is_refused_for_good(self, log: EventLog, topic: str) -> None:
        future = log.writer().append(Message(topic, "k", bytes(MAX_RECORD_BYTES)))
        with pytest.raises(PermanentError, match="over the limit"):
            future.result(PATIENCE)

    def test_a_message_for_a_missing_topic_fails(self, log: EventLog) -> None:
        future = log.writer().append(Message(fresh("nowhere"), "k", b"x"))
        with pytest.raises(LogUnavailable, match="nowhere"):
            future.result(PATIENCE)

    def test_a_closed_writer_takes_nothing(self, log: EventLog, topic: str) -> None:
        writer = log.writer()
        writer.close()
        writer.close()
        with pytest.raises(LogUnavailable, match="closed"):
            writer.append(Message(topic, "k", b"x")).result(PATIENCE)

    def test_nothing_is_delivered_before_start(self, log: EventLog, topic: str) -> None:
        append(log, [Message(topic, f"{i}", b"x") for i in range(20)])
        reader = log.reader(fresh("group"), [topic])
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        assigned: set[TopicPartition] = set()
        while len(assigned) < 4:
            assert clock.monotonic() < until
            poll = reader.poll(SLICE)
            assert not poll.records
            assigned |= poll.assigned
        assert not reader.poll(timedelta(seconds=1)).records

    def test_reading_starts_in_the_middle_and_moves_back(self, log: EventLog) -> None:
        topic = fresh("topic")
        log.create_topics({topic: 1})
        append(log, [Message(topic, "k", b"%d" % i) for i in range(10)])
        reading = Reading(log, topic, offset=7)
        (at,) = reading.begin(1)
        assert values(reading.drain(3)) == [b"7", b"8", b"9"]
        reading.start(at, 2)
        assert [record.offset for record in reading.drain(8)] == list(range(2, 10))

    def test_a_reader_at_the_end_sees_what_comes_next(self, log: EventLog) -> None:
        topic = fresh("topic")
        log.create_topics({topic: 1})
        append(log, [Message(topic, "k", b"old")])
        reading = Reading(log, topic, offset=1)
        (at,) = reading.begin(1)
        assert (reading.reader.beginning(at), reading.reader.end(at)) == (0, 1)
        append(log, [Message(topic, "k", b"new")])
        assert values(reading.drain(1)) == [b"new"]
        assert reading.reader.end(at) == 2

    def test_two_groups_each_read_everything(self, log: EventLog, topic: str) -> None:
        append(log, [Message(topic, f"{i}", b"%d" % i) for i in range(20)])
        for _ in range(2):
            assert len(Reading(log, topic).drain(20)) == 20

    def test_members_share_the_partitions_and_one_that_leaves_hands_over(
        self, log: EventLog, topic: str
    ) -> None:
        group = fresh("group")
        first, second = log.reader(group, [topic]), log.reader(group, [topic])
        shares: dict[LogReader, set[TopicPartition]] = {first: set(), second: set()}

        def covered() -> bool:
            return len(set().union(*shares.values())) == 4

        def settled(sizes: list[int]) -> None:
            clock = SystemClock()
            until = clock.monotonic() + PATIENCE
            while sorted(map(len, shares.values())) != sizes or not covered():
                assert clock.monotonic() < until, shares
                for reader in list(shares):
                    poll = reader.poll(SLICE)
                    shares[reader] = (shares[reader] - poll.lost) | poll.assigned

        settled([2, 2])
        second.close()
        second.close()
        del shares[second]
        settled([4])

    def test_a_start_outside_what_is_kept_says_so(self, log: EventLog) -> None:
        topic = fresh("topic")
        log.create_topics({topic: 1})
        append(log, [Message(topic, "k", b"x")])
        reading = Reading(log, topic)
        (at,) = reading.begin(1)
        with pytest.raises(OffsetGone) as gone:
            reading.reader.start(at, 9)
        assert (gone.value.offset, gone.value.beginning, gone.value.end) == (9, 0, 1)
        with pytest.raises(NotFound):
            reading.reader.start(TopicPartition(topic, 5), 0)

    def test_a_reader_that_retention_overtakes_is_told_once_and_can_go_on(
        self, subject: Subject, log: EventLog
    ) -> None:
        reading, at, gone = overtaken(subject, log)
        assert (gone.offset, gone.beginning, gone.end) == (3, 8, 10)
        assert not reading.poll()
        reading.start(at, reading.reader.beginning(at))
        assert values(reading.drain(2)) == [b"8", b"9"]

    def test_a_topic_that_is_made_again_has_another_id(
        self, subject: Subject, log: EventLog, topic: str
    ) -> None:
        reader = log.reader(fresh("group"), [topic])
        before = reader.topic_id(topic)
        assert before == reader.topic_id(topic)
        subject.delete_topic(topic)
        log.create_topics({topic: 4})
        assert log.reader(fresh("group"), [topic]).topic_id(topic) not in {before, ""}

    def test_creating_topics_again_changes_nothing(self, log: EventLog, topic: str) -> None:
        append(log, [Message(topic, "k", b"x")])
        other = fresh("topic")
        log.create_topics({topic: 4, other: 1})
        reading = Reading(log, topic, other)
        reading.begin(5)
        assert values(reading.drain(1)) == [b"x"]

    def test_a_report_never_fails_its_caller(self, log: EventLog, topic: str) -> None:
        reading = Reading(log, topic)
        reading.reader.report(dict.fromkeys(reading.begin(4), 0))
        reading.reader.report({TopicPartition("elsewhere", 3): 7})
        reading.poll()

    def test_a_log_that_runs_answers(self, log: EventLog) -> None:
        log.ping()
