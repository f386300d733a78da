"""API keys as stored: never the token (table `api_keys`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.tables import api_keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key without its secret."""

    id: str
    name: str
    role: Role
    systems: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def add(c: sa.Connection, stored: StoredKey, secret_hash: str) -> None:
    """Store a new key."""
    c.execute(
        api_keys.insert().values(
            id=stored.id,
            name=stored.name,
            role=str(stored.role),
            systems=list(stored.systems),
            secret_hash=secret_hash,
            created_at=stored.created_at,
            expires_at=stored.expires_at,
            revoked_at=stored.revoked_at,
        )
    )


def find(c: sa.Connection, key: str) -> StoredKey | None:
    """Return one key."""
    row = c.execute(sa.select(api_keys).where(api_keys.c.id == key)).one_or_none()
    return None if row is None else _stored(row)


def listing(c: sa.Connection) -> list[StoredKey]:
    """Return every key, the revoked ones too, oldest first."""
    query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
    return [_stored(row) for row in c.execute(query)]


def revoke(c: sa.Connection, key: str, now: datetime) -> None:
    """Note that a key is no longer good."""
    c.execute(api_keys.update().where(api_keys.c.id == key).values(revoked_at=now))


def _stored(row: sa.Row[Any]) -> StoredKey:
    return StoredKey(
        row.id,
        row.name,
        Role(row.role),
        tuple(row.systems),
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )
