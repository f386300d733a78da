"""Notifications end, and who was told stays known."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from watchkeeper_alerting import reading
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.retention import Retention
from watchkeeper_alerting.store import alerts, deliveries, objects
from watchkeeper_alerting.store.objects import StoredObject
from watchkeeper_alerting.testing.builders import a_breach, a_record
from watchkeeper_alerting.testing.service import RunningService
from watchkeeper_shared.db import audit, tables
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.events.breaches import BREACH_CLEARED, BREACH_OPENED
from watchkeeper_shared.testing.clocks import ManualClock

KEEP = timedelta(days=30)


class Past:
    """One alert with a ticket and two notifications, and the one who ends them."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.retention = Retention(database, clock, KEEP)
        spec = {"type": "webhook", "url": "https://hooks.example.org/x", "send_resolved": True}
        with database.transaction() as c:
            objects.add(c, StoredObject("Channel", "oncall", 1, "h", spec, "admin", clock.now()))
        self.happen(BREACH_OPENED, "e-1")

    def happen(self, kind: str, event_id: str) -> None:
        turn = decode(a_record(a_breach(), kind, event_id).value)
        with self.database.transaction() as c:
            Handler("https://watch.example.org").handle(c, turn, self.clock.now())

    def set(self, table: sa.Table, **values: object) -> None:
        with self.database.transaction() as c:
            c.execute(table.update().values(**values))

    def resolve(self) -> None:
        self.happen(BREACH_CLEARED, "e-2")
        self.set(tables.deliveries, state="delivered", delivered_at=self.clock.now())

    def close_ticket(self) -> None:
        self.set(tables.tickets, state="closed", closed_at=self.clock.now())

    def view(self) -> reading.AlertView:
        with self.database.read() as c:
            (alert,) = alerts.listing(c)
            return reading.alert_view(c, alert.id)


@pytest.fixture
def past(database: Database, clock: ManualClock) -> Past:
    return Past(database, clock)


def test_notifications_end_and_the_audit_says_who_was_told(past: Past) -> None:
    past.resolve()
    past.close_ticket()
    before = past.view()
    past.clock.advance(KEEP + timedelta(seconds=1))

    assert past.retention.step() == 1
    assert past.retention.step() == 0

    after = past.view()
    (entry,) = after.ended
    assert after.deliveries == []
    assert [one.event for one in before.deliveries] == ["firing", "resolved"]
    assert [one["id"] for one in entry.body["told"]] == [one.id for one in before.deliveries]
    assert {one["channel"] for one in reading.deliveries_json(after)} == {"oncall"}
    assert after.alert == before.alert


def test_what_is_worked_on_or_waits_keeps_its_notifications(past: Past) -> None:
    past.clock.advance(KEEP * 2)
    assert past.retention.step() == 0  # it fires

    past.resolve()
    past.clock.advance(KEEP * 2)
    assert past.retention.step() == 0  # its ticket is open

    past.close_ticket()
    past.clock.advance(KEEP - timedelta(seconds=1))
    assert past.retention.step() == 0  # it was closed too lately

    past.clock.advance(timedelta(seconds=2))
    past.set(tables.deliveries, state="queued")
    assert past.retention.step() == 0  # it was not sent
    assert len(past.view().deliveries) == 2


def test_a_database_that_fails_halfway_ends_nothing(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.resolve()
    past.close_ticket()
    past.clock.advance(KEEP * 2)
    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", _fail)
        with pytest.raises(OSError, match="no disk"):
            past.retention.step()

    assert len(past.view().deliveries) == 2
    assert past.retention.step() == 1


def test_the_api_shows_who_was_told_after_that(service: RunningService, clock: ManualClock) -> None:
    past = Past(service.database, clock)
    past.resolve()
    past.close_ticket()
    past.clock.advance(KEEP * 2)
    past.retention.step()
    alert = past.view().alert.id

    shown = service.as_(Role.VIEWER).get(f"/v1/alerts/{alert}").json()

    assert [one["event"] for one in shown["deliveries"]] == ["firing", "resolved"]
    with service.database.read() as c:
        assert deliveries.of_alert(c, alert) == []


def _fail(*_: object, **__: object) -> None:
    raise OSError("no disk")
