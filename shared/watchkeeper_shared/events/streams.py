"""Arrow IPC streams from anybody: read straight to columns, and never past a stated size.

A few bytes can ask for terabytes: compressed buffers, a dictionary whose one long text is
repeated, a column of nulls with a length and no bytes. So sizes are checked before anything
is unpacked, and everything is validated before anything is computed on it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.plans import Plan, Written, plan_of
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import MAX_CELLS, MAX_COLUMNS, fit, shape_of, unfit
from watchkeeper_shared.events.unpacking import unpacked_size

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""The most that one stream may hold once unpacked."""

_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
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
        head = _refuse_bombs(value)
        with pa.ipc.open_stream(value, options=_OPTIONS) as stream:
            schema = stream.schema
            plan = plan_of(Written(head, kind, schema))
            batches = list(stream)
        if plan.is_canonical and len(batches) == 1:
            found = _taken(batches[0])
        else:
            found = _canonical(_table(batches, schema, plan), kind)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        detail = f"the Arrow stream cannot be read: {error}; send a whole IPC stream"
        raise MalformedRecord(RejectCode.MALFORMED, detail) from error
    if not found.num_columns and any(batch.num_rows for batch in batches):
        # Rows without columns are a table that nothing can be asked of.
        detail = "no column of the Arrow stream holds anything that is known here; send id, system"
        raise MalformedRecord(RejectCode.MISSING_FIELD, detail)
    return found


def _refuse_open_end(value: bytes) -> None:
    """Refuse a stream without its end marker: cut between two batches it would look whole."""
    if not value.endswith(_END):
        raise MalformedRecord(
            RejectCode.MALFORMED,
            "the Arrow stream does not end with its end marker; close the writer, send all of it",
        )


def _refuse_bombs(value: bytes) -> bytes:
    """Walk the messages without unpacking them and refuse what would grow too large.

    Returns
    -------
    bytes
        The message of the schema.
    """
    rows = unpacked = 0
    head = b""
    for message in pa.ipc.MessageReader.open_stream(value):
        if message.type == "schema":
            head = head or message.metadata.to_pybytes()
            continue
        grown, length = unpacked_size(message.metadata, message.body)
        unpacked += grown
        rows += length if message.type == "record batch" else 0
    if unpacked > MAX_UNPACKED_BYTES:
        raise _too_much(f"{unpacked} bytes once unpacked")
    # Each row has an id, and an id has at least one byte of its own, even as an index.
    if rows > max(unpacked, len(value)):
        raise _too_much(f"{rows} rows in {len(value)} bytes")
    return head


def _taken(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of canonical columns, validated, without those that are all null."""
    _check(batch)
    rows, columns = batch.num_rows, batch.columns
    if all(column.null_count < rows for column in columns):
        return batch
    named = zip(batch.schema.names, columns, strict=True)
    return pa.RecordBatch.from_pydict({name: one for name, one in named if not _is_empty(one)})


def _table(batches: list[pa.RecordBatch], schema: pa.Schema, plan: Plan) -> pa.Table:
    """Keep the columns that mean something, validated."""
    table = pa.Table.from_batches(batches, schema).select(plan.names)
    _check(table)
    return table


def _check(rows: pa.RecordBatch | pa.Table) -> None:
    if rows.num_columns > MAX_COLUMNS or rows.num_rows * rows.num_columns > MAX_CELLS:
        raise _too_much(f"{rows.num_rows} rows of {rows.num_columns} columns")
    rows.validate(full=True)


def _is_empty(column: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether nothing is known about a column; it counts as missing."""
    return bool(column.null_count == len(column))


def _canonical(table: pa.Table, kind: Kind) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {}
    for name in table.column_names:
        column = table.column(name)
        shape = shape_of(name, kind)
        if shape is None or _is_empty(column):
            continue
        try:
            whole = column.combine_chunks()
        except KeyError as error:  # pyarrow reads the type, such as months, and has no arrays of it
            raise unfit(name, column.type, shape) from error
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
