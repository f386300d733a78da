"""Where each consumer is in the log, kept with the state it makes, fenced by epochs.

The protocol: a worker that is given a partition *claims* it, which raises the partition's
epoch, and reads on from the stored offset. Each flush *advances* the position in the same
transaction as the state, on condition that epoch and offset are still what the worker
believes. A worker that lost the partition, was stopped or was cut off changes nothing,
because its condition no longer holds. READ COMMITTED is enough: the row lock of the
conditional UPDATE makes the second of two rivals look again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import inbox, positions
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.errors import Fenced
from watchkeeper_shared.eventlog.port import TopicPartition


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write the state of one partition until somebody else claims it.

    Parameters
    ----------
    consumer, at
        Who reads what.
    epoch
        How often the partition was claimed; the fence.
    next_offset
        The next offset to read.
    """

    consumer: str
    at: TopicPartition
    epoch: int
    next_offset: int


def claim(  # noqa: PLR0913, PLR0917 - one row, one value per column
    c: sa.Connection,
    consumer: str,
    at: TopicPartition,
    topic_id: str,
    owner: str,
    beginning: int,
    now: datetime,
) -> Claim:
    """Take a partition over; every earlier claim on it is void from the commit on.

    Parameters
    ----------
    topic_id
        The topic's identity. Another one than the stored one means that the topic was
        deleted and made again: the old offset means nothing there.
    owner
        Who claims, for people.
    beginning
        Where a partition starts that was never read, or whose topic is a new one.
    """
    fresh = insert(c, positions).values(
        consumer=consumer,
        topic=at.topic,
        partition=at.partition,
        topic_id=topic_id,
        epoch=1,
        owner=owner,
        next_offset=beginning,
        updated_at=now,
    )
    same_topic = positions.c.topic_id == fresh.excluded.topic_id
    taken = fresh.on_conflict_do_update(
        index_elements=[positions.c.consumer, positions.c.topic, positions.c.partition],
        set_={
            "epoch": positions.c.epoch + 1,
            "owner": fresh.excluded.owner,
            "topic_id": fresh.excluded.topic_id,
            "next_offset": sa.case(
                (same_topic, positions.c.next_offset), else_=fresh.excluded.next_offset
            ),
            "updated_at": fresh.excluded.updated_at,
        },
    ).returning(positions.c.epoch, positions.c.next_offset)
    epoch, next_offset = c.execute(taken).one()
    return Claim(consumer, at, epoch, next_offset)


def advance(c: sa.Connection, claim: Claim, next_offset: int, now: datetime) -> Claim:
    """Move the position on, in the transaction that stores what was made of the records.

    Raises
    ------
    Fenced
        Somebody else claimed the partition, or this flush was already committed. Roll
        back, drop what was read, and wait to be given the partition again.
    ValueError
        `next_offset` lies before the claim's.
    """
    if next_offset < claim.next_offset:
        msg = f"{claim.at} cannot go back from {claim.next_offset} to {next_offset}"
        raise ValueError(msg)
    moved = c.execute(
        sa.update(positions)
        .where(
            *_row_of(claim),
            positions.c.epoch == claim.epoch,
            positions.c.next_offset == claim.next_offset,
        )
        .values(next_offset=next_offset, updated_at=now)
    )
    if moved.rowcount != 1:
        raise Fenced(_fenced(claim))
    return replace(claim, next_offset=next_offset)


def was_committed(c: sa.Connection, claim: Claim, next_offset: int) -> bool:
    """Tell whether `advance` to `next_offset` happened, after a commit of unknown outcome.

    Raises
    ------
    Fenced
        Neither: somebody else has the partition.
    """
    row = c.execute(
        sa.select(positions.c.epoch, positions.c.next_offset).where(*_row_of(claim))
    ).one_or_none()
    stored = None if row is None else (row.epoch, row.next_offset)
    if stored == (claim.epoch, next_offset):
        return True
    if stored == (claim.epoch, claim.next_offset):
        return False
    raise Fenced(_fenced(claim))


def first_sight(c: sa.Connection, consumer: str, event_id: str, now: datetime) -> bool:
    """Note that `consumer` handles this event; False if it did so before.

    Commit it with what the handling changes, and a redelivery has no second effect.
    """
    noted = c.execute(
        insert(c, inbox)
        .values(consumer=consumer, event_id=event_id, seen_at=now)
        .on_conflict_do_nothing(index_elements=[inbox.c.consumer, inbox.c.event_id])
        .returning(inbox.c.event_id)  # an INSERT has no row count on PostgreSQL
    )
    return noted.one_or_none() is not None


def _row_of(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        positions.c.consumer == claim.consumer,
        positions.c.topic == claim.at.topic,
        positions.c.partition == claim.at.partition,
    )


def _fenced(claim: Claim) -> str:
    return (
        f"{claim.consumer} lost {claim.at.topic}/{claim.at.partition}: epoch {claim.epoch} at "
        f"offset {claim.next_offset} is no longer the stored one; drop what was read"
    )
