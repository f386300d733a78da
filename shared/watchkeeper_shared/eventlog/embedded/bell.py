"""How an append in this process wakes the readers of this process at once."""

from __future__ import annotations

from threading import Condition


class Bell:
    """A counter that readers wait on; ringing is never missed.

    Examples
    --------
    >>> bell = Bell()
    >>> seen = bell.rings
    >>> bell.ring()
    >>> bell.wait(seen, 1.0)
    True
    >>> bell.wait(bell.rings, 0.0)
    False
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it rang."""
        with self._condition:
            return self._rings

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> bool:
        """Wait until it rang more often than `seen`; tell whether it did."""
        with self._condition:
            return self._condition.wait_for(lambda: self._rings != seen, seconds)
