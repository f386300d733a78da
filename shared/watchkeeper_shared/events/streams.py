"""Arrow IPC streams from anybody: read straight to columns, and never past a stated size.

A few bytes can ask for terabytes: compressed buffers, a dictionary whose one long text is
repeated, a column of nulls with a length and no bytes. So sizes are checked before anything
is unpacked, and everything is validated before anything is computed on it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.envelopes import unpacked_size
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import MAX_CELLS, MAX_COLUMNS, fit, shape_of

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""The most that one stream may hold once unpacked."""

_END = bytes.fromhex("ffffffff00000000")


def read_stream(value: bytes, kind: Kind) -> pa.RecordBatch:
    """Read an Arrow IPC stream into one canonical batch.

    Raises
    ------
    MalformedRecord
        The stream is broken, truncated, too large once unpacked, or of other types.
    """
    try:
        _refuse_open_end(value)
        _refuse_bombs(value)
        return _canonical(_table(value, kind), kind)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        detail = f"the Arrow stream cannot be read: {error}; send a whole IPC stream"
        raise MalformedRecord(RejectCode.MALFORMED, detail) from error


def _refuse_open_end(value: bytes) -> None:
    """Refuse a stream without its end marker: cut between two batches it would look whole."""
    if not value.endswith(_END):
        raise MalformedRecord(
            RejectCode.MALFORMED,
            "the Arrow stream does not end with its end marker; close the writer, send all of it",
        )


def _refuse_bombs(value: bytes) -> None:
    """Walk the messages without unpacking them and refuse what would grow too large."""
    rows = unpacked = 0
    for message in pa.ipc.MessageReader.open_stream(value):
        if message.type == "schema":
            continue
        grown, length = unpacked_size(message.metadata, message.body)
        unpacked += grown
        rows += length if message.type == "record batch" else 0
    if unpacked > MAX_UNPACKED_BYTES:
        raise _too_much(f"{unpacked} bytes once unpacked")
    # Each row has an id, and an id has at least one byte of its own, even as an index.
    if rows > max(unpacked, len(value)):
        raise _too_much(f"{rows} rows in {len(value)} bytes")


def _table(value: bytes, kind: Kind) -> pa.Table:
    """Read the stream and keep the columns that mean something, validated."""
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_stream(value, options=options) as stream:
        names = stream.schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise MalformedRecord(RejectCode.MALFORMED, f"column {twice} comes twice")
        table = stream.read_all()
    table = table.select([name for name in names if shape_of(name, kind) is not None])
    if table.num_columns > MAX_COLUMNS or table.num_rows * table.num_columns > MAX_CELLS:
        raise _too_much(f"{table.num_rows} rows of {table.num_columns} columns")
    table.validate(full=True)
    return table


def _canonical(table: pa.Table, kind: Kind) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {}
    for name in table.column_names:
        column = table.column(name)
        shape = shape_of(name, kind)
        if shape is None or column.null_count == len(column):
            continue  # nothing is known about a column of nulls; it counts as missing
        whole = column.combine_chunks()
        whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        _refuse_long_dictionaries(name, whole)
        columns[name] = fit(name, whole, shape)
    return pa.RecordBatch.from_pydict(columns)


def _refuse_long_dictionaries(name: str, column: pa.Array) -> None:
    """Refuse a dictionary that would grow too large when it is written out."""
    if not pa.types.is_dictionary(column.type):
        return
    words = column.dictionary
    if pa.types.is_primitive(words.type) or not len(words):
        return
    longest = pc.max(pc.binary_length(words)).as_py() or 0
    if longest * len(column) > MAX_UNPACKED_BYTES:
        raise _too_much(f"column {name}, whose texts have up to {longest} bytes")


def _too_much(what: str) -> MalformedRecord:
    return MalformedRecord(
        RejectCode.TOO_LONG, f"the Arrow stream holds {what}; send smaller batches"
    )
