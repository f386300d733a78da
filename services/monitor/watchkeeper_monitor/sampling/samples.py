"""The rows that stand for a pane when somebody must look: the k smallest by id hash.

The choice depends on the ids alone, so a replay, another split into batches and another
order give the same rows, and the sample of two panes is the k smallest of both. It is so only
up to the key at which either ends, so a sample says where that is, however its size was set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper_shared.events.batches import concatenate

KEY = "__key"
"""The column that holds the id hash a row was chosen by."""
EVERYTHING = int(np.iinfo(np.int64).max)
"""The bound of a sample that nothing was left out of."""
_AT_ONCE = 32
"""So many samples are gathered before the smallest of them are chosen: each choice copies rows."""
_FEW = 32
"""Up to so many rows compressed buffers are larger than plain ones."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of least key among many, every one of them up to a bound.

    Parameters
    ----------
    rows
        In order of the key, each key once.
    bound
        Every row with a key up to here is in it; of those beyond it nothing is known.
    """

    rows: pa.RecordBatch
    bound: int

    def up_to(self, bound: int) -> Sample:
        """Return the sample up to a lower bound; itself where that is no lower."""
        if bound >= self.bound:
            return self
        keys = self.rows.column(KEY).to_numpy()
        return Sample(self.rows.slice(0, int(np.searchsorted(keys, bound, side="right"))), bound)


def of_rows(
    batch: pa.RecordBatch, hashes: NDArray[np.int64], k: int, bound: int = EVERYTHING
) -> Sample:
    """Return the k rows of a batch with the smallest id hashes.

    Parameters
    ----------
    bound
        Only rows up to it count: those beyond are in no sample that this one is merged with.
    """
    places = np.flatnonzero(hashes <= bound)
    if len(places) > k:
        places = places[np.argpartition(hashes[places], k - 1)[:k]]
        bound = int(hashes[places].max())
    keys, first = np.unique(hashes[places], return_index=True)
    rows = batch.take(pa.array(places[first]))
    return Sample(rows.append_column(KEY, pa.array(keys, pa.int64())), bound)


def merged(samples: Sequence[Sample], k: int) -> Sample:
    """Return the k rows of least key of what several samples stand for.

    Beyond the least of their bounds no row counts: of at least one of them nothing is known
    there, and a row of the others would have had a better chance than one of its.
    """
    if len(samples) == 1 and samples[0].rows.num_rows <= k:
        return samples[0]
    bound = min(one.bound for one in samples)
    whole = concatenate([one.up_to(bound).rows for one in samples])
    keys, first = np.unique(whole.column(KEY).to_numpy(), return_index=True)
    if len(first) > k:
        first, bound = first[:k], int(keys[k - 1])
    return Sample(whole.take(pa.array(first)), bound)


def of_span(panes: Iterable[Sample], k: int) -> Sample | None:
    """Return the k rows of least key of a span; None where nothing was kept.

    A busy pane kept a smaller share of its rows than a quiet one; up to the bound of all of
    them every row of the span had the same chance.
    """
    waiting: list[Sample] = []
    bound = EVERYTHING
    for pane in panes:
        waiting.append(pane.up_to(bound))
        bound = waiting[-1].bound
        if len(waiting) >= _AT_ONCE:
            waiting = [merged(waiting, k)]
            bound = waiting[0].bound
    return merged(waiting, k) if waiting else None


def to_bytes(sample: pa.RecordBatch) -> bytes:
    """Return the sample as an Arrow IPC stream, with lz4 buffers where there are many rows.

    Of few rows they would be larger, and take twenty times as long.
    """
    sink = pa.BufferOutputStream()
    compression = "lz4" if sample.num_rows > _FEW else None
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, sample.schema, options=options) as stream:
        stream.write_batch(sample)
    return bytes(sink.getvalue())


def from_bytes(data: bytes) -> pa.RecordBatch:
    """Read what `to_bytes` wrote."""
    table = pa.ipc.open_stream(data).read_all().combine_chunks()
    found = table.to_batches()
    return found[0] if found else pa.RecordBatch.from_pylist([], schema=table.schema)
