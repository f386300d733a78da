"""A clock that goes where a test puts it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """Stands still until told; monotonic time advances with it, and never goes back.

    Parameters
    ----------
    start
        The first instant; aware.

    Examples
    --------
    >>> clock = ManualClock()
    >>> clock.advance(timedelta(minutes=5))
    >>> clock.now().isoformat(), clock.monotonic()
    ('2026-01-01T00:05:00+00:00', 300.0)
    """

    def __init__(self, start: datetime = _START) -> None:
        self._lock = threading.Lock()
        self._now = _aware(start)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the present instant."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return the seconds that went by since the start."""
        with self._lock:
            return self._monotonic

    def advance(self, step: timedelta) -> None:
        """Let time go by."""
        if step < timedelta(0):
            msg = f"time goes by forwards; use `set` to turn the clock back, got {step}"
            raise ValueError(msg)
        with self._lock:
            self._now += step
            self._monotonic += step.total_seconds()

    def set(self, instant: datetime) -> None:
        """Go to an instant. Backwards, as a corrected clock does, monotonic time stands."""
        with self._lock:
            step = (_aware(instant) - self._now).total_seconds()
            self._now = instant
            self._monotonic += max(step, 0.0)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        msg = f"an instant needs a time zone, got {instant.isoformat()}"
        raise ValueError(msg)
    return instant.astimezone(UTC)
