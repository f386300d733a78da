"""What was dropped is known to be gone, wherever in it one asks, and what comes later goes too."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from watchkeeper_monitor.resolution import DAY, Held
from watchkeeper_monitor.store import reading
from watchkeeper_monitor.windows import EPOCH, Span
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database

WEEK = Span(EPOCH, EPOCH + 7 * DAY)
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
