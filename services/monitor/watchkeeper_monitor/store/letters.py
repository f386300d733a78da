"""Records that could not be read (table `dead_letters`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_monitor.records.pending import DeadLetter
from watchkeeper_shared.db.tables import dead_letters
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.events.letters import storable


def bury(c: sa.Connection, consumer: str, dead: Sequence[DeadLetter], now: datetime) -> None:
    """Note records that could not be read."""
    rows = [
        {
            "consumer": consumer,
            "topic": one.record.at.topic,
            "partition": one.record.at.partition,
            "offset": one.record.offset,
            "code": one.code,
            "detail": storable(one.detail),
            "at": now,
        }
        for one in dead
    ]
    if rows:
        c.execute(insert(c, dead_letters).on_conflict_do_nothing(), rows)
