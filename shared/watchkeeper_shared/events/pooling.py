"""Many small records read as one batch.

Columns pay off from some fifty rows on. Whoever writes one JSON event a record leaves the
reader with batches of one, each of which costs as much to check as a thousand rows. Read
together, they cost what their rows cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.batches import from_rows
from watchkeeper_shared.events.codec import JSON, NDJSON, media_type
from watchkeeper_shared.events.documents import BROKEN, read_rows
from watchkeeper_shared.events.rows import Kind, Row

MAX_POOLED_BYTES = 16 << 10
"""Larger values hold enough rows to be decoded alone."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """What could be read together.

    Parameters
    ----------
    batch
        The rows of the values that could be pooled, in order.
    owners
        For each row, the place of its value in what was given.
    apart
        The places of the values that must be decoded on their own: Arrow, columns, large
        ones, and any in which something does not hold.
    """

    batch: pa.RecordBatch
    owners: npt.NDArray[np.int64]
    apart: tuple[int, ...]


def pool(values: Sequence[tuple[bytes, str]], kind: Kind) -> Pooled:
    """Read the small row-JSON values among `values` as one batch.

    Parameters
    ----------
    values
        Bytes and content type of each record; records of one system, so that the batch can
        be checked as a whole.
    kind
        Whether they are predictions or labels.
    """
    rows: list[Row] = []
    owners: list[int] = []
    apart: list[int] = []
    for place, (value, content_type) in enumerate(values):
        found = _rows(value, content_type, kind)
        if found is None:
            apart.append(place)
        else:
            rows.extend(found)
            owners.extend([place] * len(found))
    try:
        batch = from_rows(rows, kind)
    except MalformedRecord:
        # Together they name too many fields for one table; each alone may still hold.
        return Pooled(from_rows([], kind), np.array([], np.int64), tuple(range(len(values))))
    return Pooled(batch, np.array(owners, dtype=np.int64), tuple(apart))


def _rows(value: bytes, content_type: str, kind: Kind) -> list[Row] | None:
    media = media_type(content_type)
    if media not in (JSON, NDJSON) or len(value) > MAX_POOLED_BYTES:
        return None
    try:
        return read_rows(value, kind, lines=media == NDJSON)
    except BROKEN:
        return None
