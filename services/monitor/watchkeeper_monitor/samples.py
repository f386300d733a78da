"""The rows that stand for a pane when somebody must look: the k smallest by id hash.

The choice depends on the ids alone, so a replay, another split into batches and another
order give the same rows, and the sample of two panes is the k smallest of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from watchkeeper_shared.events.batches import concatenate

KEY = "__key"
"""The column that holds the id hash a row was chosen by."""
_WHOLE = 0.99
"""From this share on a sample counts as all rows: some come twice and are kept once."""
_AT_ONCE = 32
"""So many parts are gathered before the smallest of them are chosen: each choice copies rows."""


def keyed(batch: pa.RecordBatch, keys: np.ndarray) -> pa.RecordBatch:
    """Return the batch with its id hashes as a column."""
    return batch.append_column(KEY, pa.array(keys, pa.int64()))


def smallest(batches: Sequence[pa.RecordBatch], k: int) -> pa.RecordBatch:
    """Return the k rows with the smallest keys, in order of the key, each key once."""
    whole = concatenate(batches)
    keys = whole.column(KEY).to_numpy()
    _, first = np.unique(keys, return_index=True)
    return whole.take(pa.array(first[:k]))


@dataclass(frozen=True, slots=True)
class Part:
    """What one writer kept of one pane: every row, or as many of the smallest as it may keep.

    Parameters
    ----------
    rows
        How many rows it stands for.
    batches
        The rows that were kept, each batch in order of the key, each key once. The greatest of
        them has as many as may be kept, if any row was left out. Not so in panes that were begun
        before that number was raised: nothing says at which key their first rows end.
    """

    rows: int
    batches: Sequence[pa.RecordBatch]


def of_span(parts: Iterable[Part], k: int) -> pa.RecordBatch | None:
    """Return the k rows of a span with the smallest keys; None where nothing was kept.

    A busy pane kept a smaller share of its rows than a quiet one. Beyond the last key that it
    kept nothing is known of it, so beyond the least of these keys no row of any pane counts:
    every row of the span had the same chance.
    """
    waiting: list[pa.RecordBatch] = []
    last: int | None = None
    for part in parts:
        whole = _together(part.batches)
        if whole.num_rows < _WHOLE * part.rows:
            whole = whole.slice(0, max(one.num_rows for one in part.batches))
            last = _least(last, _last_key(whole))
        waiting.append(whole if last is None else _up_to(whole, last))
        if len(waiting) >= _AT_ONCE:
            waiting = [smallest(waiting, k)]
            if waiting[0].num_rows >= k:
                last = _least(last, _last_key(waiting[0]))
    if not waiting:
        return None
    found = smallest(waiting, k)
    return found if last is None else _up_to(found, last)


def _together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return all rows, in order of the key; what is kept in one piece is that already."""
    if len(batches) == 1:
        return batches[0]
    return smallest(batches, sum(one.num_rows for one in batches))


def _last_key(sample: pa.RecordBatch) -> int:
    return int(sample.column(KEY)[-1].as_py())


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _up_to(sample: pa.RecordBatch, last: int) -> pa.RecordBatch:
    keys = sample.column(KEY).to_numpy()
    return sample.slice(0, int(np.searchsorted(keys, last, side="right")))


def to_bytes(sample: pa.RecordBatch) -> bytes:
    """Return the sample as an Arrow IPC stream with lz4 buffers."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, sample.schema, options=options) as stream:
        stream.write_batch(sample)
    return bytes(sink.getvalue())


def from_bytes(data: bytes) -> pa.RecordBatch:
    """Read what `to_bytes` wrote."""
    table = pa.ipc.open_stream(data).read_all().combine_chunks()
    found = table.to_batches()
    return found[0] if found else pa.RecordBatch.from_pylist([], schema=table.schema)
