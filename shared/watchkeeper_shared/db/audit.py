"""The append-only record of every act, written in the transaction of the act itself.

`entry` is canonical: JSON with sorted keys, no spaces, instants in UTC with microseconds.
These bytes are what a Merkle leaf hashes, so the form must never change for rows that are
there. The numbers have no gaps and start at 1; the leaf of entry `i` has index `i - 1`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from watchkeeper_shared.db.tables import audit

# Any constant of our own: PostgreSQL's advisory locks are numbers.
_WRITER_LOCK = 0x57_4B_41_55


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act as recorded; `entry` is the canonical text, the rest is read from it."""

    index: int
    at: datetime
    actor: str
    act: str
    subject: str
    reason: str
    entry: str

    @property
    def body(self) -> dict[str, Any]:
        """What the act changed."""
        body: dict[str, Any] = json.loads(self.entry)["body"]
        return body


def record(  # noqa: PLR0913 - who, what, on what, why, when: an act has no fewer parts
    c: sa.Connection,
    *,
    at: datetime,
    actor: str,
    act: str,
    subject: str,
    reason: str,
    body: Mapping[str, Any],
) -> int:
    """Append an act and return its index.

    Parameters
    ----------
    act, subject
        What was done (`ticket.close`) to what (`ticket/01J…`).
    body
        JSON values, and instants; no NaN.

    Raises
    ------
    ValueError, TypeError
        The body has a value that has no canonical JSON.
    """
    entry = canonical(
        {"at": at, "actor": actor, "act": act, "subject": subject, "reason": reason, "body": body}
    )
    if c.dialect.name == "postgresql":
        # Held until the commit: the next writer sees our index, so there are no gaps.
        c.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
    index = 1 + c.execute(sa.select(sa.func.coalesce(sa.func.max(audit.c.index), 0))).scalar_one()
    c.execute(
        sa.insert(audit).values(
            index=index, at=at, actor=actor, act=act, subject=subject, reason=reason, entry=entry
        )
    )
    return int(index)


def entries(
    c: sa.Connection,
    after: int = 0,
    limit: int = 100,
    subject: str | None = None,
    act: str | None = None,
) -> list[AuditEntry]:
    """Return up to `limit` entries with an index above `after`, in order."""
    query = sa.select(audit).where(audit.c.index > after).order_by(audit.c.index).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if act is not None:
        query = query.where(audit.c.act == act)
    return [AuditEntry(**row) for row in c.execute(query).mappings()]


def count(c: sa.Connection) -> int:
    """Return how many acts are recorded."""
    return int(c.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one())


def canonical(value: Mapping[str, Any]) -> str:
    """Return the one JSON text of a value.

    Examples
    --------
    >>> canonical({"b": 1, "a": datetime(2026, 1, 1, tzinfo=UTC)})
    '{"a":"2026-01-01T00:00:00.000000Z","b":1}'
    """
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_instant,
    )


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        msg = f"an audit entry holds JSON values and instants, got {type(value).__name__}"
        raise TypeError(msg)
    if value.tzinfo is None:
        msg = f"an instant needs a time zone, got {value.isoformat()}"
        raise ValueError(msg)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
