"""Labels wait here until their prediction is known; a newer one corrects an older one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.store.many import among, chunks
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows import Span
from watchkeeper_shared.db.tables import labels, predictions
from watchkeeper_shared.db.upsert import insert


@dataclass(frozen=True, slots=True)
class Joined:
    """A label whose prediction is known.

    Parameters
    ----------
    applied
        The label that is in the profile now, if there is one.
    """

    id_hash: int
    key: PaneKey
    label: str
    applied: str | None
    prediction: str
    score: float | None
    groups: bytes


def add(
    c: sa.Connection,
    system: str,
    hashes: Sequence[int],
    texts: Sequence[str],
    times: Sequence[datetime],
    now: datetime,
) -> None:
    """Store labels; of two for one id the newer counts, at equal times the later arrival."""
    rows = [
        {
            "system": system,
            "id_hash": id_hash,
            "label": text,
            "time": time,
            "received_at": now,
            "waiting": True,
        }
        for id_hash, text, time in zip(hashes, texts, times, strict=True)
    ]
    fresh = insert(c, labels)
    new = fresh.excluded
    correction = fresh.on_conflict_do_update(
        index_elements=[labels.c.system, labels.c.id_hash],
        set_={
            "label": new.label,
            "time": new.time,
            "received_at": new.received_at,
            "waiting": sa.or_(labels.c.applied.is_(None), labels.c.applied != new.label),
        },
        where=sa.and_(new.time >= labels.c.time, new.label != labels.c.label),
    )
    # In one order everywhere, so that two writers never deadlock.
    c.execute(correction, sorted(rows, key=lambda row: row["id_hash"]))  # type: ignore[arg-type, return-value]


def joined(c: sa.Connection, system: str, limit: int) -> list[Joined]:
    """Return waiting labels whose prediction is in the index, oldest arrivals first."""
    rows = c.execute(
        sa.select(labels.c.label, labels.c.applied, predictions)
        .join_from(
            labels,
            predictions,
            sa.and_(
                predictions.c.system == labels.c.system,
                predictions.c.id_hash == labels.c.id_hash,
            ),
        )
        .where(labels.c.system == system, labels.c.waiting)
        .limit(limit)
    )
    return [_joined(row) for row in rows]


def _joined(row: sa.Row[Any]) -> Joined:
    pane = Span(row.pane_start, row.pane_end)
    return Joined(
        id_hash=row.id_hash,
        key=PaneKey(row.system, row.version, row.reference, pane),
        label=row.label,
        applied=row.applied,
        prediction=row.prediction,
        score=row.score,
        groups=row.groups,
    )


def applied(c: sa.Connection, system: str, done: Sequence[Joined]) -> None:
    """Note that these labels are in the profiles, unless a newer one came meanwhile."""
    query = (
        sa.update(labels)
        .where(
            labels.c.system == system,
            labels.c.id_hash == sa.bindparam("the_id"),
        )
        .values(
            applied=sa.bindparam("the_label"),
            waiting=labels.c.label != sa.bindparam("the_label"),
        )
    )
    rows = [{"the_id": one.id_hash, "the_label": one.label} for one in done]
    c.execute(query, sorted(rows, key=lambda row: row["the_id"]))  # type: ignore[arg-type, return-value]


def waiting(c: sa.Connection, system: str) -> int:
    """Return how many labels wait for their prediction."""
    query = sa.select(sa.func.count()).where(labels.c.system == system, labels.c.waiting)
    return int(c.execute(query).scalar_one())


def has_older(c: sa.Connection, system: str, before: datetime) -> bool:
    """Return whether a label has waited for its prediction since before an instant."""
    query = sa.select(labels.c.id_hash).where(
        labels.c.system == system,
        labels.c.waiting,
        labels.c.received_at < before,
        labels.c.applied.is_(None),
    )
    return c.execute(query.limit(1)).first() is not None


def give_up(c: sa.Connection, system: str, before: datetime) -> int:
    """Drop labels that came before an instant and whose prediction never did; return how many."""
    gone = c.execute(
        sa.delete(labels).where(
            labels.c.system == system,
            labels.c.waiting,
            labels.c.received_at < before,
            labels.c.applied.is_(None),
        )
    )
    return gone.rowcount


def of_rows(c: sa.Connection, system: str, hashes: NDArray[np.int64]) -> dict[int, str]:
    """Return the newest label of each id that has one."""
    found: dict[int, str] = {}
    for chunk in chunks(hashes.tolist()):
        rows = c.execute(
            sa.select(labels.c.id_hash, labels.c.label).where(
                labels.c.system == system, among(c, labels.c.id_hash, chunk)
            )
        )
        found.update((row.id_hash, row.label) for row in rows)
    return found
