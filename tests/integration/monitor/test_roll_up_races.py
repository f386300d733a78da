"""A roll-up beside a flush that has something of the same hour in hand: neither is in the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
import sqlalchemy as sa

from watchkeeper_monitor.resolution import HOUR, Held
from watchkeeper_monitor.store import panes, rollups
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.store.rollups import Cell
from watchkeeper_monitor.windows import EPOCH, Span
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database

NOW = EPOCH + timedelta(days=1000)
WHOLE, FIRST = Span(EPOCH, EPOCH + HOUR), Span(EPOCH, EPOCH + HOUR / 2)
KEPT, SOURCE = 5, "predictions/0"


@pytest.fixture
def stored(database: Database) -> Database:
    """A judged pane of half an hour."""
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite lets one writer in at a time")
    put(database, FIRST, Held.PANE)
    return database


def put(database: Database, span: Span, held: Held) -> None:
    values = {"changed": 1, "judged": 1, "judged_at": EPOCH, "held": held.value}
    key = {"system": "s", "version": "1", "pane_start": span.start, "pane_end": span.end}
    with database.transaction() as c:
        c.execute(sa.insert(tables.panes).values(key | values))


def touch(c: sa.Connection, span: Span) -> None:
    panes.touch(c, [PaneKey("s", "1", "r", span)])


def roll_up(database: Database) -> int:
    with database.transaction() as c:
        return rollups.roll_up(c, "s", Cell("1", WHOLE), [], NOW, lambda *_: None)


def held(database: Database) -> dict[Span, tuple[str, int]]:
    with database.read() as c:
        rows = c.execute(sa.select(tables.panes)).all()
    return {Span(row.pane_start, row.pane_end): (row.held, row.changed) for row in rows}


def test_an_hour_that_a_flush_adds_to_stays_as_it_is(stored: Database) -> None:
    put(stored, WHOLE, Held.ROLLED)
    with stored.transaction() as flush:
        touch(flush, WHOLE)
        assert roll_up(stored) == 0

    assert held(stored) == {FIRST: ("pane", 1), WHOLE: ("rolled", 2)}


def test_an_hour_that_a_flush_begins_meanwhile_stays_as_it_is(stored: Database) -> None:
    with ThreadPoolExecutor(1) as pool, stored.transaction() as flush:
        touch(flush, WHOLE)
        rolled = pool.submit(roll_up, stored)
        wait_until_one_waits(stored)
        flush.commit()
        assert rolled.result(timeout=30) == 0

    assert held(stored) == {FIRST: ("pane", 1), WHOLE: ("pane", 1)}


def wait_until_one_waits(database: Database) -> None:
    """Return as soon as a transaction of this database waits for another one."""
    query = (
        "SELECT 1 FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(3_000):
        with database.read() as c:
            if c.execute(sa.text(query)).first() is not None:
                return
        Event().wait(0.01)
    pytest.fail("no transaction waits for another one")
