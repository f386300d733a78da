"""How far event time is, by system and partition (table `progress`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import progress
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.eventlog.port import TopicPartition


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition is, for one system.

    Parameters
    ----------
    watermark
        The newest event time seen.
    arrived_at
        When the newest record was folded.
    """

    at: TopicPartition
    watermark: datetime | None
    arrived_at: datetime


def move(
    c: sa.Connection,
    system: str,
    at: TopicPartition,
    newest: datetime | None,
    now: datetime,
    rows: int,
) -> datetime | None:
    """Move a partition's watermark forward, never back; return where it was before."""
    where = (
        progress.c.system == system,
        progress.c.topic == at.topic,
        progress.c.partition == at.partition,
    )
    stored = c.execute(sa.select(progress.c.watermark).where(*where)).one_or_none()
    before = None if stored is None else stored.watermark
    newest = max((one for one in (before, newest) if one is not None), default=None)
    fresh = insert(c, progress).values(
        system=system,
        topic=at.topic,
        partition=at.partition,
        watermark=newest,
        arrived_at=now,
        rows=rows,
    )
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=list(progress.primary_key.columns),
            set_={
                "watermark": fresh.excluded.watermark,
                "arrived_at": fresh.excluded.arrived_at,
                "rows": progress.c.rows + fresh.excluded.rows,
            },
        )
    )
    return before


def of_system(c: sa.Connection, system: str, topic: str) -> list[Progress]:
    """Return how far each partition is that ever carried the system."""
    rows = c.execute(
        sa.select(progress).where(progress.c.system == system, progress.c.topic == topic)
    )
    return [
        Progress(TopicPartition(row.topic, row.partition), row.watermark, row.arrived_at)
        for row in rows
    ]


def rows_seen(c: sa.Connection, system: str) -> int:
    """Return how many rows of a system were ever stored, labels included."""
    query = sa.select(sa.func.coalesce(sa.func.sum(progress.c.rows), 0))
    return int(c.execute(query.where(progress.c.system == system)).scalar_one())
