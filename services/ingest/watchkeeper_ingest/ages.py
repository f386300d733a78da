"""Events of years that nobody watched: refused, because a clock that was never set sends them.

The other end, a time in the future, is refused by `events.validation` for everybody. How old
an event may be depends on how a system is operated, so only the door asks; what was written to
the log itself was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.refusals import Refusals, as_mask
from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.shapes import INSTANT

_TIMES = ("time", "prediction_time")


@dataclass(frozen=True, slots=True)
class Recent:
    """The rows that are young enough, and why the others are not, by their index."""

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...] = ()


def recent(batch: pa.RecordBatch, oldest: datetime) -> Recent:
    """Keep the rows whose every time is at `oldest` or later."""
    limit = pa.scalar(oldest, INSTANT)
    refusals = Refusals(batch.num_rows)
    for name in _TIMES:
        if name in batch.schema.names:
            column = batch.column(name)
            detail = _detail(name, column, oldest)
            refusals.add(as_mask(pc.less(column, limit)), RejectCode.TIME_TOO_OLD, detail)
    kept = refusals.kept
    return Recent(batch if kept is None else batch.filter(kept), refusals.rejects)


def _detail(name: str, column: pa.Array, oldest: datetime) -> Callable[[int], str]:
    return lambda row: (
        f"{name} {column[row].as_py().isoformat()} is before {oldest.isoformat()}, older than"
        " WATCHKEEPER_INGEST_MAX_AGE; send the time of the event"
    )
