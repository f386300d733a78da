"""API keys: who calls, and what they may do.

A token is `watchkeeper_<id>_<secret>`. Only the SHA-256 of the secret is stored: the
secret has 256 random bits, so a slow hash would add nothing but load. Keys are written by
alerting; every service reads them here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.tables import api_keys
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import StoreUnavailable

_PREFIX = "watchkeeper"
_NO_HASH = "0" * 64


class Role(StrEnum):
    """What a key is for."""

    PUBLISHER = "publisher"
    VIEWER = "viewer"
    ONCALL = "oncall"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose key was checked."""

    id: str
    name: str
    role: Role
    systems: frozenset[str]

    def may_publish(self, system: str) -> bool:
        """Whether predictions and labels of `system` are taken from this caller."""
        if self.role not in (Role.PUBLISHER, Role.ADMIN):
            return False
        return "*" in self.systems or system in self.systems


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key: the token is shown once, the id and the hash are stored."""

    id: str
    token: str
    secret_hash: str


def mint(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Minted:
    """Make a new key."""
    key_id, secret = random_bytes(8).hex(), random_bytes(32).hex()
    return Minted(key_id, f"{_PREFIX}_{key_id}_{secret}", hash_of(secret))


def hash_of(secret: str) -> str:
    """Return what is stored in place of the secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _parts(token: str) -> tuple[str, str]:
    """Return the id and the secret of a token; no secret where the text is no token."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == _PREFIX and key_id and token.isascii() else ("", "")


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    secret_hash: str
    expires_at: datetime | None
    revoked_at: datetime | None
    read_at: float  # on the monotonic clock


class Keys:
    """The read model of keys, with a short memory.

    Parameters
    ----------
    database, clock
        Where keys are, and what time it is.
    max_age
        How long a revoked key may still work, and a key is not looked up again.
    grace
        How long a key that was seen is trusted while the database is away.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        max_age: timedelta = timedelta(seconds=5),
        grace: timedelta = timedelta(minutes=10),
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_age = max_age.total_seconds()
        self._grace = grace.total_seconds()
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def authenticate(self, token: str) -> Caller | None:
        """Return who the token belongs to, or None if it is not, or no longer, good.

        Raises
        ------
        StoreUnavailable
            The database is away and the key was not seen lately.
        """
        key_id, secret = _parts(token)
        return self._checked(self._find(key_id), secret) if secret else None

    def remembered(self, token: str) -> Caller | None:
        """Return who the token belongs to if that is known without asking the database."""
        key_id, secret = _parts(token)
        seen = self._known.get(key_id)
        if seen is None or self._age(seen) > self._max_age:
            return None
        return self._checked(seen, secret)

    def _checked(self, known: _Known | None, secret: str) -> Caller | None:
        stored = _NO_HASH if known is None else known.secret_hash
        matches = hmac.compare_digest(stored, hash_of(secret))
        return known.caller if known is not None and matches and self._is_good(known) else None

    def _age(self, known: _Known) -> float:
        return self._clock.monotonic() - known.read_at

    def _is_good(self, known: _Known) -> bool:
        now = self._clock.now()
        ends = [end for end in (known.expires_at, known.revoked_at) if end is not None]
        return all(now < end for end in ends)

    def _find(self, key_id: str) -> _Known | None:
        seen = self._known.get(key_id)
        age = float("inf") if seen is None else self._age(seen)
        if age <= self._max_age:
            return seen
        try:
            known = self._load(key_id)
        except StoreUnavailable:
            if age <= self._grace:
                return seen
            raise
        self._remember(key_id, known)
        return known

    def _load(self, key_id: str) -> _Known | None:
        read_at = self._clock.monotonic()
        with self._database.read() as c:
            row = c.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        if row is None:
            return None
        caller = Caller(row.id, row.name, Role(row.role), frozenset(row.systems))
        return _Known(caller, row.secret_hash, row.expires_at, row.revoked_at, read_at)

    def _remember(self, key_id: str, known: _Known | None) -> None:
        # Only keys that exist are remembered, so guessing ids does not fill the memory.
        with self._lock:
            if known is None:
                self._known.pop(key_id, None)
            else:
                self._known[key_id] = known
