"""The rows that stand for a pane when somebody must look: the k smallest by id hash.

The choice depends on the ids alone, so a replay, another split into batches and another
order give the same rows, and the sample of two panes is the k smallest of both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from watchkeeper_shared.events.batches import concatenate

KEY = "__key"
"""The column that holds the id hash a row was chosen by."""


def keyed(batch: pa.RecordBatch, keys: np.ndarray) -> pa.RecordBatch:
    """Return the batch with its id hashes as a column."""
    return batch.append_column(KEY, pa.array(keys, pa.int64()))


def smallest(batches: Sequence[pa.RecordBatch], k: int) -> pa.RecordBatch:
    """Return the k rows with the smallest keys, in order of the key, each key once."""
    whole = concatenate(batches)
    keys = whole.column(KEY).to_numpy()
    _, first = np.unique(keys, return_index=True)
    return whole.take(pa.array(first[:k]))


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
