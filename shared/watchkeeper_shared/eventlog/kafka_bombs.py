"""What kafka-python unpacks is bounded here: it would unpack 32 KB into gigabytes.

Kafka compresses batches of records, and a broker's limit (`max.message.bytes`) counts them
packed. kafka-python unpacks a batch whole, whatever it grows to. We unpack it in pieces and
stop past `MAX_BATCH_BYTES`. What is over that comes out as one empty record at the batch's last
offset, with a header that says what it stands for: reading goes on after it, and whoever
reads puts it to the dead letters.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lz4.frame
import pyarrow as pa
import zstandard
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

MAX_BATCH_BYTES = 128 << 20
"""The most that one compressed batch may hold; a record of ours has at most 8 MiB."""

REFUSED_HEADER = "watchkeeper.refused"
"""Header of the record that stands for a batch that was not unpacked."""

_GZIP = 16 + zlib.MAX_WBITS

_PIECE = 1 << 20
"""So many bytes are unpacked at first; a batch has seldom more."""

_FRAMED = b"\x82SNAPPY\x00"
"""Java puts Snappy into frames: a head, then blocks, each behind its size."""
_FRAMES_AT = 16
_SIZE = 4
_SEVEN, _MORE = 0x7F, 0x80


class _TooMuch(Exception):
    """A batch grows past the limit."""


def _gzip(packed: bytes, limit: int) -> bytes:
    return zlib.decompressobj(_GZIP).decompress(packed, limit)


def _lz4(packed: bytes, limit: int) -> bytes:
    """Unpack piece by piece: the library takes memory for all that a piece may grow to."""
    stream, pieces, size = lz4.frame.LZ4FrameDecompressor(), [], 0
    while not stream.eof and size < limit:
        piece = stream.decompress(packed, min(limit - size, _PIECE + size))
        if not piece:
            break  # the rest was not sent
        pieces.append(piece)
        packed, size = b"", size + len(piece)
    return b"".join(pieces)


def _zstd(packed: bytes, limit: int) -> bytes:
    source = io.BytesIO(packed)
    with zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as reader:
        return reader.read(limit)


def _snappy(packed: bytes, limit: int) -> bytes:
    """Unpack Snappy by Arrow, which is here anyway: kafka-python asks for one more library."""
    if not packed.startswith(_FRAMED):
        return _block(packed, limit)
    whole, at = bytearray(), _FRAMES_AT
    while at < len(packed) and len(whole) < limit:
        begin = at + _SIZE
        at = begin + int.from_bytes(packed[at:begin], "big")
        whole += _block(packed[begin:at], limit - len(whole))
    return bytes(whole)


def _block(packed: bytes, limit: int) -> bytes:
    """Unpack one block; it begins with the size that it grows to, seven bits in a byte."""
    size = place = 0
    for byte in packed:
        size |= (byte & _SEVEN) << place
        place += 7
        if not byte & _MORE:
            break
    if size > limit:
        raise _TooMuch
    return bytes(pa.decompress(packed, size, "snappy", asbytes=True))


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    DefaultRecordBatch.CODEC_GZIP: _gzip,
    DefaultRecordBatch.CODEC_SNAPPY: _snappy,
    DefaultRecordBatch.CODEC_LZ4: _lz4,
    DefaultRecordBatch.CODEC_ZSTD: _zstd,
}


def unpacked(codec: int, packed: bytes) -> bytes:
    """Return what is packed.

    Raises
    ------
    _TooMuch
        It is more than `MAX_BATCH_BYTES`.
    """
    whole = _UNPACK[codec](packed, MAX_BATCH_BYTES + 1)
    if len(whole) > MAX_BATCH_BYTES:
        raise _TooMuch
    return whole


def _records(batch: Any) -> Iterator[Any]:
    """Iterate over a batch as the client does, but unpack with a bound."""
    codec = batch.compression_type
    if codec in _UNPACK and not batch._decompressed:  # noqa: SLF001 - see the top of the file
        try:
            whole = unpacked(codec, bytes(memoryview(batch._buffer)[batch._pos :]))  # noqa: SLF001
        except _TooMuch:
            return iter([_refused(batch)])
        batch._buffer, batch._pos, batch._decompressed = bytearray(whole), 0, True  # noqa: SLF001
    return _ITERATE(batch)


def _refused(batch: Any) -> Any:
    said = (
        f"{batch.records_count} records from offset {batch.base_offset} to {batch.last_offset} are"
        f" over {MAX_BATCH_BYTES} bytes unpacked"
    )
    headers = [(REFUSED_HEADER, said.encode())]
    at, kind = batch.last_offset, batch.timestamp_type
    return DefaultRecord(0, at, batch.max_timestamp, kind, None, b"", headers)


_ITERATE: Callable[[Any], Iterator[Any]] = DefaultRecordBatch.__iter__


def defuse() -> None:
    """Bound what the client unpacks, in this process. Idempotent."""
    DefaultRecordBatch.__iter__ = _records
