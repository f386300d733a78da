"""A log that forgot, a record that kills, a release that reads nothing: breaches go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.store import alerts, tickets
from watchkeeper_alerting.testing.builders import a_breach, a_record
from watchkeeper_alerting.worker import GROUP, Worker
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import audit, outbox, positions, tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, RetryableError
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import LogReader, Message, TopicPartition
from watchkeeper_shared.events.breaches import BREACH_CLEARED
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.topics import BREACHES


class Breaches:
    """The breach topic and processes that read it, one after the other."""

    def __init__(self, path: Path, database: Database, clock: ManualClock) -> None:
        self.log = EmbeddedLog(path, SystemClock())
        create_topics(self.log, 1)
        self.database = database
        self.clock = clock
        self._writer = self.log.writer()
        self._processes = 0

    def send(self, *messages: Message) -> None:
        for message in messages:
            self._writer.append(message).result(timeout=10)

    def process(self) -> tuple[Worker, LogReader, CollectorRegistry]:
        self._processes += 1
        metrics = CollectorRegistry()
        worker = Worker(
            self.log,
            self.database,
            self.clock,
            Handler("https://watch.example.org"),
            Counters(metrics),
            f"process-{self._processes}",
        )
        return worker, self.log.reader(GROUP, [BREACHES.name]), metrics

    def work(self) -> CollectorRegistry:
        worker, reader, metrics = self.process()
        try:
            quiet = 0
            while quiet < 4:
                handled = worker.step(reader, timedelta(milliseconds=50))
                quiet = 0 if handled else quiet + 1
        finally:
            reader.close()
        return metrics

    def alerts(self) -> int:
        with self.database.read() as c:
            return len(alerts.listing(c))

    def letters(self) -> list[str]:
        with self.database.read() as c:
            waiting = [one.message for one in outbox.unsent(c, OWNER, 1000)]
        name = "__watchkeeper.errors.code"
        return [one.headers[name] for one in waiting if one.topic == BREACHES.dead_letters]


@pytest.fixture
def stream(tmp_path: Path, database: Database, clock: ManualClock) -> Iterator[Breaches]:
    made = Breaches(tmp_path / "log.db", database, clock)
    yield made
    made.log.close()


def told(number: int) -> Message:
    return a_record(a_breach(breach=f"{number}" * 40), event_id=f"e-{number}")


def test_events_that_retention_took_are_counted_and_later_ones_handled(stream: Breaches) -> None:
    stream.send(told(1))
    stream.work()
    stream.send(told(2), told(3))
    stream.log.retain(BREACHES.name, size=0)
    stream.send(told(4))

    metrics = stream.work()

    with stream.database.read() as c:
        (entry,) = [one for one in audit.entries(c) if one.act == "log.break"]
    assert stream.alerts() == 2
    assert metrics.get_sample_value("watchkeeper_breach_offset_gap_records_total") == 2
    assert (entry.actor, entry.body["records"]) == ("watchkeeper-alerting", 2)


def test_retention_that_overtakes_a_running_reader_is_said_and_counted(
    stream: Breaches, caplog: pytest.LogCaptureFixture
) -> None:
    worker, reader, metrics = stream.process()
    stream.send(told(1))
    while not worker.step(reader, timedelta(milliseconds=50)):
        pass
    stream.send(told(2), told(3))
    stream.log.retain(BREACHES.name, size=0)
    stream.send(told(4))

    while not worker.step(reader, timedelta(milliseconds=50)):
        pass
    reader.close()

    kind = {"kind": "retention"}
    assert metrics.get_sample_value("watchkeeper_breach_log_breaks_total", kind) == 1
    assert metrics.get_sample_value("watchkeeper_breach_offset_gap_records_total") == 2
    assert {"offset_gone", "log_break"} <= {record.message for record in caplog.records}
    assert stream.alerts() == 2


class Hasty:
    """A log whose retention moves on whenever a partition is begun."""

    def __init__(self, reader: LogReader, log: EmbeddedLog) -> None:
        self._reader = reader
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def start(self, at: TopicPartition, offset: int) -> None:
        writer = self._log.writer()
        writer.append(told(9)).result(timeout=10)
        self._log.retain(BREACHES.name, size=0)
        self._reader.start(at, offset)


def test_retention_that_is_quicker_than_every_begin_is_waited_for(stream: Breaches) -> None:
    worker, reader, _ = stream.process()
    hasty = cast("LogReader", Hasty(reader, stream.log))

    def begin() -> None:
        for _ in range(10):
            worker.step(hasty, timedelta(milliseconds=50))

    with pytest.raises(LogUnavailable, match="moves on while it is begun"):
        begin()
    reader.close()


def test_a_topic_made_again_is_read_anew_and_has_no_second_effect(stream: Breaches) -> None:
    stream.send(told(1), told(2))
    stream.work()
    stream.log.delete_topic(BREACHES.name)
    create_topics(stream.log, 1)
    stream.send(told(1), told(3), told(4))

    stream.work()

    assert stream.alerts() == 4


def test_a_record_that_kills_its_reader_is_set_aside(
    stream: Breaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    stream.send(told(1), told(2), told(3))
    real = Handler.handle

    def handle(self: Handler, c: object, turn: object, now: object) -> object:
        if turn.breach.breach.startswith("2"):  # type: ignore[attr-defined]
            die()
        return real(self, c, turn, now)  # type: ignore[arg-type]

    monkeypatch.setattr(Handler, "handle", handle)
    deaths = 0
    while deaths < 10:
        try:
            stream.work()
            break
        except Killed:
            deaths += 1

    # Twice while it was one of several that it might have been, thrice in hand alone.
    assert (deaths, stream.alerts(), stream.letters()) == (5, 2, ["crashed"])


@pytest.mark.parametrize("key", ["k\0ey", "k" * 513, "é" * 2000])
def test_poison_under_a_key_that_no_postgresql_holds_blocks_nothing(
    stream: Breaches, key: str
) -> None:
    poison = Message(BREACHES.name, key, b"\xff", {"content-type": "text/\0"})
    stream.send(poison, told(1))

    stream.work()

    assert stream.letters() == ["malformed"]
    assert stream.alerts() == 1


def test_a_release_that_reads_nothing_stops_before_the_topic_drains(stream: Breaches) -> None:
    poison = [Message(BREACHES.name, "employment-ma", b"?") for _ in range(15)]
    stream.send(*poison, told(1))
    worker, reader, metrics = stream.process()
    for _ in range(20):
        worker.step(reader, timedelta(milliseconds=20))
    drained = len(stream.letters())
    worker._trouble = ""
    with pytest.raises(RetryableError, match="10 records in a row"):
        worker.ready()
    for _ in range(6):
        stream.clock.advance(timedelta(seconds=31))
        for _ in range(5):
            worker.step(reader, timedelta(milliseconds=20))
    reader.close()

    assert drained == 10
    assert (len(stream.letters()), stream.alerts()) == (15, 1)
    assert metrics.get_sample_value("watchkeeper_breach_reading_stopped") == 0


def test_events_handled_long_ago_are_forgotten(stream: Breaches) -> None:
    stream.send(told(1))
    stream.work()
    worker, reader, _ = stream.process()
    stream.clock.advance(timedelta(days=401))
    with stream.database.transaction() as c:
        positions.first_sight(c, GROUP, "new", stream.clock.now())
        positions.first_sight(c, "another", "old", stream.clock.now() - timedelta(days=900))

    worker.step(reader, timedelta(milliseconds=20))
    reader.close()

    with stream.database.read() as c:
        kept = {row.event_id for row in c.execute(tables.inbox.select())}
    assert kept == {"new", "old"}


def test_a_breach_whose_rule_is_gone_is_resolved_and_not_called_recovered(
    stream: Breaches,
) -> None:
    why = "rule 'accuracy' was removed from policy 'employment-ma'"
    stream.send(
        a_record(a_breach(), event_id="e-1"),
        a_record(a_breach(retired=True, reason=why), BREACH_CLEARED, "e-2"),
    )

    stream.work()

    with stream.database.read() as c:
        (alert,) = alerts.listing(c)
        (ticket,) = tickets.listing(c)
        notes = [one.text for one in tickets.acts(c, ticket.id)]
    assert (alert.state, alert.resolve_reason) == ("resolved", "rule_removed")
    assert ticket.state == "new"
    assert why in notes[-1]
