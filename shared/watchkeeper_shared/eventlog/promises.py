"""What a writer owes its callers: every future settles, at the latest at its deadline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import takewhile
from threading import Condition, Thread

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, PermanentError, WatchkeeperError
from watchkeeper_shared.eventlog.port import MAX_RECORD_BYTES, Position


@dataclass(slots=True, eq=False)
class Promise:
    """One future that is owed, without the message, so that waiting costs little memory."""

    size: int
    deadline: float
    future: Future[Position] = field(default_factory=Future)
    settled: bool = False


class Promises:
    """The open futures of one writer: bounded in bytes, each with its deadline.

    Parameters
    ----------
    clock
        For deadlines.
    patience
        How long a message may take from `make` to its settlement.
    budget
        Bytes that may be open at once; more is refused with `LogUnavailable` instead of
        growing without bound while the log does not answer.
    on_expiry
        Called from the watching thread after deadlines passed.
    """

    def __init__(
        self, clock: Clock, patience: timedelta, budget: int, on_expiry: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._patience = patience.total_seconds()
        self._budget = budget
        self._on_expiry = on_expiry
        self._open: deque[Promise] = deque()
        self._count = 0
        self._bytes = 0
        self._closed = False
        self._change = Condition()
        self._watch = Thread(target=self._run, name="eventlog-deadlines", daemon=True)
        self._watch.start()

    def make(self, size: int) -> Promise:
        """Promise to settle a message of so many bytes; may come back already failed."""
        promise = Promise(size, self._clock.monotonic() + self._patience)
        # From here on a caller that goes away cannot cancel what may already be on its way.
        promise.future.set_running_or_notify_cancel()
        refusal = self._admit(promise)
        if refusal is not None:
            promise.settled = True
            promise.future.set_exception(refusal)
        return promise

    def _admit(self, promise: Promise) -> WatchkeeperError | None:
        if promise.size > MAX_RECORD_BYTES:
            return PermanentError(
                f"a record of {promise.size} bytes is over the limit of {MAX_RECORD_BYTES}:"
                " send smaller batches"
            )
        with self._change:
            if self._closed:
                return LogUnavailable("the log writer is closed: open another one")
            if self._bytes + promise.size > self._budget:
                return LogUnavailable(
                    f"{self._bytes} bytes wait for the event log already, {self._budget} may:"
                    " slow down and send again"
                )
            self._open.append(promise)
            self._count += 1
            self._bytes += promise.size
            if len(self._open) == 1:
                self._change.notify_all()
        return None

    def keep(self, promise: Promise, position: Position) -> None:
        """Settle with success, unless the deadline was quicker."""
        if self._settle(promise):
            promise.future.set_result(position)

    def fail(self, promise: Promise, error: WatchkeeperError) -> None:
        """Settle with failure, unless that happened already."""
        if self._settle(promise):
            promise.future.set_exception(error)

    def _settle(self, promise: Promise) -> bool:
        with self._change:
            if promise.settled:
                return False
            promise.settled = True
            self._count -= 1
            self._bytes -= promise.size
            while self._open and self._open[0].settled:
                self._open.popleft()
            if not self._count:
                self._change.notify_all()
            return True

    def close(self) -> None:
        """Take nothing more, wait for what is open (at most its deadlines), then stop."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._watch.join()

    def _run(self) -> None:
        while True:
            with self._change:
                if self._closed and not self._count:
                    return
                if not self._open:
                    self._change.wait()
                else:
                    self._change.wait(max(0.0, self._open[0].deadline - self._clock.monotonic()))
                now = self._clock.monotonic()
                # All have the same patience, so they stand in the order of their deadlines.
                late = list(takewhile(partial(_is_late, now), self._open))
            if self._expire(late):
                self._on_expiry()

    def _expire(self, late: list[Promise]) -> bool:
        expired = False
        for promise in late:
            if self._settle(promise):
                expired = True
                promise.future.set_exception(
                    LogUnavailable(
                        f"the event log did not confirm a record within {self._patience:g} s;"
                        " it may or may not be there: send it again under the same id"
                    )
                )
        return expired


def _is_late(now: float, promise: Promise) -> bool:
    return promise.deadline <= now
