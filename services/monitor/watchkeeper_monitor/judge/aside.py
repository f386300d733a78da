"""Systems at which work fails: set aside for a while, so that the others get theirs."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

from watchkeeper_monitor.meters import Meters
from watchkeeper_shared.clock import Clock

logger = logging.getLogger(__name__)


class Aside:
    """The systems that one task leaves out, because it failed at what they hold.

    Parameters
    ----------
    task
        What failed, as `/metrics` names it.
    pause
        After this time a system is tried again.
    clock, meters
        What time it is, and what is told about it.
    """

    def __init__(self, task: str, pause: timedelta, clock: Clock, meters: Meters) -> None:
        self._task = task
        self._pause = pause.total_seconds()
        self._clock = clock
        self._meters = meters
        self._errors: dict[str, tuple[float, Exception]] = {}

    def holds(self, system: str) -> bool:
        """Return whether a system is left out now."""
        found = self._errors.get(system)
        return found is not None and self._clock.monotonic() < found[0] + self._pause

    def put(self, system: str, error: Exception) -> None:
        """Leave a system out from now on."""
        self._errors[system] = self._clock.monotonic(), error
        self._meters.aside.labels(system, self._task).set(1)
        told = {"system": system, "task": self._task, "again_in_seconds": self._pause}
        logger.error("system_set_aside", exc_info=error, extra=told)

    def back(self, systems: Collection[str]) -> None:
        """Take systems in again: the task did what it had to, or is another process's now."""
        for system in self._errors.keys() & set(systems):
            del self._errors[system]
            self._meters.aside.labels(system, self._task).set(0)

    def only(self, systems: Collection[str]) -> None:
        """Forget all others: what was taken back is not failing any more."""
        self.back(self._errors.keys() - set(systems))

    def raise_first(self) -> None:
        """Raise what set the first of the systems aside, if any is."""
        for _, error in self._errors.values():
            raise error
