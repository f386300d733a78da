"""The JSON forms of a batch: one object, an array, lines, and columns.

Each form has two readings: a fast one for the whole document, which fails as a whole, and
a patient one that yields the items as the standard library parses them, one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.batches import from_rows, values_column
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import (
    NESTED,
    ROWS,
    Instant,
    Integer,
    Kind,
    LabelRow,
    PredictionRow,
    Row,
    Value,
)
from watchkeeper_shared.events.shapes import INSTANT, MAX_COLUMNS, Shape, fit, shape_of

_COLUMNAR = re.compile(rb'\s*\{\s*"columns"\s*:')
_ARRAY = re.compile(rb"\s*\[")

_ONE: dict[Kind, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(row) for kind, row in ROWS.items()
}
_MANY: dict[Kind, msgspec.json.Decoder[Any]] = {
    Kind.PREDICTIONS: msgspec.json.Decoder(list[PredictionRow]),
    Kind.LABELS: msgspec.json.Decoder(list[LabelRow]),
}


class _Columns(msgspec.Struct, forbid_unknown_fields=True):
    """The columnar document; a column is read once its shape is known."""

    columns: dict[str, msgspec.Raw]


_COLUMNS = msgspec.json.Decoder(_Columns)

_CELLS: dict[Shape, tuple[msgspec.json.Decoder[Any], pa.DataType | None]] = {
    Shape.TEXT: (msgspec.json.Decoder(list[str | None]), pa.string()),
    Shape.CATEGORY: (msgspec.json.Decoder(list[Value | None]), None),
    Shape.NUMBER: (msgspec.json.Decoder(list[float | None]), pa.float64()),
    Shape.INTEGER: (msgspec.json.Decoder(list[Integer | None]), pa.int64()),
    Shape.FLAG: (msgspec.json.Decoder(list[bool | None]), pa.bool_()),
    Shape.INSTANT: (msgspec.json.Decoder(list[Instant | None]), INSTANT),
    Shape.VALUE: (msgspec.json.Decoder(list[Value | None]), None),
}

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError, pa.ArrowException)
"""What the fast readings raise; `msgspec.ValidationError` is a DecodeError."""


def read_document(value: bytes, kind: Kind, *, lines: bool) -> pa.RecordBatch:
    """Read a whole JSON document at once.

    Raises
    ------
    MalformedRecord
        A column does not fit, or there is too much in it.
    msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError
        See `BROKEN`: something in the document does not hold.
    """
    rows = read_rows(value, kind, lines=lines)
    return (
        _columnar(_COLUMNS.decode(value).columns, kind) if rows is None else from_rows(rows, kind)
    )


def read_rows(value: bytes, kind: Kind, *, lines: bool) -> list[Row] | None:
    """Read a JSON document of rows at once; None for columns. Raises as `read_document`."""
    rows: list[Row]
    if lines:
        rows = _ONE[kind].decode_lines(value)
    elif _ARRAY.match(value):
        rows = _MANY[kind].decode(value)
    elif _COLUMNAR.match(value):
        return None
    else:
        rows = [_ONE[kind].decode(value)]
    return rows


def _columnar(raw: dict[str, msgspec.Raw], kind: Kind) -> pa.RecordBatch:
    if len(raw) > MAX_COLUMNS:
        raise MalformedRecord(RejectCode.TOO_LONG, f"{len(raw)} columns; at most {MAX_COLUMNS}")
    columns: dict[str, pa.Array] = {}
    lengths: set[int] = set()
    for name, cells in raw.items():
        shape = shape_of(name, kind)
        if shape is None:
            continue
        decoder, arrow_type = _CELLS[shape]
        values = decoder.decode(cells)
        column = values_column(values) if arrow_type is None else pa.array(values, arrow_type)
        lengths.add(len(column))
        if column.null_count < len(column):
            columns[name] = fit(name, column, shape)
    if len(lengths) > 1:
        raise _uneven(sorted(lengths))
    return pa.RecordBatch.from_pydict(columns)


def _uneven(lengths: list[int]) -> MalformedRecord:
    shown = ", ".join(map(str, lengths[:5]))
    return MalformedRecord(
        RejectCode.MALFORMED, f"all columns must have one length, got lengths {shown}"
    )


def items_of(value: bytes, *, lines: bool) -> Iterator[object]:
    """Yield the items of a document one by one; an unreadable line comes as its error.

    Raises
    ------
    MalformedRecord
        The document as a whole cannot be read.
    """
    if lines:
        for number, line in enumerate(value.splitlines(), start=1):
            if line.strip():
                yield _line(line, number)
        return
    document = _parsed(value, "the body")
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict) and set(document) == {"columns"}:
        yield from _transposed(document["columns"])
    else:
        yield document


def _line(line: bytes, number: int) -> object:
    try:
        return _parsed(line, f"line {number}")
    except MalformedRecord as error:
        return error


def _parsed(value: bytes, where: str) -> object:
    """Parse with the standard library, which lets NaN and infinity through to be named."""
    try:
        return json.loads(value.decode())
    except UnicodeDecodeError as error:
        detail = f"{where} is not UTF-8: byte {error.start} cannot be read"
    except RecursionError:
        detail = f"{where} is nested too deeply"
    except ValueError as error:
        detail = f"{where} is not JSON: {error}"
    raise MalformedRecord(RejectCode.MALFORMED, detail)


def _transposed(columns: object) -> Iterator[dict[str, Any]]:
    """Yield the rows of a columnar document."""
    if not isinstance(columns, dict) or not all(isinstance(one, list) for one in columns.values()):
        raise MalformedRecord(
            RejectCode.MALFORMED, '"columns" must be an object of arrays: {"id": [...], ...}'
        )
    lengths = {len(one) for one in columns.values()}
    if len(lengths) > 1:
        raise _uneven(sorted(lengths))
    for cells in zip(*columns.values(), strict=True):
        row: dict[str, Any] = {}
        for name, cell in zip(columns, cells, strict=True):
            prefix, dot, rest = name.partition(".")
            if name in NESTED:  # no column of its own: the fast reading knows none either
                continue
            if dot and prefix in NESTED:
                row.setdefault(prefix, {})[rest] = cell
            else:
                row[name] = cell
        yield row
