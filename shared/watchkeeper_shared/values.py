"""How the text of a setting becomes a value of its declared type."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from watchkeeper_shared.specs import parse_duration


class UnreadableValue(ValueError):
    """The text is no value of the type; the message says what is taken instead."""


def parse(hint: Any, text: str) -> Any:
    """Read `text` as a value of type `hint`.

    Raises
    ------
    UnreadableValue
        It is none.
    TypeError
        The type is not one that settings can have: a mistake in the declaration.

    Examples
    --------
    >>> parse(int | None, "4"), parse(tuple[str, ...], "a, b")
    (4, ('a', 'b'))
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return parse(_the_one_besides_none(hint), text)
    if origin is tuple:
        item = get_args(hint)[0]
        return tuple(parse(item, part.strip()) for part in text.split(",") if part.strip())
    if origin is Literal:
        return _one_of(get_args(hint), text)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(_one_of(tuple(one.value for one in hint), text))
    reader = _READERS.get(hint)
    if reader is None:
        msg = f"a setting cannot be of type {hint}"
        raise TypeError(msg)
    return reader(text)


def _the_one_besides_none(hint: Any) -> Any:
    left = [one for one in get_args(hint) if one is not type(None)]
    if len(left) != 1:
        msg = f"a setting has one type, or one and None; got {hint}"
        raise TypeError(msg)
    return left[0]


def _one_of(choices: tuple[Any, ...], text: str) -> Any:
    if text not in choices:
        raise UnreadableValue(f"must be one of {', '.join(map(str, choices))}")
    return text


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UnreadableValue("must be a whole number") from None


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UnreadableValue("must be a number")
    return value


def _bool(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in known:
        raise UnreadableValue("must be true or false")
    return known[text.lower()]


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UnreadableValue(str(error)) from error


_READERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: _int,
    float: _float,
    bool: _bool,
    timedelta: _duration,
    Path: Path,
}
