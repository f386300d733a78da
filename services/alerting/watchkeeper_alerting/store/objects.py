"""Applied objects and their revisions (table `objects`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import objects
from watchkeeper_shared.db.withdrawals import said


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One revision of an applied object.

    `withdrawn` is why `author` took it out of force with this revision; None: it is in force.
    """

    kind: str
    name: str
    revision: int
    hash: str
    spec: dict[str, Any]
    author: str
    applied_at: datetime
    withdrawn: str | None = None

    @property
    def why(self) -> str:
        """Who withdrew it, when and why, for messages; empty while it is in force."""
        if self.withdrawn is None:
            return ""
        return said(self.author, self.applied_at, self.withdrawn)


def current(c: sa.Connection, kind: str, name: str) -> StoredObject | None:
    """Return the newest revision, withdrawn or not, or None when there was never one."""
    row = c.execute(_newest(kind).where(objects.c.name == name)).one_or_none()
    return None if row is None else _stored(row)


def listing(c: sa.Connection, kind: str) -> list[StoredObject]:
    """Return the newest revisions of one kind, withdrawn or not, by name."""
    return [_stored(row) for row in c.execute(_newest(kind).order_by(objects.c.name))]


def in_force(c: sa.Connection, kind: str) -> list[StoredObject]:
    """Return what is in force of one kind, by name."""
    return [one for one in listing(c, kind) if one.withdrawn is None]


def add(c: sa.Connection, stored: StoredObject) -> None:
    """Add a new revision; the one before is kept and no longer current."""
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
            withdrawn=stored.withdrawn,
        )
    )


def _newest(kind: str) -> sa.Select[Any]:
    return sa.select(objects).where(objects.c.kind == kind, objects.c.current)


def _stored(row: sa.Row[Any]) -> StoredObject:
    return StoredObject(**{name: getattr(row, name) for name in StoredObject.__slots__})
