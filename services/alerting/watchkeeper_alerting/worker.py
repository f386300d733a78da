"""Reads breaches and handles each exactly once in effect, however often it is delivered.

One event, one transaction: position, inbox, alert, ticket, notifications, audit. What
cannot be read goes to the dead letters in the same way, so nothing blocks what follows;
when nearly nothing can be read, reading stops instead: an unread breach is told later, a
dead letter only when somebody replays it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from watchkeeper_alerting.alerts import Action
from watchkeeper_alerting.breach_records import decode
from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.handling import Handler
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import outbox, positions
from watchkeeper_shared.db.claims import Claimant, Claims
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import (
    Conflict,
    Fenced,
    InvalidObject,
    MalformedRecord,
    OffsetGone,
    RetryableError,
)
from watchkeeper_shared.eventlog.port import EventLog, LogReader, Poll, Record, TopicPartition
from watchkeeper_shared.events.letters import CRASHED, letter
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.stops import Stops
from watchkeeper_shared.events.tolerance import Limits
from watchkeeper_shared.topics import BREACHES

GROUP = "alerting"

_POLL = timedelta(milliseconds=500)
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_BETWEEN_LOOKS = 10.0
_BETWEEN_TIDYING = timedelta(hours=1)
# The longest that anybody keeps a log of breaches, and more: what it cannot deliver again
# needs no memory. An alert and a ticket are found by their breach in any case.
_KEEP_SEEN = timedelta(days=400)
# Breaches are few and each is for people: stop early, and try again soon.
_LIMITS = Limits(in_a_row=10)
_STOP_PAUSE = timedelta(seconds=30)

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
        self._stops = Stops(_LIMITS, _STOP_PAUSE, clock, counters.show_stopped)
        self._claims: dict[TopicPartition, Claim] = {}
        self._waiting: set[TopicPartition] = set()
        self._claimer: Claims | None = None
        self._pause = _FIRST_PAUSE
        self._looked_at = clock.monotonic()
        self._tidied_at = clock.now()
        self._trouble = "the log was not joined yet"

    def ready(self) -> None:
        """Return if breaches are read, as far as this worker knows.

        Raises
        ------
        RetryableError
            They are not, and why.
        """
        reason = self._trouble or self._stops.reasons.get(BREACHES.name)
        if reason:
            raise RetryableError(f"breaches are not read: {reason}")

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; call `beat` on every turn, for the liveness probe."""
        while not stop.is_set():
            beat()
            try:
                self._read(stop, beat)
            except (RetryableError, Conflict) as error:
                # What was in flight did not happen or is known by its id: read it again.
                self._trouble = str(error)
                extra = {"seconds": self._pause, "reason": self._trouble}
                logger.warning("breaches_wait", extra=extra)
                stop.wait(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _read(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        reader = self._log.reader(GROUP, [BREACHES.name])
        try:
            while not stop.is_set():
                beat()
                self.step(reader)
                self._pause, self._trouble = _FIRST_PAUSE, ""
            self._claims_of(reader).release(self._claims.values())
        finally:
            self._claims.clear()
            self._waiting.clear()
            self._claimer = None
            reader.close()

    def step(self, reader: LogReader, timeout: timedelta = _POLL) -> int:
        """Poll once and handle what came; return how many records were handled.

        Raises
        ------
        LogUnavailable, StoreUnavailable, Conflict
            Close the reader and begin again with a new one, after a pause.
        """
        poll = self._polled(reader, timeout)
        self._look_after(reader)
        started = self._start(reader)
        handled = 0
        for record in poll.records:
            if record.at not in started and record.at.topic not in self._stops:
                handled += self._handle(reader, record)
        if poll.records:
            reader.report({at: claim.next_offset for at, claim in self._claims.items()})
        return handled

    def _polled(self, reader: LogReader, timeout: timedelta) -> Poll:
        try:
            poll = reader.poll(timeout)
        except OffsetGone as error:
            logger.warning("offset_gone", extra={"reason": str(error)})
            self._waiting.add(TopicPartition(error.topic, error.partition))
            return Poll()
        self._waiting = (self._waiting - poll.lost) | poll.assigned
        lost = [self._claims.pop(at) for at in poll.lost if at in self._claims]
        if lost:
            self._claims_of(reader).release(lost)
        return poll

    def _look_after(self, reader: LogReader) -> None:
        """Notice, now and then, a topic that was made again; forget what cannot come again."""
        if self._clock.monotonic() - self._looked_at >= _BETWEEN_LOOKS:
            self._looked_at = self._clock.monotonic()
            topics = self._claims_of(reader).renewed()
            self._waiting |= {at for at in self._claims if at.topic in topics}
        now = self._clock.now()
        if now - self._tidied_at >= _BETWEEN_TIDYING:
            self._tidied_at = now
            with self._database.transaction() as c:
                positions.forget_seen(c, GROUP, now - _KEEP_SEEN)

    def _start(self, reader: LogReader) -> frozenset[TopicPartition]:
        """Start what waits where its state ends, and the topic when its pause is over."""
        if self._stops.due():
            self._waiting |= set(self._claims)
        started = frozenset(self._waiting)
        for at in sorted(started):
            claim = self._claims_of(reader).take(at)
            self._waiting.discard(at)
            if claim is not None:
                self._claims[at] = claim
            if at.topic in self._stops:
                reader.halt(at)
        return started

    def _claims_of(self, reader: LogReader) -> Claims:
        if self._claimer is None:
            claimant = Claimant(GROUP, self._holder)
            told = self._counters.log_broke
            self._claimer = Claims(reader, self._database, self._clock, claimant, told)
        return self._claimer

    def _handle(self, reader: LogReader, record: Record) -> bool:
        claim = self._claims.get(record.at)
        if claim is None or record.offset < claim.next_offset:
            return False
        try:
            if claim.is_suspicious:
                self._claims_of(reader).suspect(claim, record.offset)
            after, outcome = self._settled(record, claim)
        except Fenced as error:
            self._claims_of(reader).release([self._claims.pop(record.at)])
            logger.info("breaches_partition_lost", extra={"reason": str(error)})
            return False
        self._claims[record.at] = after
        self._counters.breach_events.labels(outcome).inc()
        if self._stops.note(record.at.topic, outcome if outcome == "dead_letter" else None):
            for at in self._claims:
                reader.halt(at)
        return True

    def _settled(self, record: Record, claim: Claim) -> tuple[Claim, str]:
        """Let a record have its effect and move past it, together."""
        now = self._clock.now()
        try:
            with self._database.transaction() as c:
                after = positions.advance(c, claim, record.offset + 1, now)
                return after, self._effect(c, record, claim, now)
        except InvalidObject as error:
            # Read again, it would be refused again: nothing after it would ever be read.
            with self._database.transaction() as c:
                after = positions.advance(c, claim, record.offset + 1, now)
                _bury(c, record, RejectCode.UNSUPPORTED, str(error), now)
                return after, "dead_letter"

    def _effect(self, c: sa.Connection, record: Record, claim: Claim, now: datetime) -> str:
        if claim.blames(record.offset):
            _bury(c, record, CRASHED, "processes in a row ended over this record", now)
            return "dead_letter"
        try:
            turn = decode(record.value)
        except MalformedRecord as error:
            _bury(c, record, str(error.code), error.detail, now)
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


def _bury(c: sa.Connection, record: Record, code: str, detail: str, now: datetime) -> None:
    """Keep the record for people, with why, where it came from and its own bytes."""
    identity, message = letter(record, GROUP, code, detail)
    outbox.enqueue(c, OWNER, message, identity, now)
    told = {"at": str(record.at), "offset": record.offset, "code": code, "detail": detail}
    logger.warning("breach_unreadable", extra=told)
