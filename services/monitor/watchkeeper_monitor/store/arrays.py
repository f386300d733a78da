"""Columns of numbers as one run of bytes, and back without copying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_ALIGNED = 8


@dataclass(frozen=True, slots=True)
class Arrays:
    """Columns of one length, which is the last dimension, and what the numbers stand for.

    Parameters
    ----------
    columns
        By name, `[n]` or `[lines, n]`.
    notes
        Anything JSON can hold.
    """

    columns: dict[str, Array]
    notes: Any = field(default_factory=list)

    def take(self, at: Array) -> Arrays:
        """Return some rows, in the order asked for."""
        return Arrays({name: one[..., at] for name, one in self.columns.items()}, self.notes)

    @property
    def nbytes(self) -> int:
        """How much memory the columns hold."""
        return sum(one.nbytes for one in self.columns.values())


def pack(arrays: Arrays) -> bytes:
    """Return the bytes that `unpack` reads."""
    shapes = [(name, one.dtype.str, one.shape) for name, one in arrays.columns.items()]
    head = msgspec.msgpack.encode((shapes, arrays.notes))
    parts: list[bytes | memoryview] = [_padded(len(head).to_bytes(_ALIGNED, "little") + head)]
    for one in arrays.columns.values():
        parts += [np.ascontiguousarray(one).data, bytes(_ceiling(one.nbytes) - one.nbytes)]
    return b"".join(parts)


def unpack(data: bytes | memoryview) -> Arrays:
    """Return the columns, as views of the bytes."""
    size = int.from_bytes(data[:_ALIGNED], "little")
    shapes, notes = msgspec.msgpack.decode(data[_ALIGNED : _ALIGNED + size])
    at = _ceiling(_ALIGNED + size)
    columns: dict[str, Array] = {}
    for name, kind, shape in shapes:
        dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
        columns[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
        at += _ceiling(count * dtype.itemsize)
    return Arrays(columns, notes)


def joined(parts: Sequence[Mapping[str, Array]], sizes: Sequence[int]) -> dict[str, Array]:
    """Return the columns of all parts, one part after the other.

    A column or a line that a part does not have is filled: NaN for numbers, -1 for codes.
    """
    names = dict.fromkeys(name for part in parts for name in part)
    found = {}
    for name in names:
        own = [part[name] for part in parts if name in part]
        dtype, lines = np.result_type(*own), max(_lines(one) for one in own)
        filled = [
            _filled(part.get(name), lines, size, dtype)
            for part, size in zip(parts, sizes, strict=True)
        ]
        whole = np.concatenate(filled, axis=-1)
        found[name] = whole if own[0].ndim > 1 else whole[0]
    return found


def _filled(part: Array | None, lines: int, size: int, dtype: np.dtype[Any]) -> Array:
    given = np.empty((0, size)) if part is None else np.atleast_2d(part)
    if len(given) == lines:
        return given.astype(dtype, copy=False)
    whole = np.full((lines, size), np.nan if dtype.kind == "f" else -1, dtype)
    whole[: len(given)] = given
    return whole


def _lines(array: Array) -> int:
    return 1 if array.ndim == 1 else len(array)


def _ceiling(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _padded(data: bytes) -> bytes:
    return data.ljust(_ceiling(len(data)), b"\0")
