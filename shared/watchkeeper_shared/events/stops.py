"""Topics that are not read for now, because too much of them is poison."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.tolerance import Limits, Tolerance

logger = logging.getLogger(__name__)

# A sender who publishes before its system is applied, or after it was withdrawn, breaks nothing
# of the others; its records are replayed once it is in force.
_NO_FAULT = frozenset({RejectCode.UNKNOWN_SYSTEM.value, RejectCode.WITHDRAWN_SYSTEM.value})


class Stops:
    """Decides per topic whether reading goes on. One thread.

    Parameters
    ----------
    limits, pause
        From when on poison is too much, and after what time one record is tried.
    clock
        For the pause.
    show
        Told of a topic whether it is stopped, whenever that changes.
    """

    def __init__(
        self, limits: Limits, pause: timedelta, clock: Clock, show: Callable[[str, bool], None]
    ) -> None:
        self._limits = limits
        self._pause = pause.total_seconds()
        self._clock = clock
        self._show = show
        self._tolerances: dict[str, Tolerance] = {}
        self._stopped: dict[str, tuple[str, float]] = {}

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each topic that is not read is not."""
        return {topic: reason for topic, (reason, _) in self._stopped.items()}

    def __contains__(self, topic: object) -> bool:
        """Return whether a topic is not read now."""
        return topic in self._stopped

    def note(self, topic: str, code: str | None) -> bool:
        """Note what became of a record (None: it is good); return whether to stop after it."""
        if code in _NO_FAULT:
            return False
        tolerance = self._tolerances.setdefault(topic, Tolerance(self._limits))
        reason = tolerance.exceeded(dead=code is not None)
        if not reason:
            return False
        self._stopped[topic] = (f"{reason}, the last as {code}", self._clock.monotonic())
        self._show(topic, True)
        logger.error("topic_stopped", extra={"topic": topic, "reason": self.reasons[topic]})
        return True

    def due(self) -> list[str]:
        """Return the topics of which a record is tried now; they count as read again."""
        now = self._clock.monotonic()
        found = [topic for topic, (_, at) in self._stopped.items() if now - at >= self._pause]
        for topic in found:
            del self._stopped[topic]
            self._tolerances[topic].probe()
            self._show(topic, False)
            logger.warning("topic_tried", extra={"topic": topic})
        return found
