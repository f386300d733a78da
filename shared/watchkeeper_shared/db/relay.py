"""Sends what waits in the outbox: at least once, and in order for each key."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import leases, outbox
from watchkeeper_shared.db.outbox import Unsent
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import LogUnavailable, RetryableError
from watchkeeper_shared.eventlog.port import LogWriter, Position

logger = logging.getLogger(__name__)

_IDLE = 0.2
_LONGEST_PAUSE = 10.0
# The writer has a deadline of its own; this one only ends the wait for a broken writer.
_ANSWER_SECONDS = 180.0
_LEASE = timedelta(seconds=10)


class Relay:
    """Moves one service's messages from the outbox to the log.

    A message is marked as sent after the log has it, so a crash in between sends it again:
    receivers know an event by its id. No two messages of a key are on their way at once,
    so one that fails is never overtaken. Of several replicas one works at a time, by lease.

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
        if not waiting or not self._holds_lease():
            return 0
        sent, problem = self._send(waiting)
        with self._database.transaction() as c:
            outbox.mark_sent(c, sent, self._clock.now())
        if problem is not None:
            raise problem
        return len(sent)

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

    def _holds_lease(self) -> bool:
        with self._database.transaction() as c:
            return leases.take(c, self._lease, self._holder, self._clock.now(), _LEASE)

    def _give_back(self) -> None:
        try:
            with self._database.transaction() as c:
                leases.release(c, self._lease, self._holder)
        except RetryableError as error:
            logger.info("relay_lease_left", extra={"owner": self._owner, "reason": str(error)})

    def _send(self, waiting: list[Unsent]) -> tuple[list[int], Exception | None]:
        """Send in waves, each with the oldest message of every key that has not failed."""
        queues: defaultdict[tuple[str, str], deque[Unsent]] = defaultdict(deque)
        for one in waiting:
            queues[one.message.topic, one.message.key].append(one)
        sent: list[int] = []
        problem: Exception | None = None
        while queues:
            wave = {key: (queue[0], self._append(queue[0])) for key, queue in queues.items()}
            for key, (one, future) in wave.items():
                failure = _failure(future)
                if failure is None:
                    sent.append(one.id)
                    queues[key].popleft()
                problem = problem or failure
                if failure is not None or not queues[key]:
                    del queues[key]
        return sent, problem

    def _append(self, one: Unsent) -> Future[Position]:
        """Append, with an error at the door as a failed future: others must still be marked."""
        try:
            return self._writer.append(one.message)
        except RetryableError as error:
            failed: Future[Position] = Future()
            failed.set_exception(error)
            return failed


def _failure(future: Future[Position]) -> Exception | None:
    try:
        error = future.exception(timeout=_ANSWER_SECONDS)
    except TimeoutError:
        return LogUnavailable(f"the log gave no answer within {_ANSWER_SECONDS:.0f} seconds")
    if error is None or isinstance(error, Exception):
        return error
    raise error
