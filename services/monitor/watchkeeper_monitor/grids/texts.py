"""Values as text: one rule for what counts as the same class, category or group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.events.classes import as_classes

_LONGEST = 20
"""The characters of the longest int64."""
_MOST_DENSE = 4096


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
        self._dense = _Dense.of({int(known[place]): place for place in whole})

    def places(self, values: Any) -> npt.NDArray[np.int32]:
        """Return the place of each value of an Arrow array; -1 for the rest and for nulls.

        Examples
        --------
        >>> Known(["b", "7", "07"]).places(pa.array([7, 8, None])).tolist()
        [1, -1, -1]
        """
        if values.type == pa.int64():  # as a number it is found without writing it as a text
            if self._dense is not None and not values.null_count:
                return self._dense.places(values.to_numpy())
            return np.asarray(self._place_of_whole[_found(values, self._whole)])
        return _found(texts(values), self._texts)


@dataclass(frozen=True, slots=True, eq=False)
class _Dense:
    """Whole numbers near each other, as classes are: a place for each, without a search.

    Parameters
    ----------
    least
        The least of them.
    table
        Their places by distance from it; -1 between them, and in the last entry for the rest.
    """

    least: int
    table: npt.NDArray[np.int32]

    @classmethod
    def of(cls, places: dict[int, int]) -> _Dense | None:
        """Return the table of these numbers; None when there are none, or far apart."""
        if not places or max(places) - min(places) >= _MOST_DENSE:
            return None
        table = np.full(max(places) - min(places) + 2, -1, dtype=np.int32)
        for number, place in places.items():
            table[number - min(places)] = place
        return cls(min(places), table)

    def places(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the place of each value."""
        # Without a sign, what lies below the least is far above it.
        away = (values - np.int64(self.least)).view(np.uint64)
        return self.table.take(np.minimum(away, np.uint64(len(self.table) - 1)).view(np.int64))


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
