"""Values as text: one rule for what counts as the same class, category or group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.classes import as_classes


def texts(values: Any) -> Any:
    """Return an Arrow array of any type as strings; `1`, `1.0` and `"1"` are the same text.

    Examples
    --------
    >>> texts(pa.array([1.0, None, 2.5])).to_pylist()
    ['1', None, '2.5']
    """
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.string())
    if pa.types.is_dictionary(values.type):
        return texts(values.dictionary).take(values.indices)
    return as_classes(values)


def positions(values: Any, known: Any) -> npt.NDArray[np.int32]:
    """Return where each text of an Arrow array stands in `known`; -1 for the rest and nulls."""
    found = pc.index_in(texts(values), value_set=known)
    if found.null_count:
        found = found.fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int32)


def flat(values: Any) -> Any:
    """Return a chunked array as one array; any other array as it is."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
