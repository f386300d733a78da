"""Bytes to columns: what a record or a request body holds, whatever its encoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.batches import from_rows
from watchkeeper_shared.events.documents import BROKEN, items_of, read_document
from watchkeeper_shared.events.faults import read_item
from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.rows import Kind, Row
from watchkeeper_shared.events.streams import read_stream

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
NDJSON = "application/x-ndjson"
CONTENT_TYPES = (ARROW, JSON, NDJSON)
"""The encodings of a batch."""

MAX_ROWS = 200_000
"""The most rows of one batch, whatever its encoding."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What could be read, and what could not.

    Parameters
    ----------
    batch
        The readable rows.
    positions
        The place of each of them in what was sent, from 0.
    rejects
        The unreadable ones.
    """

    batch: pa.RecordBatch
    positions: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...] = ()


def media_type(content_type: str) -> str:
    """Return the content type without its parameters, in lower case.

    Examples
    --------
    >>> media_type("Application/JSON; charset=utf-8")
    'application/json'
    """
    return content_type.partition(";")[0].strip().lower()


def decode(value: bytes, content_type: str, kind: Kind = Kind.PREDICTIONS) -> pa.RecordBatch:
    """Read a whole batch, or none of it.

    Parameters
    ----------
    value, content_type
        The bytes, and one of `CONTENT_TYPES`.
    kind
        Whether they are predictions or labels.

    Returns
    -------
    pa.RecordBatch
        One row per event in canonical types. Columns that no row fills are left out.

    Raises
    ------
    MalformedRecord
        Anything is broken, truncated or of a wrong type; nothing else is ever raised.
    """
    decoded = decode_items(value, content_type, kind)
    if decoded.rejects:
        first = decoded.rejects[0]
        raise MalformedRecord(first.code, f"row {first.index}: {first.detail}")
    return decoded.batch


def decode_items(
    value: bytes,
    content_type: str,
    kind: Kind = Kind.PREDICTIONS,
    max_rows: int = MAX_ROWS,
) -> Decoded:
    """Read what can be read of a batch, and say what is wrong with each of the other items.

    The whole is read fast; only when that fails, and only for JSON, item by item.

    Parameters
    ----------
    value, content_type, kind
        As for `decode`.
    max_rows
        More rows than this are refused as a whole.

    Raises
    ------
    MalformedRecord
        The batch as a whole cannot be read.
    """
    media = media_type(content_type)
    if media == ARROW:
        return _whole(read_stream(value, kind), max_rows)
    if media not in CONTENT_TYPES:
        detail = f"content type {content_type!r} is not known; send {', '.join(CONTENT_TYPES)}"
        raise MalformedRecord(RejectCode.UNSUPPORTED, detail)
    try:
        return _whole(read_document(value, kind, lines=media == NDJSON), max_rows)
    except BROKEN:
        return _item_by_item(items_of(value, lines=media == NDJSON), kind, max_rows)


def _whole(batch: pa.RecordBatch, max_rows: int) -> Decoded:
    if batch.num_rows > max_rows:
        raise _too_many(max_rows)
    return Decoded(batch, np.arange(batch.num_rows, dtype=np.int64))


def _too_many(max_rows: int) -> MalformedRecord:
    return MalformedRecord(
        RejectCode.TOO_LONG, f"there are more than {max_rows} rows; send smaller batches"
    )


def _item_by_item(items: Iterator[object], kind: Kind, max_rows: int) -> Decoded:
    rows: list[Row] = []
    positions: list[int] = []
    rejects: list[Reject] = []
    for index, item in enumerate(items):
        if index >= max_rows:
            raise _too_many(max_rows)
        try:
            if isinstance(item, MalformedRecord):
                raise item
            rows.append(read_item(item, kind))
            positions.append(index)
        except MalformedRecord as error:
            rejects.append(Reject(index, RejectCode(error.code), error.detail))
    return Decoded(from_rows(rows, kind), np.array(positions, dtype=np.int64), tuple(rejects))
