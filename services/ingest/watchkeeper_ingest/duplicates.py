"""The same id twice in one request: passed on once, unless it says two different things.

Across requests the monitor remembers ids. Within one, a sender can still be told.
A prediction is said once: the same again is a duplicate, another one under the same id is a
fault of the sender. A label may be corrected: another one under the same id is passed on,
in order, and the newest holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.rows import Kind


@dataclass(frozen=True, slots=True)
class Distinct:
    """What remains of a batch, how many rows said the same again, and what contradicts."""

    batch: pa.RecordBatch
    duplicates: int = 0
    rejects: tuple[Reject, ...] = ()


def distinct(batch: pa.RecordBatch, kind: Kind) -> Distinct:
    """Keep one of the rows that say the same under one id.

    Parameters
    ----------
    batch
        Checked rows of one system.

    Returns
    -------
    Distinct
        Rejects carry the row's index in `batch`.
    """
    ids = batch.column("id")
    if batch.num_rows < 2 or pc.count_distinct(ids).as_py() == batch.num_rows:  # noqa: PLR2004
        return Distinct(batch)
    coded = ids.dictionary_encode().indices
    counts = pc.value_counts(coded)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    suspects = pc.indices_nonzero(pc.is_in(coded, value_set=often)).to_pylist()
    seen: dict[str, list[dict[str, object]]] = {}
    dropped: set[int] = set()
    rejects: list[Reject] = []
    for index, row in zip(suspects, batch.take(pa.array(suspects)).to_pylist(), strict=True):
        said = seen.setdefault(row["id"], [])
        if row in said:
            dropped.add(index)
        elif said and kind is Kind.PREDICTIONS:
            rejects.append(_conflict(index, row["id"]))
        else:
            said.append(row)
    gone = dropped | {one.index for one in rejects}
    keep = pa.array([index not in gone for index in range(batch.num_rows)], pa.bool_())
    return Distinct(batch.filter(keep), len(dropped), tuple(rejects))


def _conflict(index: int, event_id: str) -> Reject:
    detail = (
        f"id {event_id!r} stands for another prediction earlier in this request; "
        "give each prediction an id of its own"
    )
    return Reject(index, RejectCode.CONFLICTING_ID, detail)
