"""Named counts that survive a restart, how far event time is, and dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_monitor.records.pending import DeadLetter
from watchkeeper_shared.db.tables import dead_letters, positions, progress, tallies
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.eventlog.port import TopicPartition
from watchkeeper_shared.events.letters import storable


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


def count(c: sa.Connection, added: Mapping[tuple[str, str], int]) -> None:
    """Add to named counts of systems."""
    for (system, name), value in sorted(added.items()):
        fresh = insert(c, tallies).values(system=system, name=name, value=value)
        c.execute(
            fresh.on_conflict_do_update(
                index_elements=[tallies.c.system, tallies.c.name],
                set_={"value": tallies.c.value + fresh.excluded.value},
            )
        )


def put(c: sa.Connection, system: str, name: str, value: int) -> None:
    """Set a named number that is a state and no count, such as `labels_waiting`."""
    fresh = insert(c, tallies).values(system=system, name=name, value=value)
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=[tallies.c.system, tallies.c.name],
            set_={"value": fresh.excluded.value},
        )
    )


def tally(c: sa.Connection, system: str) -> dict[str, int]:
    """Return the named counts of a system."""
    rows = c.execute(sa.select(tallies.c.name, tallies.c.value).where(tallies.c.system == system))
    return {row.name: row.value for row in rows}


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


def progress_of(c: sa.Connection, system: str, topic: str) -> list[Progress]:
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


def stored_offset(c: sa.Connection, consumer: str, at: TopicPartition) -> int | None:
    """Return up to where the state of a partition goes, or None if nobody ever claimed it."""
    query = sa.select(positions.c.next_offset).where(
        positions.c.consumer == consumer,
        positions.c.topic == at.topic,
        positions.c.partition == at.partition,
    )
    found: int | None = c.execute(query).scalar_one_or_none()
    return found
