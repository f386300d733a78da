"""Values as text: one rule for what counts as the same class, category or group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def texts(values: Any) -> Any:
    """Return an Arrow array as strings; `1`, `1.0` and `"1"` are the same text `"1"`.

    Parameters
    ----------
    values
        An Arrow array of any length; dictionary encoded, string, number or boolean.

    Examples
    --------
    >>> texts(pa.array([1.0, None, 2.5])).to_pylist()
    ['1', None, '2.5']
    """
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_dictionary(kind):
        return texts(values.dictionary).take(values.indices)
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.string())
    if pa.types.is_floating(kind):
        values = _whole_numbers_as_integers(values)
    return pc.cast(values, pa.string())


def _whole_numbers_as_integers(values: Any) -> Any:
    """Cast to int64 when every value is whole, so that 1.0 reads `1`; else value by value."""
    numbers = values.to_numpy(zero_copy_only=False)
    whole = np.isfinite(numbers) & (np.abs(numbers) < 2**53) & (np.rint(numbers) == numbers)
    missing = np.asarray(values.is_null())
    if bool((whole | missing).all()):
        return pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=missing)
    named = [
        None if null else str(int(x)) if is_whole else repr(float(x))
        for x, is_whole, null in zip(numbers, whole, missing, strict=True)
    ]
    return pa.array(named, pa.string())


def flat(values: Any) -> Any:
    """Return a chunked array as one array; any other array as it is."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
