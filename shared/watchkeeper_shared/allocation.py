"""How a process takes memory from the system, and gives it back."""

from __future__ import annotations

import ctypes

import pyarrow as pa

LARGE = 256 << 10
"""From this size on a block is a mapping of its own: a column of a flush is larger."""

SPARE = 16 << 20
"""So much may stay free at the end of the heap, rather than be asked for again at once."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of mallopt(3)."""


def give_back_at_once() -> bool:
    """Let every large block go back to the system when it is freed; return whether it does.

    Left alone, glibc raises the size from which on it does that to the largest block that was
    ever freed, up to 32 MiB, and what stays between such blocks keeps them. Arrow's own
    allocator keeps as much again for its next batch. Both are the peak of a flush, held for
    ever. Without glibc nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not mallopt(_MMAP_THRESHOLD, LARGE):
        return False
    mallopt(_TRIM_THRESHOLD, SPARE)
    pa.set_memory_pool(pa.system_memory_pool())
    return True
