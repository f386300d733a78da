"""How large an Arrow IPC message becomes when it is unpacked, read from its metadata.

pyarrow unpacks first and tells afterwards. The flatbuffer tables walked here are `Message`
and `RecordBatch` of Arrow's format/Message.fbs; a compressed buffer starts with its unpacked
length as a little-endian 64-bit number, or -1 when it was stored as it is.
"""

from __future__ import annotations

import struct

import pyarrow as pa

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.rejects import RejectCode

_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2  # members of the union MessageHeader
_MAX_LENGTH = 2**62


class _Table:
    """One flatbuffer table: a position and the offsets of its fields."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - _read("<i", data, at)

    def field(self, index: int) -> int:
        """Return where field `index` is, or 0 if it is absent."""
        slot = 4 + 2 * index
        if slot >= _read("<H", self._data, self._fields):
            return 0
        offset = _read("<H", self._data, self._fields + slot)
        return self._at + offset if offset else 0

    def table(self, index: int) -> _Table | None:
        """Return the table that field `index` points to."""
        at = self.field(index)
        return _Table(self._data, at + _read("<I", self._data, at)) if at else None

    def number(self, index: int, layout: str) -> int:
        """Return the number in field `index`, 0 if it is absent."""
        at = self.field(index)
        return _read(layout, self._data, at) if at else 0


def _read(layout: str, data: memoryview | pa.Buffer, at: int) -> int:
    if at < 0:
        raise struct.error("an offset points before the beginning")
    number: int = struct.unpack_from(layout, data, at)[0]
    return number


def unpacked_size(metadata: pa.Buffer, body: pa.Buffer | None) -> tuple[int, int]:
    """Return the bytes and the rows that a record or dictionary batch unpacks to.

    Raises
    ------
    MalformedRecord
        The metadata is broken.
    """
    try:
        return _unpacked_size(memoryview(metadata), body)
    except struct.error as error:
        detail = f"the metadata of an Arrow message is broken: {error}"
        raise MalformedRecord(RejectCode.MALFORMED, detail) from error


def _unpacked_size(data: memoryview, body: pa.Buffer | None) -> tuple[int, int]:
    message = _Table(data, _read("<I", data, 0))
    batch = message.table(2)
    if batch is not None and message.number(1, "<B") == _DICTIONARY_BATCH:
        batch = batch.table(1)
    if batch is None or body is None:
        return 0, 0
    rows = batch.number(0, "<q")
    if not 0 <= rows < _MAX_LENGTH:
        raise struct.error(f"a batch of {rows} rows")
    compressed = batch.field(3) != 0
    size = _buffers_size(data, batch.field(2), body) if compressed else body.size
    return size, rows


def _buffers_size(data: memoryview, at: int, body: pa.Buffer) -> int:
    """Add up the unpacked lengths that stand in front of the compressed buffers."""
    if not at:
        return 0
    start = at + _read("<I", data, at)
    total = 0
    for index in range(_read("<I", data, start)):
        offset = _read("<q", data, start + 4 + 16 * index)
        length = _read("<q", data, start + 12 + 16 * index)
        if length > 0:
            total += max(_read("<q", body, offset), length)
    return total
