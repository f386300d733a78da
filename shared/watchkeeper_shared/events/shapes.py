"""The canonical type of each column, and how other but compatible types become it."""

from __future__ import annotations

from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind

INSTANT = pa.timestamp("us", "UTC")

MIXED = pa.struct([("number", pa.float64()), ("whole", pa.int64()), ("text", pa.string())])
"""Numbers and texts under one name, as row JSON allows; `validation` makes one of them.

A whole number past `EXACT` is beside its nearest float also as it was written: as a class it is
another than its neighbour.
"""

EXACT = 2**53
"""Up to here every whole number is a float64 of its own."""

MAX_CELLS = 20_000_000
"""Rows times columns of one batch: some 160 MB; more is refused, whatever the bytes were."""

MAX_COLUMNS = 4096
"""The most columns of one batch, or names in one nested field of row JSON."""


class Shape(Enum):
    """What a column may hold."""

    TEXT = "text"
    CATEGORY = "text or numbers"
    NUMBER = "numbers"
    INTEGER = "whole numbers"
    FLAG = "booleans"
    INSTANT = "instants with a zone"
    VALUE = "numbers or text"


_SINGLE: dict[Kind, dict[str, Shape]] = {
    Kind.PREDICTIONS: {
        "id": Shape.TEXT,
        "system": Shape.TEXT,
        "version": Shape.TEXT,
        "time": Shape.INSTANT,
        "prediction": Shape.VALUE,
        "seq": Shape.INTEGER,
        "score": Shape.NUMBER,
        "latency_ms": Shape.NUMBER,
        "decision.outcome": Shape.TEXT,
        "decision.critical": Shape.FLAG,
    },
    Kind.LABELS: {
        "id": Shape.TEXT,
        "system": Shape.TEXT,
        "label": Shape.VALUE,
        "time": Shape.INSTANT,
        "prediction": Shape.VALUE,
        "score": Shape.NUMBER,
        "prediction_time": Shape.INSTANT,
        "version": Shape.TEXT,
    },
}

_PREFIXED: dict[Kind, dict[str, Shape]] = {
    Kind.PREDICTIONS: {
        "features": Shape.VALUE,
        "groups": Shape.CATEGORY,
        "scores": Shape.NUMBER,
        "explanation": Shape.NUMBER,
    },
    Kind.LABELS: {"groups": Shape.CATEGORY, "scores": Shape.NUMBER},
}


def shape_of(name: str, kind: Kind) -> Shape | None:
    """Return what column `name` holds, or None for a column that nobody agreed on."""
    single = _SINGLE[kind].get(name)
    if single is not None:
        return single
    prefix, dot, rest = name.partition(".")
    return _PREFIXED[kind].get(prefix) if dot and rest else None


def fit(name: str, column: pa.Array, shape: Shape) -> pa.Array:
    """Return `column` in the canonical type of its shape.

    Raises
    ------
    MalformedRecord
        The type is not compatible: `wrong_type`, `time_without_zone` or `out_of_range`.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        fitted = _FITS[shape](column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        detail = f"column {name} of type {column.type} does not fit {shape.value}: {error}"
        raise MalformedRecord(RejectCode.OUT_OF_RANGE, detail) from error
    if fitted is None:
        raise unfit(name, column.type, shape)
    return fitted


def unfit(name: str, kind: pa.DataType, shape: Shape) -> MalformedRecord:
    """Return the refusal of a column whose type has nothing to do with its shape."""
    if shape is Shape.INSTANT and pa.types.is_timestamp(kind):
        detail = f"column {name} is {kind} without a zone; send timestamp[us, tz=UTC]"
        return MalformedRecord(RejectCode.TIME_WITHOUT_ZONE, detail)
    detail = f"column {name} is of type {kind}; send {shape.value}"
    return MalformedRecord(RejectCode.WRONG_TYPE, detail)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type holds text."""
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a type holds numbers; booleans are none."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _text(column: pa.Array) -> pa.Array | None:
    if pa.types.is_string(column.type):
        return column
    return column.cast(pa.string()) if is_text(column.type) else None


def _number(column: pa.Array) -> pa.Array | None:
    if pa.types.is_float64(column.type):
        return column
    # Whole numbers past 2^53 lose their last digits here; as measurements that is harmless.
    return column.cast(pa.float64(), safe=False) if is_number(column.type) else None


def _integer(column: pa.Array) -> pa.Array | None:
    return column.cast(pa.int64()) if pa.types.is_integer(column.type) else None


def _flag(column: pa.Array) -> pa.Array | None:
    return column if pa.types.is_boolean(column.type) else None


def _instant(column: pa.Array) -> pa.Array | None:
    if column.type == INSTANT:
        return column
    if is_text(column.type):
        return pc.utf8_trim_whitespace(_text(column)).cast(INSTANT)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        # Nanoseconds are cut to microseconds; a coarser unit that overflows is an error.
        return column.cast(INSTANT, safe=column.type.unit != "ns")
    return None


def _value(column: pa.Array) -> pa.Array | None:
    if column.type == MIXED:
        return column
    if pa.types.is_integer(column.type):
        return _integer(column)
    return _number(column) if is_number(column.type) else _text(column)


_FITS = {
    Shape.TEXT: _text,
    Shape.CATEGORY: _value,
    Shape.NUMBER: _number,
    Shape.INTEGER: _integer,
    Shape.FLAG: _flag,
    Shape.INSTANT: _instant,
    Shape.VALUE: _value,
}
