"""A located value against a type: all mistakes at once, each with its line.

msgspec stops at the first mistake and names no key inside a mapping of free keys, so the
type is walked here and msgspec judges the leaves and, last, the whole.
"""

from __future__ import annotations

import difflib
import math
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Union, get_args, get_origin

import msgspec

from watchkeeper_alerting.applying.located import Located
from watchkeeper_shared.events.letters import storable

Finding = tuple[int, str]
"""Line and detail."""


def check(located: Located, wanted: Any, path: str) -> Iterator[Finding]:
    """Yield everything that keeps `located` from being a `wanted`.

    Parameters
    ----------
    located
        The value with its lines.
    wanted
        A msgspec Struct, `dict[K, V]`, `tuple[T, ...]`, a union with None, or a leaf type.
    path
        How to name the value in a message, such as `spec.rules[0]`.
    """
    kind = _without_none(wanted)
    if located.value is None and kind is not wanted:
        return
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _struct(located, kind, path)
    elif origin is dict:
        yield from _mapping(located, get_args(kind), path)
    elif origin is tuple:
        yield from _sequence(located, get_args(kind)[0], path)
    else:
        yield from _leaf(located, kind, path)


def suggestion(word: object, known: Sequence[str]) -> str:
    """Return `; did you mean …?` when one of `known` is near, else all of them.

    Examples
    --------
    >>> suggestion("breech", ["warn", "breach"])
    '; did you mean breach?'
    """
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"


def _struct(located: Located, kind: type[msgspec.Struct], path: str) -> Iterator[Finding]:
    if not isinstance(located.value, dict):
        yield located.line, f"{path} must be a mapping, got {_name(located.value)}"
        return
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    findings: list[Finding] = []
    for key, member in located.members.items():
        if key not in fields:
            hint = suggestion(key, list(fields))
            findings.append((member.line, f"unknown key {key!r} in {path}{hint}"))
        else:
            findings.extend(check(member, fields[key].type, f"{path}.{key}"))
    missing = [name for name, one in fields.items() if one.required and name not in located.value]
    findings.extend((located.line, f"{path} needs the key {name!r}") for name in missing)
    # Only a struct whose parts hold can be asked whether the whole makes sense.
    yield from findings or _leaf(located, kind, path)


def _mapping(located: Located, kinds: tuple[Any, ...], path: str) -> Iterator[Finding]:
    if not isinstance(located.value, dict):
        yield located.line, f"{path} must be a mapping, got {_name(located.value)}"
        return
    for key, member in located.members.items():
        yield from _leaf(Located(key, member.line), kinds[0], f"the key {key!r} in {path}")
        yield from check(member, kinds[1], f"{path}.{key}")


def _sequence(located: Located, kind: Any, path: str) -> Iterator[Finding]:
    if not isinstance(located.value, list):
        yield located.line, f"{path} must be a list, got {_name(located.value)}"
        return
    for index, member in located.members.items():
        yield from check(member, kind, f"{path}[{index}]")


def _leaf(located: Located, kind: Any, path: str) -> Iterator[Finding]:
    try:
        msgspec.convert(located.value, kind, strict=True)
    except msgspec.ValidationError as error:
        # The tail is msgspec's own path, from a root that the reader does not know.
        detail = re.sub(r" - at `.*`$", "", str(error))
        yield located.line, f"{path}: {detail[:1].lower()}{detail[1:]}"
        return
    text = located.value
    if isinstance(text, str) and storable(text, len(text)) != text:
        yield located.line, f"{path}: remove the character NUL, or half of a surrogate pair"
    if isinstance(located.value, float) and not math.isfinite(located.value):
        yield located.line, f"{path} must be a finite number, got {located.value}"


def _without_none(kind: Any) -> Any:
    """Return X for `X | None`; anything else comes back as it is."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    members = [one for one in get_args(kind) if one is not type(None)]
    return members[0] if len(members) == 1 and len(get_args(kind)) > 1 else kind


def _name(value: object) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(value), repr(value))
