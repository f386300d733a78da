"""How much may be in flight: bytes are counted from the first one read to the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, RetryableError

RETRY_AFTER = timedelta(seconds=1)


class Overloaded(RetryableError):
    """More is in flight than may be; the caller should come back."""


class Share:
    """The bytes that one request holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.size = 0

    def grow(self, size: int) -> None:
        """Take further bytes.

        Raises
        ------
        RetryableError
            There is no room left even for requests that were let in.
        """
        self._admission.take(size)
        self.size += size


class Admission:
    """The budget of bytes in flight. Safe to use from several threads.

    Parameters
    ----------
    soft
        Above this no new request is let in.
    hard
        Above this no request that was let in may grow.
    show
        Told the bytes in flight whenever they change.
    """

    def __init__(self, soft: int, hard: int, show: Callable[[int], None]) -> None:
        self._soft, self._hard, self._show = soft, hard, show
        self._taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def enter(self) -> Iterator[Share]:
        """Let a request in, and give its bytes back at the end.

        Raises
        ------
        Overloaded
            The soft limit is reached.
        """
        if self._taken >= self._soft:
            raise Overloaded(
                f"{self._taken} bytes wait for the log, at most {self._soft} may; slow down",
                RETRY_AFTER,
            )
        share = Share(self)
        try:
            yield share
        finally:
            self.take(-share.size)

    def take(self, size: int) -> None:
        """Take bytes, or give them back with a negative number."""
        with self._lock:
            if size > 0 and self._taken + size > self._hard:
                raise RetryableError(
                    f"{self._taken} bytes wait for the log, at most {self._hard} may ever; "
                    "nothing of this request was taken, send it again",
                    RETRY_AFTER,
                )
            self._taken += size
            self._show(self._taken)


class Fuse:
    """Refuses at once while the log is away, instead of letting every caller wait for it.

    Parameters
    ----------
    clock
        For the pause.
    pause
        How long after a failure requests are refused before one is tried again.
    """

    def __init__(self, clock: Clock, pause: timedelta = timedelta(seconds=2)) -> None:
        self._clock = clock
        self._pause = pause
        self._closed_at = float("-inf")

    def blow(self) -> None:
        """Note that the log did not take a record."""
        self._closed_at = self._clock.monotonic() + self._pause.total_seconds()

    def mend(self) -> None:
        """Note that the log took a record."""
        self._closed_at = float("-inf")

    def check(self) -> None:
        """Return if requests may be tried.

        Raises
        ------
        LogUnavailable
            The log failed a moment ago.
        """
        if self._clock.monotonic() < self._closed_at:
            raise LogUnavailable(
                "the event log does not answer; nothing of this request was taken, send it again",
                self._pause,
            )
