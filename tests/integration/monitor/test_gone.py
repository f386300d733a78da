"""What was dropped is known to be gone, wherever in it one asks, and what comes later goes too."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from watchkeeper_monitor.judge.duties import duties
from watchkeeper_monitor.store import panes, reading
from watchkeeper_monitor.store.merging import Ends
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.resolution import DAY, Held
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_monitor.wiring import KEPT
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database

WEEK = Span(EPOCH, EPOCH + 7 * DAY)
LATE = EPOCH + 2000 * DAY
KEY = {"system": "s", "version": "1", "pane_start": WEEK.start, "pane_end": WEEK.end}


@pytest.fixture
def gone(database: Database) -> Database:
    """The pane of a weekly window, dropped."""
    values = {"changed": 1, "judged": 1, "judged_at": EPOCH, "held": Held.GONE.value}
    with database.transaction() as c:
        c.execute(sa.insert(tables.panes).values(KEY | values))
    return database


def test_no_part_of_a_dropped_week_is_held(gone: Database) -> None:
    for hours in range(0, 7 * 24, 6):
        start = EPOCH + timedelta(hours=hours)
        part = Span(start, start + timedelta(hours=6))
        with gone.read() as c:
            held = reading.resolution(c, "s", "1", part.start, part.end)
        assert not held.holds(part), part
        assert held.gone == (WEEK,)


def test_what_lies_beside_a_dropped_week_is_held(gone: Database) -> None:
    for part in (Span(EPOCH - DAY, EPOCH), Span(WEEK.end, WEEK.end + DAY)):
        with gone.read() as c:
            assert reading.resolution(c, "s", "1", part.start, part.end).holds(part)


def count_late(database: Database) -> None:
    """What a flush does that still meets the pane, and then the judge."""
    pane = PaneKey("s", "1", "r", WEEK)
    more = {"reference": "r", "source": "predictions/0", "rows": 1, "profile": b""}
    with database.transaction() as c:
        c.execute(sa.insert(tables.profiles).values(KEY | more))
        panes.touch(c, [pane])
        panes.judged(c, "s", panes.dirty(c, "s", 1), LATE)


def end(database: Database, now: datetime) -> None:
    """Do whatever there is to end at an instant."""
    for duty in duties("s", now, KEPT, Ends(EPOCH, EPOCH), {"": 0}, lambda *_: None):
        with database.transaction() as c:
            while duty.find(c) is not None:
                duty.work(c)


def test_what_is_counted_in_a_dropped_week_is_dropped_once_it_rested_as_long(
    gone: Database,
) -> None:
    count_late(gone)
    for days, left in ((-1, 1), (1, 0)):
        end(gone, LATE + KEPT.day_retention + days * DAY)
        with gone.read() as c:
            assert len(c.execute(sa.select(tables.profiles.c.rows)).all()) == left
            assert not reading.resolution(c, "s", "1", WEEK.start, WEEK.end).holds(WEEK)
