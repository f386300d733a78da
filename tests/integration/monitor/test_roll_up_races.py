"""A roll-up beside a flush that has something of the same hour in hand: neither is in the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from watchkeeper_monitor.store import expiry, panes, rollups
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.store.rollups import Cell
from watchkeeper_monitor.windows.resolution import HOUR, Held
from watchkeeper_monitor.windows.spans import EPOCH, Span
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


def keep_rows(c: sa.Connection, first: int, count: int) -> None:
    ids = pa.record_batch({"id": [str(number) for number in range(first, first + count)]})
    key = PaneKey("s", "1", "r", FIRST)
    panes.merge_sample(c, key, SOURCE, ids, np.arange(first, first + count), KEPT)


def is_any_sample(database: Database) -> bool:
    with database.read() as c:
        return c.execute(sa.select(tables.samples.c.part)).first() is not None


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_a_sample_that_a_flush_has_in_hand_is_not_waited_for(stored: Database, ends: str) -> None:
    with stored.transaction() as c:
        keep_rows(c, 100, KEPT)
        keep_rows(c, 90, KEPT - 1)
    with stored.transaction() as flush:
        keep_rows(flush, 80, KEPT - 1)  # so many that all parts are made one
        assert roll_up(stored) == 1
        touch(flush, FIRST)
        getattr(flush, ends)()

    # What the flush wrote belongs to a pane beside the hour, and ends with it.
    if ends == "commit":
        assert held(stored) == {FIRST: ("pane", 1), WHOLE: ("rolled", 1)}
        assert not ended_samples(stored)
        with stored.transaction() as c:
            panes.judged(c, "s", panes.dirty(c, "s", 10), EPOCH + HOUR)
    assert ended_samples(stored)
    assert not is_any_sample(stored)


def ended_samples(database: Database) -> int:
    with database.transaction() as c:
        return expiry.remove(c, tables.samples, expiry.old_samples("s", NOW))


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
