"""Logins to the console: an API key goes in once, an opaque cookie comes back.

The key stays in this process's memory, so no cookie is worth stealing after a restart, and
a revoked key ends its sessions. Replicas do not share sessions: route people to one by
cookie, or let them log in again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.clock import Clock

COOKIE = "watchkeeper_session"
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Session:
    token: str
    ends_at: float  # on the monotonic clock


class Sessions:
    """Sessions of this process. Safe to use from several threads.

    Parameters
    ----------
    clock
        For their end.
    length
        How long a login lasts.
    new_id
        Makes ids that nobody can guess.
    """

    def __init__(
        self,
        clock: Clock,
        length: timedelta,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._clock = clock
        self.length = length
        self._new_id = new_id
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def open(self, token: str) -> str:
        """Begin a session of a key that was checked; return the cookie's value."""
        now = self._clock.monotonic()
        identity = self._new_id()
        with self._lock:
            self._sessions = {
                name: one for name, one in self._sessions.items() if now < one.ends_at
            }
            while len(self._sessions) >= _MOST:
                self._sessions.pop(next(iter(self._sessions)))  # the oldest
            self._sessions[identity] = _Session(token, now + self.length.total_seconds())
        return identity

    def token(self, identity: str) -> str | None:
        """Return the key of a session, or None when it is over or never was."""
        found = self._sessions.get(identity)
        if found is None or self._clock.monotonic() >= found.ends_at:
            return None
        return found.token

    def close(self, identity: str) -> None:
        """End a session. Idempotent."""
        with self._lock:
            self._sessions.pop(identity, None)
