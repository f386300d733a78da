"""Values as text: one rule for what counts as the same class, category or group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.classes import as_classes

_LONGEST = 20
"""The characters of the longest int64."""


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


class Known:
    """Texts that have a place: the values of a category, or classes.

    Parameters
    ----------
    known
        Each once, in order.
    """

    def __init__(self, known: Sequence[str]) -> None:
        whole = [place for place, text in enumerate(known) if _is_whole(text)]
        self._texts = pa.array(known, pa.string())
        self._whole = pa.array([int(known[place]) for place in whole], pa.int64())
        self._place_of_whole = np.array([*whole, -1], dtype=np.int32)

    def places(self, values: Any) -> npt.NDArray[np.int32]:
        """Return the place of each value of an Arrow array; -1 for the rest and for nulls.

        Examples
        --------
        >>> Known(["b", "7", "07"]).places(pa.array([7, 8, None])).tolist()
        [1, -1, -1]
        """
        if values.type == pa.int64():  # as a number it is found without writing it as a text
            return np.asarray(self._place_of_whole[_found(values, self._whole)])
        return _found(texts(values), self._texts)


def _is_whole(text: str) -> bool:
    """Return whether an int64 would be written as this text."""
    if not text.removeprefix("-").isdecimal() or len(text) > _LONGEST:
        return False
    return str(int(text)) == text and -(2**63) <= int(text) < 2**63


def _found(values: Any, among: Any) -> npt.NDArray[np.int32]:
    found = pc.index_in(values, value_set=among)
    if found.null_count:
        found = found.fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int32)


def flat(values: Any) -> Any:
    """Return a chunked array as one array; any other array as it is."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
