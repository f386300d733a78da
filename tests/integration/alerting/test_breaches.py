"""A breach on the log becomes one alert and one ticket, however often it is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.alerts import Decision
from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.breach_records import BreachTurn, decode
from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.store import alerts, deliveries, tickets
from watchkeeper_alerting.testing.builders import a_breach, a_record
from watchkeeper_alerting.worker import Worker
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import audit, outbox, positions
from watchkeeper_shared.db.tables import inbox
from watchkeeper_shared.db.tables import positions as position_table
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import LogReader, Message
from watchkeeper_shared.events.breaches import BREACH_CLEARED, BREACH_OPENED, BREACH_UPDATED
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.topics import BREACHES

CHANNELS = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "http://127.0.0.1:9/hook"}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: pager}
spec: {type: alertmanager, url: "http://127.0.0.1:9", send_resolved: false}
"""


class Stream:
    """The breach topic and the worker that reads it."""

    def __init__(self, path: Path, database: Database, clock: ManualClock) -> None:
        self.log = EmbeddedLog(path, SystemClock())
        create_topics(self.log, 2)
        self.database = database
        self.clock = clock
        self._writer = self.log.writer()

    def send(self, *messages: Message) -> None:
        for message in messages:
            self._writer.append(message).result(timeout=10)

    def worker(self) -> tuple[Worker, LogReader]:
        handler = Handler("https://watch.example.org")
        counters = Counters(CollectorRegistry())
        worker = Worker(self.log, self.database, self.clock, handler, counters, "test")
        return worker, self.log.reader("alerting", [BREACHES.name])

    def work(self) -> None:
        """Read everything that is there with a fresh worker, as after a restart."""
        worker, reader = self.worker()
        try:
            quiet = 0
            while quiet < 3:  # an assignment and its first records come in separate polls
                handled = worker.step(reader, timedelta(milliseconds=200))
                quiet = 0 if handled else quiet + 1
        finally:
            reader.close()

    def close(self) -> None:
        self._writer.close()
        self.log.close()


@pytest.fixture
def stream(tmp_path: Path, database: Database, clock: ManualClock) -> Iterator[Stream]:
    made = Stream(tmp_path / "log.db", database, clock)
    with database.transaction() as c:
        application.apply(c, [SourceFile("channels.yaml", CHANNELS)], "admin", clock.now())
    yield made
    made.close()


def counted(database: Database, table: str) -> int:
    with database.read() as c:
        return int(c.execute(sa.text(f"select count(*) from {table}")).scalar_one())


def test_a_breach_opens_one_alert_and_one_ticket_and_queues_each_channel(stream: Stream) -> None:
    stream.send(a_record(a_breach(evidence="ev-1")))

    stream.work()

    with stream.database.read() as c:
        (alert,) = alerts.listing(c)
        (ticket,) = tickets.listing(c)
        queued = deliveries.of_alert(c, alert.id)
        history = tickets.acts(c, ticket.id)
        (entry,) = [one for one in audit.entries(c) if one.act == "alert.open"]
    assert (alert.state, alert.severity) == ("firing", "critical")
    assert ticket.alert == alert.id
    assert ticket.frozen["value"] == 0.7712
    assert ticket.evidence == "ev-1"
    assert [(one.act, one.after) for one in history] == [("open", "new")]
    assert [(one.channel, one.event, one.state) for one in queued] == [
        ("oncall", "firing", "queued"),
        ("pager", "firing", "queued"),
    ]
    assert queued[0].payload["ticket_url"].endswith(f"/tickets/{ticket.id}")
    assert entry.body["breach"]["value"] == 0.7712


def test_redelivery_of_any_kind_has_no_second_effect(stream: Stream) -> None:
    stream.send(a_record(a_breach()), a_record(a_breach()))
    stream.work()
    with stream.database.transaction() as c:  # the position is lost, the inbox is not
        c.execute(position_table.delete())

    stream.work()

    assert counted(stream.database, "alerts") == 1
    assert counted(stream.database, "tickets") == 1
    assert counted(stream.database, "deliveries") == 2
    assert counted(stream.database, "ticket_acts") == 1


def test_even_without_the_inbox_an_episode_has_one_alert_and_one_ticket(stream: Stream) -> None:
    stream.send(a_record(a_breach()))
    stream.work()
    with stream.database.transaction() as c:
        c.execute(position_table.delete())
        c.execute(inbox.delete())

    stream.work()

    assert counted(stream.database, "alerts") == 1
    assert counted(stream.database, "tickets") == 1
    assert counted(stream.database, "deliveries") == 2


def test_a_cleared_breach_resolves_the_alert_and_never_closes_the_ticket(stream: Stream) -> None:
    stream.send(
        a_record(a_breach(), BREACH_OPENED, "e-1"),
        a_record(a_breach(value=0.7), BREACH_UPDATED, "e-2"),
        a_record(a_breach(value=0.85, reason="accuracy is 0.85"), BREACH_CLEARED, "e-3"),
    )

    stream.work()

    with stream.database.read() as c:
        (alert,) = alerts.listing(c)
        (ticket,) = tickets.listing(c)
        acts = [(one.act, one.before, one.after) for one in tickets.acts(c, ticket.id)]
        told = [(one.channel, one.event) for one in deliveries.of_alert(c, alert.id)]
    assert (alert.state, alert.resolve_reason) == ("resolved", "recovered")
    assert alert.content["value"] == 0.85
    assert ticket.state == "new"
    assert ticket.frozen["value"] == 0.7712
    assert acts == [("open", "", "new"), ("note", "new", "new"), ("note", "new", "new")]
    assert sorted(told) == [("oncall", "firing"), ("oncall", "resolved"), ("pager", "firing")]


def test_a_withdrawn_breach_says_so_and_may_be_raised_again(stream: Stream) -> None:
    stream.send(
        a_record(a_breach(), BREACH_OPENED, "e-1"),
        a_record(a_breach(withdrawn=True), BREACH_CLEARED, "e-2"),
    )
    stream.work()
    with stream.database.read() as c:
        (withdrawn,) = alerts.listing(c)

    stream.send(a_record(a_breach(), BREACH_OPENED, "e-3"))
    stream.work()

    with stream.database.read() as c:
        (again,) = alerts.listing(c)
        fired = [one for one in deliveries.of_alert(c, again.id) if one.event == "firing"]
    assert withdrawn.resolve_reason == "withdrawn_by_amendment"
    assert (again.state, again.resolved_at) == ("firing", None)
    assert len(fired) == 4
    assert counted(stream.database, "tickets") == 1


def test_a_breach_that_is_taken_back_after_it_ended_is_known_to_have_been_none(
    stream: Stream,
) -> None:
    stream.send(
        a_record(a_breach(), BREACH_OPENED, "e-1"),
        a_record(a_breach(value=0.85), BREACH_CLEARED, "e-2"),
        a_record(a_breach(value=0.9, withdrawn=True), BREACH_CLEARED, "e-3"),
    )

    stream.work()

    with stream.database.read() as c:
        (alert,) = alerts.listing(c)
        (ticket,) = tickets.listing(c)
        *_, last = tickets.acts(c, ticket.id)
        told = [one.event for one in deliveries.of_alert(c, alert.id) if one.channel == "oncall"]
    assert (alert.state, alert.resolve_reason) == ("resolved", "withdrawn_by_amendment")
    assert alert.content["value"] == 0.9
    assert "taken back" in last.text
    assert sorted(told) == ["firing", "resolved"], "nobody is woken for it"


def test_a_rule_may_want_no_ticket_or_other_channels(stream: Stream) -> None:
    stream.send(a_record(a_breach(ticket=False, channels=("oncall", "gone"))))

    stream.work()

    with stream.database.read() as c:
        (alert,) = alerts.listing(c)
        told = {one.channel: one for one in deliveries.of_alert(c, alert.id)}
    assert counted(stream.database, "tickets") == 0
    assert told["oncall"].state == "queued"
    assert told["gone"].state == "failed"
    assert "there is no channel 'gone'" in (told["gone"].last_error or "")


def test_poison_goes_to_the_dead_letters_and_what_follows_is_handled(stream: Stream) -> None:
    good = a_record(a_breach())
    poison = [
        b"",
        b"\xff\xfe",
        b"[]",
        good.value.replace(b'"0.7712"', b"").replace(b":0.7712", b':"high"'),
        good.value.replace(b"watchkeeper.breach.opened", b"watchkeeper.breach.sneezed"),
        a_record(a_breach(system="s" * 129)).value,
        a_record(a_breach(note="\x00")).value,
        a_record(a_breach(channels=("c" * 129,))).value,
    ]
    stream.send(*(Message(BREACHES.name, good.key, value, {"x": "y"}) for value in poison))
    stream.send(good)

    stream.work()
    stream.work()

    with stream.database.read() as c:
        letters = [
            one.message
            for one in outbox.unsent(c, OWNER, 100)
            if one.message.topic == BREACHES.dead_letters
        ]
    assert counted(stream.database, "alerts") == 1
    assert [one.value for one in letters] == poison
    assert letters[0].headers["x"] == "y"
    assert [one.headers["__watchkeeper.errors.code"] for one in letters] == [
        "malformed",
        "malformed",
        "wrong_type",
        "wrong_type",
        "unsupported",
        "too_long",
        "malformed",
        "too_long",
    ]


def test_a_breach_that_the_database_cannot_hold_stops_none_after_it(stream: Stream) -> None:
    class Overflowing(Handler):
        def handle(self, c: sa.Connection, turn: BreachTurn, now: datetime) -> Decision:
            if turn.event_id == decode(huge.value).event_id:
                c.execute(sa.insert(inbox).values(consumer="x", event_id="e", seen_at=now))
                raise InvalidObject("the database cannot hold a value of this: too long")
            return super().handle(c, turn, now)

    huge = a_record(a_breach(breach="huge"), event_id="huge")
    stream.send(huge, a_record(a_breach()))
    worker, reader = stream.worker()
    worker._handler = Overflowing("https://watch.example.org")
    while counted(stream.database, "alerts") < 1:
        worker.step(reader, timedelta(milliseconds=200))
    reader.close()

    with stream.database.read() as c:
        (letter,) = (one for one in outbox.unsent(c, OWNER, 100) if ".dlq" in one.message.topic)
        half = c.execute(sa.select(inbox).where(inbox.c.consumer == "x")).all()
    assert letter.message.value == huge.value
    assert "cannot hold" in letter.message.headers["__watchkeeper.errors.detail"]
    assert half == []


def test_a_worker_that_lost_its_partition_changes_nothing(stream: Stream) -> None:
    slow, reader = stream.worker()
    while not slow._claims:
        slow.step(reader, timedelta(milliseconds=200))
    with stream.database.transaction() as c:
        for at in slow._claims:
            positions.claim(
                c, "alerting", at, reader.topic_id(at.topic), "other", 0, stream.clock.now()
            )
    stream.send(a_record(a_breach()))

    mine = len(slow._claims)
    while len(slow._claims) == mine:  # it drops the partition whose record it could not handle
        slow.step(reader, timedelta(milliseconds=200))
    reader.close()

    assert counted(stream.database, "alerts") == 0
    stream.work()
    assert counted(stream.database, "alerts") == 1
