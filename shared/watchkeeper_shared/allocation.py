"""From whom a process takes its memory, and when it gives it back."""

from __future__ import annotations

import ctypes

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What glibc's malloc.h calls them, behind an M."""

_LARGEST_IN_HEAP = 32 << 20
"""Bytes; more is never taken from the heap, whatever is said to glibc."""
_KEPT_FREE = 2 * _LARGEST_IN_HEAP


def share_one_heap() -> None:
    """Let Arrow take its memory where numpy does, and keep there what a flush frees.

    Arrow's own allocator keeps what one flush needed for its next batch, and the heap keeps as
    much beside it: 10 to 20 MiB that one of them alone does not take.

    Of the heap glibc gives back what is free at its end beyond twice the largest array that was
    ever freed, and the next flush or fetch asks for each page anew. The bounds set here are the
    most that it would come to by itself. On Kafka this takes away 85 of 100 page faults of
    reading, for some 10 MiB; see ADR 13. Another C library goes on as it does.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    set_option = getattr(ctypes.pythonapi, "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)
        set_option(_TRIM_THRESHOLD, _KEPT_FREE)
