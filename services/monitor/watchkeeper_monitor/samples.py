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
        The rows that were kept. The greatest of them has as many as may be kept, if any row
        was left out.
    """

    rows: int
    batches: Sequence[pa.RecordBatch]


def of_span(parts: Iterable[Part], k: int) -> pa.RecordBatch | None:
    """Return the k rows of a span with the smallest keys; None where nothing was kept.

    A busy pane kept a smaller share of its rows than a quiet one. Beyond the last key that it
    kept nothing is known of it, so beyond the least of these keys no row of any pane counts:
    every row of the span had the same chance.
    """
    found: pa.RecordBatch | None = None
    last = None
    for part in parts:
        whole = smallest(part.batches, sum(one.num_rows for one in part.batches))
        if whole.num_rows < _WHOLE * part.rows:
            whole = whole.slice(0, max(one.num_rows for one in part.batches))
            end = whole.column(KEY)[-1].as_py()
            last = end if last is None else min(last, end)
        found = smallest([whole] if found is None else [found, whole], k)
    return found if found is None or last is None else _up_to(found, last)


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
