"""Integers to few bytes and back: mostly zeros, mostly small, both ways without a Python loop.

Level k holds, for every value that is still not zero after k bytes, one bit "there is more"
and, for those with more, one byte. A zero costs one bit, a count below 256 two bytes and two
bits less. The bytes depend on the values alone, not on a compression library's version.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def pack(values: Ints) -> bytes:
    """Return the bytes of a vector; signed values are zigzag coded."""
    rest = ((values << 1) ^ (values >> 63)).view(np.uint64)
    parts = []
    while rest.size:
        more = rest != 0
        parts.append(np.packbits(more).tobytes())
        rest = rest[more]
        parts.append(rest.astype(np.uint8).tobytes())
        rest >>= np.uint64(8)
    return b"".join(parts)


def unpack(data: bytes, size: int) -> Ints:
    """Return the vector of `size` values that `pack` wrote.

    Raises
    ------
    ValueError
        The bytes are too few or too many.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    at, count, levels = 0, size, []
    while count:
        bits = raw[at : at + (count + 7) // 8]
        if bits.size * 8 < count:
            raise ValueError(f"{len(data)} bytes end within a profile of {size} places")
        more = np.flatnonzero(np.unpackbits(bits, count=count).view(np.bool_))
        at += bits.size
        levels.append((more, raw[at : at + more.size]))
        at += more.size
        count = more.size
    if at != raw.size:
        raise ValueError(f"{raw.size} bytes where a profile of {size} places takes {at}")
    return _join(levels, size)


def _join(levels: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]], size: int) -> Ints:
    """Return the vector; zeros are most of it, so only what is not zero is worked on."""
    whole = np.zeros(size, dtype=np.int64)
    if levels:
        (filled, lowest), *higher = levels
        coded, places = lowest.astype(np.uint64), np.arange(filled.size)
        for depth, (more, byte) in enumerate(higher, start=1):
            places = places[more]
            coded[places] |= byte.astype(np.uint64) << np.uint64(8 * depth)
        whole[filled] = _unzigzag(coded)
    return whole


def _unzigzag(coded: npt.NDArray[np.uint64]) -> Ints:
    half = (coded >> np.uint64(1)).view(np.int64)
    return half ^ -(coded & np.uint64(1)).view(np.int64)
