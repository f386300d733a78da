"""What is wrong with one JSON item, said so that its sender can mend it.

The fast path reads whole documents with msgspec and knows only that something is wrong.
This slow path takes one item that the standard library has parsed, and finds the field.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import NESTED, REQUIRED, ROWS, Kind, Row

_TYPE_NAMES = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

_TAKES_TEXT = frozenset({"features", "groups"})

_MARKS = (
    ("timezone component", RejectCode.TIME_WITHOUT_ZONE),
    ("unknown field", RejectCode.MALFORMED),
    ("out of range", RejectCode.OUT_OF_RANGE),
    ("<=", RejectCode.OUT_OF_RANGE),
    (">=", RejectCode.OUT_OF_RANGE),
)
"""Pieces of msgspec's messages and the code that each stands for."""

_TIMES = ("time", "prediction_time")


def describe(value: object) -> str:
    """Name a JSON value's type and show the beginning of the value.

    Examples
    --------
    >>> describe(True), describe("forty")
    ('a boolean (True)', "a text ('forty')")
    """
    shown = repr(value)
    return f"{_TYPE_NAMES.get(type(value), 'a value')} ({shown[:60]}{'…' * (len(shown) > 60)})"  # noqa: PLR2004


def read_item(item: object, kind: Kind) -> Row:
    """Turn one parsed JSON item into a row.

    Raises
    ------
    MalformedRecord
        The item does not hold; code and detail name the first fault.
    """
    if not isinstance(item, dict):
        raise MalformedRecord(
            RejectCode.MALFORMED, f"the item is {describe(item)}; send an object per event"
        )
    for name in REQUIRED[kind]:
        if item.get(name) is None:
            raise MalformedRecord(
                RejectCode.MISSING_FIELD, f"{name} is {'null' if name in item else 'missing'}"
            )
    _refuse_what_json_cannot_say(item)
    try:
        return msgspec.convert(item, type=ROWS[kind])
    except UnicodeEncodeError as error:  # a name of what has no leaves, or one deeper than those
        detail = "a name in the item holds half of a surrogate pair; send valid UTF-8"
        raise MalformedRecord(RejectCode.MALFORMED, detail) from error
    except (msgspec.ValidationError, OverflowError) as error:
        raise _explained(item, kind, str(error)) from error


def _refuse_what_json_cannot_say(item: dict[str, Any]) -> None:
    """Refuse NaN, infinity and broken UTF-16, which the standard parser lets through."""
    for path, value in _leaves(item):
        if not _encodes(path) or (isinstance(value, str) and not _encodes(value)):
            raise MalformedRecord(
                RejectCode.MALFORMED, f"{path!a} holds half of a surrogate pair; send valid UTF-8"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise MalformedRecord(
                RejectCode.NOT_FINITE,
                f"{path} is {value}; send a finite number, or null for a missing value",
            )


def _leaves(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield fields and the fields of nested objects, by path."""
    for name, value in item.items():
        if isinstance(value, dict):
            for inner, leaf in value.items():
                yield f"{name}.{inner}", leaf
        else:
            yield name, value


def _encodes(text: str) -> bool:
    """Tell whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explained(item: dict[str, Any], kind: Kind, message: str) -> MalformedRecord:
    """Turn msgspec's message into a code and a detail that names the field."""
    for path, value in _leaves(item):
        prefix = path.partition(".")[0]
        if prefix not in NESTED or prefix in ("decision", path):
            continue
        takes_text = prefix in _TAKES_TEXT
        if value is None or (takes_text and isinstance(value, str)):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            wanted = "a number or a text" if takes_text else "a number"
            detail = f"{path} is {describe(value)}; send {wanted}"
            return MalformedRecord(RejectCode.WRONG_TYPE, detail)
    code = next((code for mark, code in _MARKS if mark in message), RejectCode.WRONG_TYPE)
    return MalformedRecord(code, _with_advice(message, item, kind))


def _with_advice(message: str, item: dict[str, Any], kind: Kind) -> str:
    """Add what to send: a time is the field that most senders get wrong first."""
    if "unknown field" in message:
        return f"{message}; known are {', '.join(ROWS[kind].__struct_fields__)}"
    field = next((name for name in _TIMES if message.endswith(f"`$.{name}`")), None)
    if field is None:
        return message
    wanted = "send date, time and timezone, such as 2026-10-01T06:00:00Z"
    return f"{field} is {describe(item[field])}; {wanted}"
