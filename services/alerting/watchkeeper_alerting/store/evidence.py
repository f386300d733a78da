"""The monitor's evidence, read only (table `evidence`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import evidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was frozen for a breach, and how its report is doing.

    Parameters
    ----------
    state
        `pending`, `ready` or `missing`.
    reason
        Why it is missing, in words; else what there is to say.
    sample_hash, report_hash
        SHA-256 of the frozen rows and of the report's JSON.
    """

    id: str
    state: str
    reason: str
    sample_hash: str
    sample_rows: int
    window_rows: int
    report_hash: str | None
    frozen_at: datetime
    finished_at: datetime | None


_COLUMNS = tuple(evidence.c[name] for name in Evidence.__slots__)


def find(c: sa.Connection, identity: str) -> Evidence | None:
    """Return the state of one piece of evidence, without its bytes."""
    row = c.execute(sa.select(*_COLUMNS).where(evidence.c.id == identity)).one_or_none()
    return None if row is None else Evidence(*row)


def report_json(c: sa.Connection, identity: str) -> str | None:
    """Return the report as the JSON text whose hash is `report_hash`."""
    query = sa.select(evidence.c.report_json).where(evidence.c.id == identity)
    found: str | None = c.execute(query).scalar_one_or_none()
    return found


def report_html(c: sa.Connection, identity: str) -> bytes | None:
    """Return the report as a page, compressed with gzip."""
    query = sa.select(evidence.c.report_html).where(evidence.c.id == identity)
    found: bytes | None = c.execute(query).scalar_one_or_none()
    return found
