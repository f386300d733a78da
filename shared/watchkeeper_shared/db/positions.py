"""Where each consumer is in the log, kept with the state it makes, fenced by epochs.

The protocol: a worker that is given a partition *claims* it, which raises the partition's
epoch, and reads on from the stored offset. Each flush *advances* the position in the same
transaction as the state, on condition that epoch and offset are still what the worker
believes. A worker that lost the partition, was stopped or was cut off changes nothing,
because its condition no longer holds. READ COMMITTED is enough: the row lock of the
conditional UPDATE makes the second of two rivals look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import inbox, positions
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.errors import Fenced
from watchkeeper_shared.eventlog.port import TopicPartition

_SUSPICIOUS_AFTER = 2
_ALONE = 3
"""So many owners must end over a record that they had in hand alone before it is blamed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Up to where the state of a partition goes, and of which topic of that name."""

    topic_id: str
    next_offset: int


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
    tries
        How many owners in a row ended without a word, the position where it is.
    suspect
        The record that the last of them had noted before it was processed, alone.
    before
        What was stored before; None where nobody ever claimed the partition.
    """

    consumer: str
    at: TopicPartition
    epoch: int
    next_offset: int
    tries: int = field(default=0, compare=False)
    suspect: int | None = field(default=None, compare=False)
    before: Stored | None = field(default=None, compare=False)

    @property
    def is_suspicious(self) -> bool:
        """Whether owners ended here so often that one record may be the cause."""
        return self.tries >= _SUSPICIOUS_AFTER

    def blames(self, offset: int) -> bool:
        """Return whether enough owners ended over this record with nothing else in hand."""
        return self.suspect == offset and self.tries >= _SUSPICIOUS_AFTER + _ALONE


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
        Who claims; another one than the stored one means that that one ended without `release`.
    beginning
        Where a partition starts that was never read, or whose topic is a new one.
    """
    before = stored(c, consumer, at)
    fresh = insert(c, positions).values(
        consumer=consumer,
        topic=at.topic,
        partition=at.partition,
        topic_id=topic_id,
        epoch=1,
        owner=owner,
        next_offset=beginning,
        tries=0,
        updated_at=now,
    )
    same_topic = positions.c.topic_id == fresh.excluded.topic_id
    known_end = positions.c.owner == ""
    still_ours = positions.c.owner == fresh.excluded.owner
    tries = sa.case(
        (sa.or_(~same_topic, known_end), 0),
        (still_ours, positions.c.tries),
        else_=positions.c.tries + 1,
    )
    taken = fresh.on_conflict_do_update(
        index_elements=[positions.c.consumer, positions.c.topic, positions.c.partition],
        set_={
            "epoch": positions.c.epoch + 1,
            "owner": fresh.excluded.owner,
            "topic_id": fresh.excluded.topic_id,
            "next_offset": sa.case(
                (same_topic, positions.c.next_offset), else_=fresh.excluded.next_offset
            ),
            "tries": tries,
            "suspect": sa.case((same_topic, positions.c.suspect), else_=None),
            "updated_at": fresh.excluded.updated_at,
        },
    ).returning(positions.c.epoch, positions.c.next_offset, positions.c.tries, positions.c.suspect)
    row = c.execute(taken).one()
    return Claim(consumer, at, row.epoch, row.next_offset, row.tries, row.suspect, before)


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
    return restart(c, claim, next_offset, now)


def restart(c: sa.Connection, claim: Claim, next_offset: int, now: datetime) -> Claim:
    """Move the position where the log holds something, in either direction.

    Raises
    ------
    Fenced
        As `advance`.
    """
    # One that moved on past a record that was processed alone is careful with the next ones.
    tries = sa.case((positions.c.suspect.is_(None), 0), else_=1)
    _change(c, claim, {"next_offset": next_offset, "tries": tries, "suspect": None}, now)
    return replace(claim, next_offset=next_offset)


def suspect(c: sa.Connection, claim: Claim, offset: int, now: datetime) -> None:
    """Note which record is processed next, alone: commit it before the record is looked at.

    Raises
    ------
    Fenced
        As `advance`.
    """
    # Who ended before it was noted had others in hand too: that accuses none of them.
    alone = sa.case((positions.c.suspect == offset, positions.c.tries), else_=_SUSPICIOUS_AFTER)
    _change(c, claim, {"suspect": offset, "tries": alone}, now)


def release(c: sa.Connection, claim: Claim, now: datetime) -> None:
    """Say that this owner ends in good order, or lives and has lost the partition.

    Where another one has taken over it was thought dead, which is taken back.
    """
    gone = {"owner": "", "tries": 0, "suspect": None, "updated_at": now}
    ours = (*_row_of(claim), positions.c.epoch == claim.epoch)
    c.execute(sa.update(positions).where(*ours).values(gone))
    late = (
        *_row_of(claim),
        positions.c.epoch > claim.epoch,
        positions.c.next_offset == claim.next_offset,
        positions.c.tries > 0,
    )
    c.execute(sa.update(positions).where(*late).values(tries=positions.c.tries - 1))


def _change(c: sa.Connection, claim: Claim, values: Mapping[str, object], now: datetime) -> None:
    moved = c.execute(
        sa.update(positions)
        .where(
            *_row_of(claim),
            positions.c.epoch == claim.epoch,
            positions.c.next_offset == claim.next_offset,
        )
        .values({**values, "updated_at": now})
    )
    if moved.rowcount != 1:
        raise Fenced(_fenced(claim))


def stored(c: sa.Connection, consumer: str, at: TopicPartition) -> Stored | None:
    """Return up to where the state of a partition goes, or None if nobody ever claimed it."""
    row = c.execute(
        sa.select(positions.c.topic_id, positions.c.next_offset).where(
            positions.c.consumer == consumer,
            positions.c.topic == at.topic,
            positions.c.partition == at.partition,
        )
    ).one_or_none()
    return None if row is None else Stored(row.topic_id, row.next_offset)


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


def forget_seen(c: sa.Connection, consumer: str, before: datetime) -> int:
    """Forget events handled before an instant; return how many.

    Safe while the log keeps its records for less: what it cannot deliver again needs no memory.
    """
    old = sa.delete(inbox).where(inbox.c.consumer == consumer, inbox.c.seen_at < before)
    return c.execute(old).rowcount


def _row_of(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        positions.c.consumer == claim.consumer,
        positions.c.topic == claim.at.topic,
        positions.c.partition == claim.at.partition,
    )


def _fenced(claim: Claim) -> str:
    return (
        f"{claim.consumer} lost {claim.at}: epoch {claim.epoch} at "
        f"offset {claim.next_offset} is no longer the stored one; drop what was read"
    )
