"""What was decided is sent: at least once, in order for each key, and never half."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import outbox, tables
from watchkeeper_shared.db.relay import Relay
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, PermanentError
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import (
    LogWriter,
    Message,
    Position,
    Record,
    TopicPartition,
)
from watchkeeper_shared.testing.clocks import ManualClock

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
PAST_THE_LEASE = timedelta(minutes=1)


class Crash(BaseException):
    """The process dies here."""


class Obstacle:
    """A real writer in front of which things can go wrong."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self.away: set[bytes] = set()
        self.too_large: set[bytes] = set()
        self.crash_after: set[bytes] = set()

    def append(self, message: Message) -> Future[Position]:
        if message.value in self.away:
            raise LogUnavailable("the log is away")
        if message.value in self.too_large:
            refused: Future[Position] = Future()
            refused.set_exception(PermanentError("too large for the log"))
            return refused
        future = self._writer.append(message)
        if message.value in self.crash_after:
            future.result(timeout=30)
            raise Crash
        return future

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedLog]:
    found = EmbeddedLog(tmp_path / "log.db", SystemClock())
    found.create_topics({"breaches": 1})
    yield found
    found.close()


@pytest.fixture
def writer(log: EmbeddedLog) -> Obstacle:
    return Obstacle(log.writer())


def enqueue(database: Database, *values: str, key: str = "k", owner: str = "monitor") -> None:
    with database.transaction() as c:
        for value in values:
            message = Message("breaches", key, value.encode(), {"ce_id": value})
            outbox.enqueue(c, owner, message, value, NOW)


def read_all(log: EmbeddedLog) -> list[str]:
    """Everything on the topic, in the order of the log."""
    at = TopicPartition("breaches", 0)
    reader = log.reader("test", ["breaches"])
    found: list[str] = []
    end = reader.end(at)
    try:
        while len(found) < end:
            poll = reader.poll(timedelta(seconds=5))
            for one in poll.assigned:
                reader.start(one, 0)
            found += [record.value.decode() for record in poll.records]
    finally:
        reader.close()
    return found


def waiting(database: Database, owner: str = "monitor") -> list[str]:
    with database.read() as c:
        return [one.message.value.decode() for one in outbox.unsent(c, owner, 100)]


def test_messages_leave_in_the_order_in_which_they_were_decided(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    enqueue(database, "a1", "a2", key="a")
    enqueue(database, "b1", key="b")
    enqueue(database, "a3", key="a")

    assert Relay(database, writer, "monitor", clock).step() == 4

    sent = read_all(log)
    assert sorted(sent) == ["a1", "a2", "a3", "b1"]
    assert [one for one in sent if one.startswith("a")] == ["a1", "a2", "a3"]
    assert waiting(database) == []


def test_key_headers_and_bytes_arrive_as_they_were_enqueued(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    message = Message("breaches", "täst|1", b"\x00\xff", {"ce_type": "breach.opened"})
    with database.transaction() as c:
        outbox.enqueue(c, "monitor", message, "e", NOW)

    Relay(database, writer, "monitor", clock).step()

    reader = log.reader("test", ["breaches"])
    records: list[Record] = []
    while not records:
        poll = reader.poll(timedelta(seconds=5))
        for one in poll.assigned:
            reader.start(one, 0)
        records += poll.records
    reader.close()
    assert (records[0].key, records[0].value) == (message.key, message.value)
    assert records[0].headers == message.headers


def test_the_same_event_is_enqueued_once(database: Database) -> None:
    enqueue(database, "a", "a")
    enqueue(database, "a")

    assert waiting(database) == ["a"]


def test_a_transaction_that_fails_sends_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as c:  # noqa: PT012
        outbox.enqueue(c, "monitor", Message("breaches", "k", b"a"), "a", NOW)
        _ = 1 / 0

    assert waiting(database) == []


def test_a_relay_sends_only_what_its_service_owns(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    enqueue(database, "mine", owner="monitor")
    enqueue(database, "theirs", owner="alerting")

    Relay(database, writer, "monitor", clock).step()

    assert (read_all(log), waiting(database, "alerting")) == (["mine"], ["theirs"])


def test_a_crash_between_sending_and_marking_repeats_and_loses_nothing(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    enqueue(database, "1", "2", "3")
    writer.crash_after = {b"2"}
    with pytest.raises(Crash):
        Relay(database, writer, "monitor", clock).step()

    writer.crash_after = set()
    clock.advance(PAST_THE_LEASE)
    Relay(database, writer, "monitor", clock).step()

    assert read_all(log) == ["1", "2", "1", "2", "3"]
    assert waiting(database) == []


def test_a_message_that_fails_is_not_overtaken_by_a_later_one_of_its_key(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    enqueue(database, "a1", "a2", "a3", key="a")
    enqueue(database, "b1", "b2", key="b")
    relay = Relay(database, writer, "monitor", clock)
    writer.away = {b"a2"}

    with pytest.raises(LogUnavailable):
        relay.step()

    assert sorted(read_all(log)) == ["a1", "b1", "b2"]
    assert waiting(database) == ["a2", "a3"]
    writer.away = set()
    assert relay.step() == 2
    assert read_all(log)[-2:] == ["a2", "a3"]


def test_a_message_that_the_log_never_takes_is_set_aside_and_named(
    database: Database,
    log: EmbeddedLog,
    writer: Obstacle,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    enqueue(database, "1", "2", "3")
    writer.too_large = {b"2"}
    relay = Relay(database, writer, "monitor", clock)

    assert (relay.step(), relay.step()) == (2, 0)

    assert read_all(log) == ["1", "3"]
    assert "outbox_refused" in caplog.text
    with database.read() as c:
        assert outbox.refused(c, "monitor") == 1
        assert outbox.backlog(c, "monitor") == (0, None)


def test_a_batch_is_bounded(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    enqueue(database, *(f"{number:02}" for number in range(7)))
    relay = Relay(database, writer, "monitor", clock, batch=3)

    assert [relay.step() for _ in range(4)] == [3, 3, 1, 0]
    assert read_all(log) == [f"{number:02}" for number in range(7)]


def test_a_second_relay_stands_by_until_the_first_is_gone(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    first = Relay(database, writer, "monitor", clock)
    second = Relay(database, writer, "monitor", clock)
    enqueue(database, "1")
    first.step()
    enqueue(database, "2")

    assert second.step() == 0
    clock.advance(PAST_THE_LEASE)
    assert second.step() == 1


def test_a_running_relay_outlives_an_outage_and_hands_over_when_told_to_stop(
    database: Database, log: EmbeddedLog, writer: Obstacle
) -> None:
    writer.away = {b"1"}
    turns: defaultdict[str, int] = defaultdict(int)
    turned = threading.Condition()
    stop = threading.Event()

    def beat() -> None:
        with turned:
            turns["all"] += 1
            turned.notify_all()

    relay = Relay(database, writer, "monitor", SystemClock())
    thread = threading.Thread(target=relay.run, args=(stop, beat))
    thread.start()
    try:
        enqueue(database, "1", "2")
        with turned:
            assert turned.wait_for(lambda: turns["all"] >= 3, timeout=30)
        writer.away = set()
        with turned:
            sofar = turns["all"]
            assert turned.wait_for(
                lambda: turns["all"] > sofar and not waiting(database), timeout=30
            )
    finally:
        stop.set()
        thread.join(timeout=30)

    assert read_all(log) == ["1", "2"]
    enqueue(database, "3")
    assert Relay(database, writer, "monitor", SystemClock()).step() == 1


def test_sent_messages_are_forgotten_after_a_month_and_waiting_ones_never(
    database: Database, log: EmbeddedLog, writer: Obstacle, clock: ManualClock
) -> None:
    relay = Relay(database, writer, "monitor", clock)
    enqueue(database, "sent")
    enqueue(database, "refused", key="other")
    writer.too_large = {b"refused"}
    relay.step()
    enqueue(database, "theirs", owner="alerting")

    def kept() -> set[str]:
        with database.read() as c:
            return set(c.execute(sa.select(tables.outbox.c.event_id)).scalars())

    clock.advance(timedelta(days=29))
    relay.step()
    assert kept() == {"sent", "refused", "theirs"}
    clock.advance(timedelta(days=2))
    relay.step()
    assert kept() == {"refused", "theirs"}
