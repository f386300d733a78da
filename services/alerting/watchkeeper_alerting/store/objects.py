"""Applied objects and their revisions (table `objects`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import objects


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One revision of an applied object."""

    kind: str
    name: str
    revision: int
    hash: str
    spec: dict[str, Any]
    author: str
    applied_at: datetime


def current(c: sa.Connection, kind: str, name: str) -> StoredObject | None:
    """Return the revision in force, or None when there was never one."""
    row = c.execute(_in_force(kind).where(objects.c.name == name)).one_or_none()
    return None if row is None else _stored(row)


def listing(c: sa.Connection, kind: str) -> list[StoredObject]:
    """Return what is in force of one kind, by name."""
    return [_stored(row) for row in c.execute(_in_force(kind).order_by(objects.c.name))]


def add(c: sa.Connection, stored: StoredObject) -> None:
    """Put a new revision in force; the one before is kept and no longer current."""
    same = sa.and_(objects.c.kind == stored.kind, objects.c.name == stored.name)
    c.execute(objects.update().where(same, objects.c.current).values(current=False))
    c.execute(
        objects.insert().values(
            kind=stored.kind,
            name=stored.name,
            revision=stored.revision,
            current=True,
            hash=stored.hash,
            spec=stored.spec,
            author=stored.author,
            applied_at=stored.applied_at,
        )
    )


def _in_force(kind: str) -> sa.Select[Any]:
    return sa.select(objects).where(objects.c.kind == kind, objects.c.current)


def _stored(row: sa.Row[Any]) -> StoredObject:
    return StoredObject(
        row.kind, row.name, row.revision, row.hash, row.spec, row.author, row.applied_at
    )
