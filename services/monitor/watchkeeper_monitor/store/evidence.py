"""What was frozen when a breach opened, and the report that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.tables import evidence
from watchkeeper_shared.db.upsert import insert


class EvidenceState(StrEnum):
    """Where a report is."""

    PENDING = "pending"
    READY = "ready"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Frozen:
    """The rows that were frozen.

    Parameters
    ----------
    window
        The time that was judged: one window, or all that showed the breach together.
    reference
        Id of the reference, or the key of a bare grid.
    sample
        Arrow IPC; `sample_hash` is its SHA-256.
    sample_rows, window_rows
        "k of n rows".
    """

    id: str
    system: str
    version: str
    window: Span
    revision: int
    reference: str
    sample: bytes
    sample_hash: str
    sample_rows: int
    window_rows: int
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report: its JSON, the SHA-256 of that, and a page (gzip)."""

    json: str
    hash: str
    html: bytes


def put(c: sa.Connection, one: Frozen, state: EvidenceState, reason: str, now: datetime) -> None:
    """Store what was frozen; a second breach of the same window shares it."""
    fresh = insert(c, evidence).values(
        id=one.id,
        system=one.system,
        version=one.version,
        window_start=one.window.start,
        window_end=one.window.end,
        revision=one.revision,
        reference=one.reference,
        sample=one.sample,
        sample_hash=one.sample_hash,
        sample_rows=one.sample_rows,
        window_rows=one.window_rows,
        state=state.value,
        reason=reason,
        frozen_at=now,
        attempts=0,
    )
    c.execute(fresh.on_conflict_do_nothing(index_elements=[evidence.c.id]))


def exists(c: sa.Connection, the_id: str) -> bool:
    """Return whether this evidence was frozen before."""
    return c.execute(sa.select(evidence.c.id).where(evidence.c.id == the_id)).first() is not None


def next_pending(c: sa.Connection) -> Frozen | None:
    """Return what has waited longest for its report."""
    query = (
        sa.select(evidence)
        .where(evidence.c.state == EvidenceState.PENDING.value)
        .order_by(evidence.c.frozen_at, evidence.c.id)
        .limit(1)
    )
    row = c.execute(query).one_or_none()
    return None if row is None else _frozen(row)


def _frozen(row: sa.Row[Any]) -> Frozen:
    return Frozen(
        id=row.id,
        system=row.system,
        version=row.version,
        window=Span(row.window_start, row.window_end),
        revision=row.revision,
        reference=row.reference,
        sample=row.sample,
        sample_hash=row.sample_hash,
        sample_rows=row.sample_rows,
        window_rows=row.window_rows,
        attempts=row.attempts,
    )


def attempt(c: sa.Connection, the_id: str, change: int = 1) -> None:
    """Count a try before it is made, so that a crash counts too; or take it back."""
    counted = evidence.c.attempts + change
    c.execute(sa.update(evidence).where(evidence.c.id == the_id).values(attempts=counted))


def finish(
    c: sa.Connection, the_id: str, report: Report | None, reason: str, now: datetime
) -> None:
    """Store the report, or why there is none."""
    state = EvidenceState.MISSING if report is None else EvidenceState.READY
    values: dict[str, object] = {"state": state.value, "reason": reason, "finished_at": now}
    if report is not None:
        values |= {
            "report_json": report.json,
            "report_hash": report.hash,
            "report_html": report.html,
        }
    c.execute(sa.update(evidence).where(evidence.c.id == the_id).values(values))
