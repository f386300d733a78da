"""Knowing that what was declared has been read since a given moment.

Whoever applies a system and publishes at once must not be told that the system is unknown,
only because the read model is a second old. So a request that names something unknown
waits for the next reading, and is decided on again.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class Freshness:
    """Refreshes the registry and tells who waits for it. Safe to use from several threads.

    Parameters
    ----------
    registry, clock
        What is kept fresh, and when that was.
    max_age
        The registry's own: within it a refresh may do nothing, because another part of the
        process asked for one.
    """

    def __init__(self, registry: Registry, clock: Clock, max_age: timedelta) -> None:
        self._registry = registry
        self._clock = clock
        self._max_age = max_age.total_seconds()
        self._waiting: list[tuple[float, Future[None]]] = []
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read what was declared, if it changed, and let those go on who waited for it."""
        began = self._clock.monotonic()
        try:
            self._registry.refresh()
        except StoreUnavailable as error:
            # Requests get 503 until the first reading; the probe says why.
            logger.warning("registry_unread", extra={"reason": str(error)})
            return
        if not self._registry.is_stale:
            self._release(began - self._max_age)

    def past(self, moment: float) -> Future[None]:
        """Return a future that settles once a reading has begun after `moment` (monotonic)."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.append((moment, future))
        return future

    def _release(self, moment: float) -> None:
        with self._lock:
            done = [future for since, future in self._waiting if since <= moment]
            self._waiting = [one for one in self._waiting if one[0] > moment]
        for future in done:
            future.set_result(None)
