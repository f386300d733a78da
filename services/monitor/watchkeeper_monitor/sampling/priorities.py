"""The deterministic bottom-k sample: the same rows whatever the order or the split.

Every row has a priority that is a hash of its id, and the k smallest priorities are kept
(priority sampling). The sample of a union is the sample of the samples, so it merges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Priorities = npt.NDArray[np.uint64]

_MULTIPLIER = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_IN_CACHE = 2_048


def priorities(ids: Any) -> Priorities:
    """Return a 64-bit hash of every string of an Arrow array, vectorised over the bytes.

    A polynomial in the bytes modulo 2**64, finished with splitmix64 (Steele, Lea and Flood,
    OOPSLA 2014). It is for sampling, not against an adversary.

    Examples
    --------
    >>> a, b, again = priorities(pa.array(["a", "b", "a"])).tolist()
    >>> a == again, a == b
    (True, False)
    """
    column = ids.cast(pa.large_string())
    if column.null_count:
        column = column.fill_null("")
    _, offset_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)
    offsets = offsets[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(offsets)
    data = (
        np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
        if data_buffer
        else np.empty(0, np.uint8)
    )
    return _mix(_polynomials(data, offsets[:-1] - offsets[0], lengths) ^ lengths.astype(np.uint64))


def _polynomials(data: Any, starts: Any, lengths: Any) -> Priorities:
    sums = np.zeros(len(lengths), dtype=np.uint64)
    filled = lengths > 0
    if not filled.any():
        return sums
    powers = np.array(_powers(int(lengths.max())), dtype=np.uint64)
    if len(powers) == lengths.min():  # as UUIDs are: no need to say where each byte stands
        return _of_one_length(data.reshape(len(lengths), -1), powers)
    place = np.arange(data.size) - np.repeat(starts, lengths)
    terms = (data.astype(np.uint64) + np.uint64(1)) * powers[place]
    sums[filled] = np.add.reduceat(terms, starts[filled])
    return sums


def _of_one_length(rows: Any, powers: Any) -> Priorities:
    """Return the polynomials of texts of one length, so many at once as the cache holds."""
    sums = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), _IN_CACHE):
        part = rows[start : start + _IN_CACHE].astype(np.uint64)
        np.matmul(part, powers, out=sums[start : start + _IN_CACHE])
    return np.asarray(sums + powers.sum(dtype=np.uint64))  # one more for each byte


def _powers(count: int) -> list[int]:
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * _MULTIPLIER & _WORD)
    return powers


def _mix(x: Priorities) -> Priorities:
    x = x + np.uint64(_MULTIPLIER)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def bottom(batch: pa.RecordBatch, k: int) -> pa.RecordBatch:
    """Return the k rows of the smallest priorities, in ascending priority.

    Rows without an `id` column are told apart by their place.
    """
    if "id" in batch.schema.names:
        ids = batch.column("id")
    else:
        ids = pa.array([str(place) for place in range(batch.num_rows)])
    rank = np.argsort(priorities(ids), kind="stable")[:k]
    return batch.take(pa.array(rank))
