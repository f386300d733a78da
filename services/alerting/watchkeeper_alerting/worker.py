"""Reads breaches and handles each exactly once in effect, however often it is delivered.

One event, one transaction: position, inbox, alert, ticket, notifications, audit. What
cannot be read goes to the dead letters in the same way, so nothing blocks what follows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from watchkeeper_alerting.alerts import Action
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.control import OWNER, digest
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.episodes import Handler
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import outbox, positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict, Fenced, MalformedRecord, RetryableError
from watchkeeper_shared.eventlog.port import EventLog, LogReader, Message, Record, TopicPartition
from watchkeeper_shared.topics import BREACHES

GROUP = "alerting"

_POLL = timedelta(milliseconds=500)
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_ERRORS = "__watchkeeper.errors."

logger = logging.getLogger(__name__)


class Worker:
    """One reader of `watchkeeper.breaches.v1`; replicas share its partitions.

    Parameters
    ----------
    log, database, clock
        Where events come from, where their effect goes, and what time it is.
    handler
        What an event means.
    counters
        Where outcomes are counted.
    holder
        Who claims partitions, for people.
    """

    def __init__(
        self,
        log: EventLog,
        database: Database,
        clock: Clock,
        handler: Handler,
        counters: Counters,
        holder: str,
    ) -> None:
        self._log = log
        self._database = database
        self._clock = clock
        self._handler = handler
        self._counters = counters
        self._holder = holder
        self._claims: dict[TopicPartition, Claim] = {}
        self._pause = _FIRST_PAUSE

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; call `beat` on every turn, for the liveness probe."""
        while not stop.is_set():
            beat()
            try:
                self._read(stop, beat)
            except (RetryableError, Conflict) as error:
                # What was in flight did not happen or is known by its id: read it again.
                reason = str(error)
                logger.warning("breaches_wait", extra={"seconds": self._pause, "reason": reason})
                stop.wait(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _read(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        reader = self._log.reader(GROUP, [BREACHES.name])
        self._claims = {}
        try:
            while not stop.is_set():
                beat()
                self.step(reader)
                self._pause = _FIRST_PAUSE
        finally:
            reader.close()

    def step(self, reader: LogReader, timeout: timedelta = _POLL) -> int:
        """Poll once and handle what came; return how many records were handled.

        Raises
        ------
        LogUnavailable, StoreUnavailable, Conflict
            Close the reader and begin again with a new one, after a pause.
        """
        poll = reader.poll(timeout)
        for at in poll.lost:
            self._claims.pop(at, None)
        for at in sorted(poll.assigned):
            self._claim(reader, at)
        handled = 0
        for record in poll.records:
            handled += self._handle(record)
        if poll.records:
            reader.report({at: claim.next_offset for at, claim in self._claims.items()})
        return handled

    def _claim(self, reader: LogReader, at: TopicPartition) -> None:
        topic_id, beginning = reader.topic_id(at.topic), reader.beginning(at)
        now = self._clock.now()
        with self._database.transaction() as c:
            claim = positions.claim(c, GROUP, at, topic_id, self._holder, beginning, now)
        self._claims[at] = claim
        reader.start(at, claim.next_offset)

    def _handle(self, record: Record) -> bool:
        claim = self._claims.get(record.at)
        if claim is None or record.offset < claim.next_offset:
            return False
        try:
            with self._database.transaction() as c:
                now = self._clock.now()
                after = positions.advance(c, claim, record.offset + 1, now)
                outcome = self._effect(c, record, now)
        except Fenced as error:
            del self._claims[record.at]
            logger.info("breaches_partition_lost", extra={"reason": str(error)})
            return False
        self._claims[record.at] = after
        self._counters.breach_events.labels(outcome).inc()
        return True

    def _effect(self, c: sa.Connection, record: Record, now: datetime) -> str:
        try:
            turn = decode(record.value)
        except MalformedRecord as error:
            _bury(c, record, error, now)
            return "dead_letter"
        if not positions.first_sight(c, GROUP, turn.event_id, now):
            return "duplicate"
        decision = self._handler.handle(c, turn, now)
        fields = {
            "breach": turn.breach.breach,
            "system": turn.breach.system,
            "action": str(decision.action),
            "reason": str(decision.reason),
        }
        logger.info("breach_handled", extra=fields)
        return "ignored" if decision.action is Action.NOTHING else "handled"


def _bury(c: sa.Connection, record: Record, error: MalformedRecord, now: datetime) -> None:
    """Keep the record for people, with why, where it came from and its own bytes."""
    at = record.at
    added = {
        "code": str(error.code),
        "detail": error.detail,
        "topic": at.topic,
        "partition": str(at.partition),
        "offset": str(record.offset),
        "consumer": GROUP,
    }
    headers = {**record.headers, **{_ERRORS + name: text for name, text in added.items()}}
    message = Message(BREACHES.dead_letters, record.key or "", record.value, headers)
    identity = digest(
        "dlq", GROUP, at.topic, str(at.partition), str(record.offset), str(record.timestamp)
    )
    outbox.enqueue(c, OWNER, message, identity, now)
    logger.warning("breach_unreadable", extra=added)
