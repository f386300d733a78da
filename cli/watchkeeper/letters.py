"""Dead letters for people: read from the log, and sent back where they came from.

A replay is decided in the database (outbox and audit in one transaction) and sent after it,
so that a letter goes back once, however often and by whomever the command is given.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import audit, outbox
from watchkeeper_shared.db.relay import Relay
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, MalformedRecord
from watchkeeper_shared.eventlog.port import EventLog, LogReader, Record, TopicPartition
from watchkeeper_shared.events.letters import Verdict, replayed, verdict

OWNER = "dlq"
"""Whose messages in the outbox replays are."""

_ACTOR = "command line"
_POLL = timedelta(milliseconds=200)
_PATIENCE = 60.0
# Longer than anybody keeps dead letters: a letter goes back once as long as it is remembered.
_KEEP = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    Parameters
    ----------
    record
        As it stands on the dead letter topic.
    verdict
        Why it is one; None where the record is no letter of ours.
    identity
        Of its replay.
    """

    record: Record
    verdict: Verdict | None
    identity: str


def letters(log: EventLog, clock: Clock, topics: Sequence[str]) -> Iterator[Letter]:
    """Yield what stands on dead letter topics now, from the oldest on.

    Raises
    ------
    LogUnavailable
        The log does not answer, or gives us no partition.
    """
    # A group of its own: nobody else's positions move, and nobody else's partitions are taken.
    reader = log.reader(f"watchkeeper-dlq-{uuid.uuid4().hex[:8]}", topics)
    try:
        for record in _all_of(reader, clock, frozenset(topics)):
            yield _letter(record, reader.topic_id(record.at.topic))
    finally:
        reader.close()


def _all_of(reader: LogReader, clock: Clock, topics: frozenset[str]) -> Iterator[Record]:
    ends: dict[TopicPartition, int] = {}
    reached: dict[TopicPartition, int] = {}
    until = clock.monotonic() + _PATIENCE
    while topics - {at.topic for at in ends} or any(reached[at] < ends[at] for at in ends):
        if clock.monotonic() > until:
            raise LogUnavailable(
                f"the dead letters could not be read within {_PATIENCE:.0f} s; are there the "
                f"topics {', '.join(sorted(topics))}, and may we read them?"
            )
        polled = reader.poll(_POLL)
        for at in polled.assigned:
            ends[at] = reader.end(at)
            reached[at] = max(reached.get(at, 0), reader.beginning(at))
            reader.start(at, reached[at])
        for record in polled.records:
            reached[record.at] = record.offset + 1
            until = clock.monotonic() + _PATIENCE
            yield record


def _letter(record: Record, topic_id: str) -> Letter:
    place = f"replay\x1f{topic_id}\x1f{record.at.partition}\x1f{record.offset}"
    identity = hashlib.sha256(place.encode()).hexdigest()
    try:
        return Letter(record, verdict(record.headers), identity)
    except MalformedRecord:
        return Letter(record, None, identity)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one command did: letters sent back now, before, and those that cannot be."""

    now: int
    before: int
    impossible: int


def replay(
    database: Database, log: EventLog, clock: Clock, chosen: Iterable[Letter], reason: str
) -> Replayed:
    """Send letters back to the topics they came from, marked, each once ever.

    Raises
    ------
    StoreUnavailable, LogUnavailable
        Some were decided and not sent: give the command again.
    """
    now = before = impossible = 0
    for one in chosen:
        if one.verdict is None:
            impossible += 1
        elif _decide(database, one, one.verdict, reason, clock):
            now += 1
        else:
            before += 1
    writer = log.writer()
    try:
        # Also what an earlier command decided and could not send.
        Relay(database, writer, OWNER, clock).drain()
    finally:
        writer.close()
    _tidy_up(database, clock)
    return Replayed(now, before, impossible)


def _tidy_up(database: Database, clock: Clock) -> None:
    """Keep of what was sent only that it was: no relay of a service ever comes by here."""
    with database.transaction() as c:
        outbox.empty_sent(c, OWNER)
        outbox.forget_sent(c, OWNER, clock.now() - _KEEP)


def _decide(database: Database, one: Letter, why: Verdict, reason: str, clock: Clock) -> bool:
    at = one.record.at
    place = f"{at}/{one.record.offset}"
    with database.transaction() as c:
        if not outbox.enqueue(c, OWNER, replayed(one.record), one.identity, clock.now()):
            return False
        audit.record(
            c,
            at=clock.now(),
            actor=_ACTOR,
            act="deadletter.replay",
            subject=f"Record/{place}",
            reason=reason,
            body={
                "letter": place,
                "code": why.code,
                "to": why.topic,
                "was": f"{why.topic}/{why.partition}/{why.offset}",
                "sha256": hashlib.sha256(one.record.value).hexdigest(),
            },
        )
    return True
