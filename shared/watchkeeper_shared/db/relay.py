"""Sends what waits in the outbox: at least once, and in order for each key."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import leases, outbox
from watchkeeper_shared.db.outbox import Unsent
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import (
    LogUnavailable,
    PermanentError,
    RetryableError,
    WatchkeeperError,
)
from watchkeeper_shared.eventlog.port import LogWriter, Position

logger = logging.getLogger(__name__)

_IDLE = 0.2
_LONGEST_PAUSE = 10.0
# The writer has a deadline of its own; this one only ends the wait for a broken writer.
_ANSWER_SECONDS = 180.0
_LEASE = timedelta(seconds=10)
_KEEP = timedelta(days=30)
_BETWEEN_TIDYING = timedelta(hours=1)


@dataclass(slots=True)
class _Outcome:
    """What became of the messages of one step."""

    sent: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    failure: RetryableError | None = None

    def note(self, one: Unsent, future: Future[Position]) -> bool:
        """Wait for one answer; tell whether the next message of the key may go."""
        error = _failure(future)
        if error is None:
            self.sent.append(one.id)
        elif isinstance(error, PermanentError):
            # Held back it would stop its key for ever.
            self.refused[one.id] = str(error)
        elif isinstance(error, RetryableError):
            self.failure = self.failure or error
            return False
        else:
            raise error
        return True


class Relay:
    """Moves one service's messages from the outbox to the log.

    A message is marked as sent after the log has it, so a crash in between sends it again:
    receivers know an event by its id. No two messages of a key are on their way at once,
    so one that fails is never overtaken. One that the log will never take is set aside with
    the reason, and logged as an error. Of several replicas one works at a time, by lease.

    Parameters
    ----------
    database, writer, clock
        Where messages wait, where they go, and what time it is.
    owner
        The service whose messages are sent.
    batch
        At most so many messages in one step, which bounds memory.
    """

    def __init__(
        self, database: Database, writer: LogWriter, owner: str, clock: Clock, batch: int = 500
    ) -> None:
        self._database = database
        self._writer = writer
        self._owner = owner
        self._clock = clock
        self._batch = batch
        self._lease = f"relay/{owner}"
        self._tidied_at = clock.now()
        self._holder = uuid.uuid4().hex

    def step(self) -> int:
        """Send what waits, up to one batch; return how many messages were sent.

        Raises
        ------
        LogUnavailable, StoreUnavailable
            Something was not sent, or not marked; it will be sent again.
        """
        with self._database.read() as c:
            waiting = outbox.unsent(c, self._owner, self._batch)
        if not waiting:
            self._tidy_up()
        if not waiting or not self._holds_lease():
            return 0
        outcome = self._send(waiting)
        with self._database.transaction() as c:
            outbox.mark_sent(c, outcome.sent, self._clock.now())
            outbox.mark_refused(c, outcome.refused)
        for number, reason in outcome.refused.items():
            logger.error("outbox_refused", extra={"id": number, "reason": reason})
        if outcome.failure is not None:
            raise outcome.failure
        return len(outcome.sent)

    def drain(self) -> int:
        """Send all that waits and give the lease back; return how many were sent.

        Raises
        ------
        LogUnavailable, StoreUnavailable
            As `step`.
        """
        sent = 0
        try:
            while done := self.step():
                sent += done
        finally:
            self._give_back()
        return sent

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; call `beat` on every turn, for the liveness probe."""
        pause = _IDLE
        while not stop.is_set():
            beat()
            try:
                busy = self.step() == self._batch
            except RetryableError as error:
                pause = min(pause * 2, _LONGEST_PAUSE)
                logger.warning(
                    "relay_waits",
                    extra={"owner": self._owner, "seconds": pause, "reason": str(error)},
                )
                stop.wait(pause)
            else:
                pause = _IDLE
                stop.wait(0 if busy else _IDLE)
        self._give_back()

    def _tidy_up(self) -> None:
        """Forget, now and then, what was sent long ago; receivers remember its ids."""
        now = self._clock.now()
        if now - self._tidied_at < _BETWEEN_TIDYING:
            return
        self._tidied_at = now
        with self._database.transaction() as c:
            gone = outbox.forget_sent(c, self._owner, now - _KEEP)
            leases.forget_expired(c, now - _KEEP)
        logger.info("outbox_tidied", extra={"owner": self._owner, "messages": gone})

    def _holds_lease(self) -> bool:
        with self._database.transaction() as c:
            return leases.take(c, self._lease, self._holder, self._clock.now(), _LEASE)

    def _give_back(self) -> None:
        try:
            with self._database.transaction() as c:
                leases.release(c, self._lease, self._holder)
        except RetryableError as error:
            logger.info("relay_lease_left", extra={"owner": self._owner, "reason": str(error)})

    def _send(self, waiting: list[Unsent]) -> _Outcome:
        """Send in waves, each with the oldest message of every key that has not failed."""
        queues: defaultdict[tuple[str, str], deque[Unsent]] = defaultdict(deque)
        for one in waiting:
            queues[one.message.topic, one.message.key].append(one)
        outcome = _Outcome()
        while queues:
            wave = [(key, queue.popleft()) for key, queue in queues.items()]
            futures = [self._append(one) for _, one in wave]
            for (key, one), future in zip(wave, futures, strict=True):
                goes_on = outcome.note(one, future)
                if not goes_on or not queues[key]:
                    del queues[key]
        return outcome

    def _append(self, one: Unsent) -> Future[Position]:
        """Append, with an error at the door as a failed future: others must still be marked."""
        try:
            return self._writer.append(one.message)
        except WatchkeeperError as error:
            failed: Future[Position] = Future()
            failed.set_exception(error)
            return failed


def _failure(future: Future[Position]) -> BaseException | None:
    try:
        return future.exception(timeout=_ANSWER_SECONDS)
    except TimeoutError:
        return LogUnavailable(f"the log gave no answer within {_ANSWER_SECONDS:.0f} seconds")
