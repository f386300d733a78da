"""Many small JSON records made columns together: a table for one row costs as much as for fifty.

Rows are put together only where every field has the type that it has in the others, so that
what one sender sends cannot change how another's row is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import pyarrow as pa

from watchkeeper_monitor.records.repeats import LEAST
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.eventlog.port import Record
from watchkeeper_shared.events.batches import from_rows
from watchkeeper_shared.events.codec import JSON, NDJSON, media_type
from watchkeeper_shared.events.documents import BROKEN, read_rows
from watchkeeper_shared.events.rows import Kind, PredictionRow, Row

TOGETHER = 1_000
"""So many rows become a table: more would hold more memory, and save nothing."""


@dataclass(frozen=True, slots=True)
class Single:
    """A small record and its rows, which are not columns yet."""

    record: Record
    system: str
    kind: Kind
    rows: list[Row]


def rows_in(record: Record, content_type: str, kind: Kind) -> list[Row] | None:
    """Return the rows of a small JSON record; None if it must be read in another way."""
    media = media_type(content_type)
    if len(record.value) >= LEAST or media not in (JSON, NDJSON):
        return None
    try:
        return read_rows(record.value, kind, lines=media == NDJSON)
    except BROKEN:
        return None  # the patient reading says what is wrong with which row


@dataclass(slots=True)
class Pool:
    """Rows of one system and kind whose fields agree in their types.

    Parameters
    ----------
    types
        The type of each field that any row filled.
    singles, rows
        The records and their rows, in order.
    """

    types: dict[str, type] = field(default_factory=dict)
    singles: list[Single] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def take(self, single: Single) -> bool:
        """Add a record if its rows agree with those that are here."""
        added: dict[str, type] = {}
        for row in single.rows:
            for name, value in _values(row):
                kind = type(value)
                known = self.types.get(name) or added.get(name)
                if kind is NoneType or known is kind:
                    continue
                if known is not None:
                    return False
                added[name] = kind
        self.types |= added
        self.singles.append(single)
        self.rows.extend(single.rows)
        return True

    def batch(self) -> pa.RecordBatch | None:
        """Return the rows as columns; None if a row does not hold, or all are too wide."""
        try:
            return from_rows(self.rows, self.singles[0].kind)
        except (MalformedRecord, *BROKEN):
            return None


def _values(row: Row) -> Iterator[tuple[str, Any]]:
    """Yield the fields whose type is the sender's choice."""
    if isinstance(row, PredictionRow):
        yield "", row.prediction
        if row.features:
            yield from row.features.items()
    else:
        yield "", row.label
        yield " ", row.prediction
