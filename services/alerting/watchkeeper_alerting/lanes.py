"""Each channel has a lane of its own: a receiver that hangs or fails holds up nobody else.

A lane holds one attempt at a time, and after a failure it rests. Without that, one receiver
that takes the connection and never answers would hold every thread that delivers, and the
person on call at another one would learn nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from watchkeeper_shared.clock import Clock

_FIRST_REST = 2.0  # seconds; shorter than the shortest wait of a delivery (`retrying`)
_LONGEST_REST = 60.0
_MOST_DOUBLINGS = 16  # far past the longest rest; keeps the arithmetic small


@dataclass(slots=True)
class _Lane:
    is_busy: bool = False
    failures: int = 0  # in a row
    rests_until: float = 0.0


class Lanes:
    """Which channels may be tried now; shared by all threads of a process that deliver.

    Parameters
    ----------
    clock
        Its monotonic seconds measure the rests.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def closed(self) -> frozenset[str]:
        """Return the channels that are being tried, or rest after a failure."""
        now = self._clock.monotonic()
        with self._lock:
            return frozenset(name for name, one in self._lanes.items() if _is_closed(one, now))

    def failures(self, channel: str) -> int:
        """Return how often in a row the channel failed."""
        with self._lock:
            lane = self._lanes.get(channel)
            return 0 if lane is None else lane.failures

    @contextmanager
    def entered(self, channel: str) -> Iterator[bool]:
        """Yield whether the lane was open and is ours now; nobody else gets it meanwhile."""
        now = self._clock.monotonic()
        with self._lock:
            lane = self._lanes.setdefault(channel, _Lane())
            is_ours = not _is_closed(lane, now)
            lane.is_busy = lane.is_busy or is_ours
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    lane.is_busy = False

    def failed(self, channel: str) -> None:
        """Let a channel that was entered rest: it takes no notice now. Longer each time."""
        now = self._clock.monotonic()
        with self._lock:
            lane = self._lanes[channel]
            lane.failures += 1
            lane.rests_until = now + rest(lane.failures)

    def answered(self, channel: str) -> None:
        """Forget the failures of a channel that was entered, and took or refused its notice."""
        with self._lock:
            self._lanes[channel].failures = 0


def rest(failures: int) -> float:
    """Return for how many seconds a channel rests after so many failures in a row.

    Examples
    --------
    >>> rest(1), rest(3), rest(30)
    (2.0, 8.0, 60.0)
    """
    return min(_FIRST_REST * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), _LONGEST_REST)


def _is_closed(lane: _Lane, now: float) -> bool:
    return lane.is_busy or now < lane.rests_until
