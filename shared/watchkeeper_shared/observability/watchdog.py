"""Ends a process that no longer makes progress, with what every thread was doing.

Liveness asks whether the loop turns, and only a platform that probes acts on it. This asks
more: is anything stored while records wait? An outage that was noticed is progress of a
kind: a restart would not end it. What is left is a hang, which only an end of the process
ends: another one reads on from the stored positions. A process that was suspended (SIGSTOP,
a paused container) made no progress either and is no hang: it gets its time again.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta

from watchkeeper_shared.clock import Clock

STALLED = 70
"""The exit code: EX_SOFTWARE of sysexits.h."""

_LOOK_SECONDS = 1.0

_SUSPENDED_SECONDS = 5 * _LOOK_SECONDS
"""Who looks once a second and did not for so long did not run; nor did the loop."""

logger = logging.getLogger(__name__)


def end(code: int) -> None:
    """End the process at once: a thread that hangs cannot be asked to stop."""
    logging.shutdown()
    os._exit(code)


class Watchdog:
    """Watches one loop. `progressed` is called by the loop, the rest by a thread of its own.

    Parameters
    ----------
    clock, timeout
        How long the loop may go without progress.
    ending
        What ends the process.
    """

    def __init__(
        self, clock: Clock, timeout: timedelta, ending: Callable[[int], None] = end
    ) -> None:
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._end = ending
        self._progressed_at = self._looked_at = clock.monotonic()

    def progressed(self) -> None:
        """Note that something was stored, that nothing waits, or that an outage is known."""
        self._progressed_at = self._clock.monotonic()

    def look(self) -> None:
        """End the process if it has been too long, and the process ran all the while."""
        now = self._clock.monotonic()
        gap, self._looked_at = now - self._looked_at, now
        if gap >= _SUSPENDED_SECONDS:
            logger.warning("resumed", extra={"seconds": round(gap)})
            self.progressed()
        age = now - self._progressed_at
        if age < self._timeout:
            return
        logger.critical("stalled", extra={"seconds": round(age), "stacks": stacks()})
        self._end(STALLED)

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Look once a second until `stop` is set; what was before does not count."""
        self._progressed_at = self._looked_at = self._clock.monotonic()
        while not stop.wait(_LOOK_SECONDS):
            beat()
            self.look()


def stacks() -> dict[str, list[str]]:
    """Return what every thread is doing, by its name, innermost last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        names.get(ident, str(ident)): traceback.format_stack(frame)
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - no other way exists
    }
