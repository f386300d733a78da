"""Reference artifacts: opaque bytes under their hash (table `references`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import references


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A reference without its bytes."""

    id: str
    system: str
    version: str
    current: bool
    rows: int
    author: str
    applied_at: datetime


_FIELDS = tuple(column for column in references.c if column.name != "artifact")


def find(c: sa.Connection, reference: str) -> StoredReference | None:
    """Return one reference, in force or not."""
    row = c.execute(sa.select(*_FIELDS).where(references.c.id == reference)).one_or_none()
    return None if row is None else _stored(row)


def listing(c: sa.Connection, system: str | None = None) -> list[StoredReference]:
    """Return the references of one system or of all, newest first; earlier ones are kept."""
    query = sa.select(*_FIELDS).order_by(references.c.applied_at.desc(), references.c.id)
    if system is not None:
        query = query.where(references.c.system == system)
    return [_stored(row) for row in c.execute(query)]


def retire(c: sa.Connection, system: str, version: str) -> None:
    """Take the reference of a version out of force; its row stays."""
    same = sa.and_(references.c.system == system, references.c.version == version)
    c.execute(references.update().where(same, references.c.current).values(current=False))


def revive(c: sa.Connection, stored: StoredReference) -> None:
    """Put a reference in force again whose bytes are here already.

    The instant moves too: readers notice a change by the newest one.
    """
    c.execute(
        references.update()
        .where(references.c.id == stored.id)
        .values(current=True, author=stored.author, applied_at=stored.applied_at)
    )


def add(c: sa.Connection, stored: StoredReference, artifact: bytes) -> None:
    """Store a reference with its bytes."""
    c.execute(
        references.insert().values(
            id=stored.id,
            system=stored.system,
            version=stored.version,
            current=stored.current,
            rows=stored.rows,
            artifact=artifact,
            author=stored.author,
            applied_at=stored.applied_at,
        )
    )


def _stored(row: sa.Row[Any]) -> StoredReference:
    return StoredReference(
        row.id, row.system, row.version, row.current, row.rows, row.author, row.applied_at
    )
