"""Labels wait here until their prediction is known; a newer one corrects an older one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from watchkeeper_monitor.store.many import among, chunks, write
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows import Span
from watchkeeper_shared.db.tables import labels, predictions
from watchkeeper_shared.db.types import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Joined:
    """A label whose prediction is known.

    Parameters
    ----------
    applied
        The label that is in the profile now, if there is one.
    """

    id_hash: int
    label: str
    applied: str | None
    prediction: str
    score: float | None
    groups: bytes


_ADD = (
    "INSERT INTO labels (system, id_hash, label, time, received_at, waiting)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (system, id_hash) DO UPDATE SET label = excluded.label, time = excluded.time,"
    " received_at = excluded.received_at,"
    " waiting = (labels.applied IS NULL OR labels.applied <> excluded.label)"
    # The same again, but known later, moves the time: what lies between corrects nothing.
    " WHERE excluded.time > labels.time"
    " OR (excluded.time = labels.time AND excluded.label <> labels.label)"
)
_APPLY = "UPDATE labels SET applied = ?, waiting = (label <> ?) WHERE system = ? AND id_hash = ?"


def add(
    c: sa.Connection,
    system: str,
    hashes: Sequence[int],
    texts: Sequence[str],
    times: Sequence[int],
    now: datetime,
) -> None:
    """Store labels; of two for one id the newer counts, at equal times the later arrival.

    Parameters
    ----------
    times
        When each became known, in microseconds since 1970.
    """
    received = to_micros(now)
    rows = zip(hashes, texts, times, strict=True)
    # In one order everywhere, so that two writers never deadlock.
    write(c, _ADD, [(system, *row, received, True) for row in sorted(rows)])


def joined(c: sa.Connection, system: str, limit: int) -> dict[PaneKey, list[Joined]]:
    """Return waiting labels whose prediction is in the index, by the pane of that."""
    known = predictions.c
    rows = c.execute(
        sa.select(
            known.version,
            known.reference,
            sa.type_coerce(known.pane_start, sa.BigInteger),
            sa.type_coerce(known.pane_end, sa.BigInteger),
            known.id_hash,
            labels.c.label,
            labels.c.applied,
            known.prediction,
            known.score,
            known.groups,
        )
        .join_from(
            labels,
            predictions,
            sa.and_(known.system == labels.c.system, known.id_hash == labels.c.id_hash),
        )
        .where(labels.c.system == system, labels.c.waiting)
        .limit(limit)
    )
    found: defaultdict[tuple[str, str, int, int], list[Joined]] = defaultdict(list)
    for version, reference, start, end, *rest in rows:
        found[version, reference, start, end].append(Joined(*rest))
    return {_key(system, *place): labelled for place, labelled in found.items()}


def _key(system: str, version: str, reference: str, start: int, end: int) -> PaneKey:
    return PaneKey(system, version, reference, Span(from_micros(start), from_micros(end)))


def applied(c: sa.Connection, system: str, done: Iterable[Joined]) -> None:
    """Note that these labels are in the profiles, unless a newer one came meanwhile."""
    rows = [(one.label, one.label, system, one.id_hash) for one in done]
    write(c, _APPLY, sorted(rows, key=itemgetter(3)))


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
