"""Messages that are decided in a transaction and sent after it, by `db.relay`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import outbox
from watchkeeper_shared.db.upsert import insert
from watchkeeper_shared.eventlog.port import Message


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that waits, with the number that orders it."""

    id: int
    message: Message


def enqueue(c: sa.Connection, owner: str, message: Message, event_id: str, now: datetime) -> bool:
    """Have `message` sent once the transaction has committed. Idempotent by `event_id`.

    Parameters
    ----------
    owner
        The service whose relay sends it.
    event_id
        At most 64 characters, the same for the same fact: a second enqueue is ignored.

    Returns
    -------
    bool
        False if it was enqueued before.
    """
    fresh = c.execute(
        insert(c, outbox)
        .values(
            owner=owner,
            event_id=event_id,
            topic=message.topic,
            key=message.key,
            headers=dict(message.headers),
            value=message.value,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=[outbox.c.event_id])
        .returning(outbox.c.id)
    )
    return fresh.one_or_none() is not None


def known(c: sa.Connection, event_ids: Iterable[str]) -> frozenset[str]:
    """Return which of these events were ever enqueued and are remembered."""
    same = outbox.c.event_id.in_(list(event_ids))
    return frozenset(c.execute(sa.select(outbox.c.event_id).where(same)).scalars())


def unsent(c: sa.Connection, owner: str, limit: int) -> list[Unsent]:
    """Return what waits, oldest first, at most `limit`."""
    rows = c.execute(sa.select(outbox).where(*_waits(owner)).order_by(outbox.c.id).limit(limit))
    return [Unsent(row.id, Message(row.topic, row.key, row.value, row.headers)) for row in rows]


def mark_sent(c: sa.Connection, ids: Iterable[int], now: datetime) -> None:
    """Note that the log has these messages."""
    c.execute(sa.update(outbox).where(outbox.c.id.in_(list(ids))).values(sent_at=now))


def mark_refused(c: sa.Connection, reasons: Mapping[int, str]) -> None:
    """Set messages aside that the log will never take; they stay here with the reason."""
    for number, reason in reasons.items():
        c.execute(sa.update(outbox).where(outbox.c.id == number).values(refused=reason))


def refused(c: sa.Connection, owner: str) -> int:
    """Return how many messages were set aside: anything but 0 is for people to look at."""
    aside = sa.select(sa.func.count()).where(
        outbox.c.owner == owner, outbox.c.sent_at.is_(None), outbox.c.refused.is_not(None)
    )
    return int(c.execute(aside).scalar_one())


def backlog(c: sa.Connection, owner: str) -> tuple[int, datetime | None]:
    """Return how many messages wait and since when the oldest does."""
    waiting = sa.select(sa.func.count(), sa.func.min(outbox.c.created_at)).where(*_waits(owner))
    count, oldest = c.execute(waiting).one()
    return count, oldest


def forget_sent(c: sa.Connection, owner: str, before: datetime) -> int:
    """Drop messages sent before an instant; return how many.

    With them goes the memory of their event ids, so keep them longer than anything that
    may be decided again.
    """
    gone = c.execute(sa.delete(outbox).where(outbox.c.owner == owner, outbox.c.sent_at < before))
    return gone.rowcount


def empty_sent(c: sa.Connection, owner: str) -> int:
    """Drop what messages held that the log has now, and keep their ids; return how many."""
    done = sa.and_(outbox.c.owner == owner, outbox.c.sent_at.is_not(None), outbox.c.value != b"")
    return c.execute(sa.update(outbox).where(done).values(value=b"", headers={})).rowcount


def _waits(owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (outbox.c.owner == owner, outbox.c.sent_at.is_(None), outbox.c.refused.is_(None))
