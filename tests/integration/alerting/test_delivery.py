"""Notifications go out at least once, patiently, in order, and visibly."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.channels.opening import Opener
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.deliverer import Deliverer
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.lanes import Lanes
from watchkeeper_alerting.store import alerts, deliveries
from watchkeeper_alerting.store.deliveries import StoredDelivery
from watchkeeper_alerting.testing.builders import a_breach, a_record
from watchkeeper_alerting.testing.receivers import HttpReceiver, http_receiver
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.events.breaches import BREACH_CLEARED, BREACH_OPENED
from watchkeeper_shared.testing.clocks import ManualClock

START = datetime.fromisoformat("2026-11-23T12:00:00+00:00")


class Desk:
    """A deliverer, one receiver, and breaches that happen."""

    def __init__(self, database: Database, clock: ManualClock, receiver: HttpReceiver) -> None:
        self.database = database
        self.clock = clock
        self.receiver = receiver
        self.registry = CollectorRegistry()
        self.client = httpx.Client(trust_env=False)
        opener = Opener(self.client, {"NO_BASE64": "whsec_é"}, timedelta(minutes=1))
        counters, lanes = Counters(self.registry), Lanes(clock)
        self.deliverer, self.second = (
            Deliverer(database, clock, opener, counters, random.Random(1), lanes) for _ in range(2)
        )

    def apply_channel(
        self, kind: str, fields: Mapping[str, object] | None = None, name: str = "oncall"
    ) -> None:
        spec = {"type": kind, "url": self.receiver.url, **(fields or {})}
        text = f"""\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: {name}}}
spec: {json.dumps(spec)}
"""
        with self.database.transaction() as c:
            application.apply(c, [SourceFile("c.yaml", text)], "admin", self.clock.now())

    def happen(self, kind: str, event_id: str, breach: str = "b" * 40) -> None:
        turn = decode(a_record(a_breach(breach=breach), kind, event_id).value)
        with self.database.transaction() as c:
            Handler("https://watch.example.org").handle(c, turn, self.clock.now())

    def told(self, channel: str) -> int:
        """How many notifications the channel took."""
        states = sa.select(tables.deliveries.c.state).where(
            tables.deliveries.c.channel == channel, tables.deliveries.c.state == "delivered"
        )
        with self.database.read() as c:
            return len(c.execute(states).all())

    def deliveries(self) -> list[StoredDelivery]:
        with self.database.read() as c:
            (alert,) = alerts.listing(c)
            return deliveries.of_alert(c, alert.id)

    def counted(self, outcome: str) -> float:
        labels = {"channel": "oncall", "outcome": outcome}
        return self.registry.get_sample_value("watchkeeper_notifications_total", labels) or 0

    def pass_time(self, time: timedelta, step: timedelta = timedelta(seconds=30)) -> None:
        for _ in range(time // step):
            self.clock.advance(step)
            self.deliverer.step()


def stamp(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def eventually(condition: Callable[[], bool]) -> None:
    """Poll until it holds, or fail after a minute."""
    clock, pause = SystemClock(), threading.Event()
    deadline = clock.monotonic() + 60
    while not condition():
        assert clock.monotonic() < deadline, "did not come true"
        pause.wait(0.05)


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> Iterator[Desk]:
    with http_receiver() as receiver:
        made = Desk(database, clock, receiver)
        yield made
        made.client.close()


def test_a_notification_is_delivered_once(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")

    assert desk.deliverer.step() == 1
    assert desk.deliverer.step() == 0

    (only,) = desk.deliveries()
    assert (only.state, only.attempts, only.delivered_at) == ("delivered", 1, desk.clock.now())
    assert len(desk.receiver.received) == 1
    assert desk.counted("delivered") == 1


def test_a_busy_receiver_gets_it_later_under_the_same_id(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    desk.receiver.answers.extend([(500, {}), (503, {})])

    desk.deliverer.step()
    (waiting,) = desk.deliveries()
    desk.pass_time(timedelta(minutes=2))

    (only,) = desk.deliveries()
    assert waiting.state == "queued"
    assert "answered 500" in (waiting.last_error or "")
    assert (only.state, only.attempts, only.last_error) == ("delivered", 3, None)
    assert len({one.headers["webhook-id"] for one in desk.receiver.received}) == 1
    assert (desk.counted("retried"), desk.counted("delivered")) == (2, 1)


def test_the_wait_that_the_receiver_asks_for_is_kept(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    desk.receiver.answers.append((429, {"retry-after": "600"}))
    desk.deliverer.step()

    desk.pass_time(timedelta(minutes=9, seconds=30))
    assert len(desk.receiver.received) == 1

    desk.pass_time(timedelta(minutes=1))
    assert len(desk.receiver.received) == 2


def test_a_refusal_is_final_and_visible(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    desk.receiver.answers.append((410, {}))

    desk.deliverer.step()
    desk.pass_time(timedelta(minutes=30))

    (only,) = desk.deliveries()
    assert (only.state, only.attempts) == ("failed", 1)
    assert "answered 410" in (only.last_error or "")
    assert desk.counted("failed") == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("webhook", {"url": "http://alertmanager..example.org/"}),
        ("webhook", {"url": "http://xn--/"}),
        ("alertmanager", {"url": f"http://{'a' * 70}/"}),
        ("webhook", {"secret_env": "NO_BASE64"}),
        ("email", {"url": "smtp://127.0.0.1:1", "to": ["<"]}),
        ("email", {"url": "smtp://127.0.0.1:1", "to": ["a@b"], "sender": '"'}),
    ],
)
def test_a_channel_that_cannot_work_fails_alone(
    desk: Desk, kind: str, fields: dict[str, object]
) -> None:
    desk.apply_channel("webhook", name="another")
    desk.apply_channel(kind, fields)
    desk.happen(BREACH_OPENED, "e-1")

    desk.deliverer.step()

    told, broken = desk.deliveries()
    assert (told.channel, told.state) == ("another", "delivered")
    assert (broken.channel, broken.state) == ("oncall", "failed")
    assert "cannot" in (broken.last_error or "")
    assert desk.counted("failed") == 1


def test_after_a_day_it_is_given_up(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    desk.receiver.answers.extend([(503, {})] * 1000)

    desk.pass_time(timedelta(hours=25), timedelta(minutes=5))

    (only,) = desk.deliveries()
    assert only.state == "failed"
    assert "given up after" in (only.last_error or "")


def test_the_end_never_overtakes_the_beginning(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    desk.receiver.answers.extend([(503, {})] * 3)
    desk.deliverer.step()
    desk.clock.advance(timedelta(seconds=1))
    desk.happen(BREACH_CLEARED, "e-2")

    desk.pass_time(timedelta(minutes=5))

    told = [json.loads(one.body)["data"]["event"] for one in desk.receiver.received]
    assert told == ["firing"] * 4 + ["resolved"]


def test_two_deliverers_do_not_send_the_same_thing_twice(desk: Desk) -> None:
    desk.apply_channel("webhook")
    desk.happen(BREACH_OPENED, "e-1")
    (waiting,) = desk.deliveries()
    until = desk.clock.now() + timedelta(minutes=2)
    with desk.database.transaction() as c:
        assert deliveries.lease(c, waiting, until)

    with desk.database.transaction() as c:
        assert not deliveries.lease(c, waiting, until + timedelta(seconds=1))
    assert desk.deliverer.step() == 0

    desk.clock.advance(timedelta(minutes=3))  # the first one died: its lease is over
    assert desk.deliverer.step() == 1


def test_alertmanager_is_told_again_while_it_fires_and_for_a_while_after(desk: Desk) -> None:
    desk.apply_channel("alertmanager")
    desk.happen(BREACH_OPENED, "e-1")

    desk.pass_time(timedelta(minutes=10))
    firing = len(desk.receiver.received)
    desk.happen(BREACH_CLEARED, "e-2")
    desk.pass_time(timedelta(minutes=30))

    resolved = [json.loads(one.body)[0]["endsAt"] for one in desk.receiver.received[firing:]]
    assert firing in (10, 11)
    assert len(resolved) in (5, 6)
    assert set(resolved) == {"2026-11-23T12:10:00Z"}
    assert [one.state for one in desk.deliveries()] == ["delivered", "delivered"]


def test_alertmanager_that_was_away_is_told_again_once_it_is_back(desk: Desk) -> None:
    desk.apply_channel("alertmanager")
    desk.happen(BREACH_OPENED, "e-1")
    desk.deliverer.step()
    desk.receiver.answers.extend([(503, {})] * 50)
    desk.pass_time(timedelta(hours=30), timedelta(minutes=10))
    desk.receiver.answers.clear()

    desk.pass_time(timedelta(minutes=2))

    (only,) = desk.deliveries()
    assert only.state == "repeating"
    assert only.last_error is None


@pytest.mark.parametrize("wait", [timedelta(0), timedelta(minutes=2)])
def test_the_end_of_one_breach_does_not_end_the_next_of_its_series(
    desk: Desk, wait: timedelta
) -> None:
    desk.apply_channel("alertmanager")
    desk.apply_channel("webhook", name="another")
    desk.happen(BREACH_OPENED, "e-1")
    desk.deliverer.step()
    desk.happen(BREACH_CLEARED, "e-2")
    desk.pass_time(wait)
    desk.happen(BREACH_OPENED, "e-3", breach="c" * 40)
    before = len(desk.receiver.received)

    desk.pass_time(timedelta(minutes=10))

    bodies = [json.loads(one.body) for one in desk.receiver.received[before:]]
    to_alertmanager = [body[0] for body in bodies if isinstance(body, list)]
    assert len(to_alertmanager) >= 9
    assert {one["startsAt"] for one in to_alertmanager} == {stamp(START + wait)}
    assert all(one["endsAt"] > stamp(START + wait) for one in to_alertmanager)
    told = [json.loads(one.body) for one in desk.receiver.received if one.body.startswith(b"{")]
    assert sorted(one["data"]["event"] for one in told) == ["firing", "firing", "resolved"]


def test_that_it_fires_is_never_said_again_after_its_end(desk: Desk) -> None:
    desk.apply_channel("alertmanager")
    desk.happen(BREACH_OPENED, "e-1")
    desk.deliverer.step()
    desk.clock.advance(timedelta(seconds=10))
    desk.happen(BREACH_CLEARED, "e-2")
    with desk.database.transaction() as c:
        # As it stands when the end was decided between the answer of the receiver and its note.
        c.execute(
            sa.update(tables.deliveries)
            .where(tables.deliveries.c.event == "firing")
            .values(state="repeating")
        )
    desk.pass_time(timedelta(minutes=3))

    ends = [json.loads(one.body)[0]["endsAt"] for one in desk.receiver.received]
    fired, *resolved = ends
    assert len(resolved) > 1
    assert set(resolved) == {"2026-11-23T12:00:10Z"}
    assert fired != resolved[0]
    assert {one.state for one in desk.deliveries() if one.event == "firing"} == {"delivered"}


def test_a_receiver_that_never_answers_holds_up_nobody_else(desk: Desk) -> None:
    answer, stop = threading.Event(), threading.Event()
    with http_receiver(until=answer) as silent, ThreadPoolExecutor(2) as threads:
        desk.apply_channel("webhook", {"url": silent.url}, name="a-silent-one")
        desk.apply_channel("webhook")
        for number in range(3):
            desk.happen(BREACH_OPENED, f"e-{number}", breach=f"{number}" * 40)
        try:
            for one in (desk.deliverer, desk.second):
                threads.submit(one.run, stop)
            eventually(lambda: desk.told("oncall") == 3 and len(silent.received) == 1)
        finally:
            stop.set()
            answer.set()

    assert desk.told("a-silent-one") >= 1  # it was asked once while it was silent


def test_a_receiver_that_fails_rests_before_the_next_notification_is_tried(desk: Desk) -> None:
    with http_receiver() as ill:
        ill.answers.extend([(500, {})] * 100)
        desk.apply_channel("webhook", {"url": ill.url}, name="a-sick-one")
        desk.apply_channel("webhook")
        for number in range(30):  # more than one look at the table takes up
            desk.happen(BREACH_OPENED, f"e-{number}", breach=f"{number:040}")

        while desk.deliverer.step():
            pass
        told, asked = desk.told("oncall"), len(ill.received)
        ill.answers.clear()
        for _ in range(100):
            desk.pass_time(timedelta(seconds=5), timedelta(seconds=5))

    assert (told, asked) == (30, 1)
    assert desk.told("a-sick-one") == 30
