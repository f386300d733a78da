"""Names of headers are text for kafka-python, and anything for other clients.

A producer may name a header in Latin-1. kafka-python calls such a record corrupt, at every poll
anew, so that one record of one sender would end the reading of everybody's. Here the record is
read once more, its name as far as it is text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint


class _Fields:
    """The fields of one record, in their order.

    Parameters
    ----------
    buffer, at
        The batch, and where the record begins in it.
    """

    def __init__(self, buffer: bytearray, at: int) -> None:
        self._buffer = buffer
        self.at = at

    def number(self) -> int:
        value, self.at = decode_varint(self._buffer, self.at)
        return int(value)

    def piece(self) -> bytes | None:
        size = self.number()
        if size < 0:
            return None
        begin, self.at = self.at, self.at + size
        return bytes(self._buffer[begin : self.at])

    def header(self) -> tuple[str, bytes | None]:
        name = self.piece() or b""
        return name.decode(errors="replace"), self.piece()


def _read(batch: Any) -> Any:
    """Read the next record as the client does; one with an odd name once more."""
    try:
        return _READ(batch)
    except UnicodeDecodeError:
        return _read_again(batch)


def _read_again(batch: Any) -> Any:
    """Read a record of the format's second version (https://kafka.apache.org/documentation/#record)."""
    fields = _Fields(batch._buffer, batch._pos)  # noqa: SLF001 - see the top of the file
    length = fields.number()
    fields.number()  # attributes, of which none is used
    later, place = fields.number(), fields.number()
    key, value = fields.piece(), fields.piece()
    headers = [fields.header() for _ in range(fields.number())]
    batch._pos = fields.at  # noqa: SLF001
    kind = batch.timestamp_type
    appended = kind == DefaultRecordBatch.LOG_APPEND_TIME
    written = batch.max_timestamp if appended else batch.first_timestamp + later
    return DefaultRecord(length, batch.base_offset + place, written, kind, key, value, headers)


_READ: Callable[[Any], Any] = DefaultRecordBatch._read_msg  # noqa: SLF001


def tolerate() -> None:
    """Let the client read names that are no text, in this process. Idempotent."""
    DefaultRecordBatch._read_msg = _read  # noqa: SLF001
