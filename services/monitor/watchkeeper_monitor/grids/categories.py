"""The codes of one categorical column or one protected attribute, fixed by the reference."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.grids.texts import Known, texts

MOST_VALUES = 256
MOST_GROUPS = 20
MOST_RARE = 4096
"""So many values past the cap are still told apart from values never seen."""


class Categories(msgspec.Struct, frozen=True, dict=True):
    """One column of texts: `values` have codes 0, 1, …; then come other, unseen and null.

    Parameters
    ----------
    name, field
        The column as measurements name it, and as a batch does.
    values
        The commonest reference values, commonest first; equal counts in text order.
    rare
        Reference values beyond the cap, in text order: counted together as `other`.
    open
        The reference had more values than we keep: unseen and rare cannot be told apart
        there, so both count as `other` and the unseen share is unknown.
    """

    name: str
    field: str
    values: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    open: bool = False

    @property
    def other(self) -> int:
        """The code of reference values beyond the cap."""
        return len(self.values)

    @property
    def unseen(self) -> int:
        """The code of values that the reference never held."""
        return len(self.values) + 1

    @property
    def null(self) -> int:
        """The code of a missing value."""
        return len(self.values) + 2

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return len(self.values) + 3

    @cached_property
    def _known(self) -> Known:
        return Known((*self.values, *self.rare))

    @cached_property
    def _code_of_place(self) -> npt.NDArray[np.int32]:
        """The code of every known value, and last, where -1 finds it, of any other one."""
        codes = np.minimum(np.arange(len(self.values) + len(self.rare) + 1), self.other)
        codes[-1] = self.other if self.open else self.unseen
        return codes.astype(np.int32)

    def named(self, column: Any) -> Any:
        """Return an Arrow array as texts, null where a value is none of `values`."""
        words = texts(column)
        is_named = pc.is_in(words, value_set=pa.array(self.values, pa.string()))
        return pc.if_else(is_named, words, pa.scalar(None, pa.string()))

    def encode(self, column: Any) -> npt.NDArray[np.int32]:
        """Return the code of every value of an Arrow array.

        Examples
        --------
        >>> kinds = Categories("k", "features.k", values=("a", "b"), rare=("z",))
        >>> kinds.encode(pa.array(["b", "z", "new", None])).tolist()
        [1, 2, 3, 4]
        """
        if pa.types.is_dictionary(column.type):
            return self._encode_dictionary(column)
        codes = self._code_of_place.take(self._known.places(column))
        if column.null_count:
            codes[np.asarray(column.is_null())] = self.null
        return codes

    def _encode_dictionary(self, column: Any) -> npt.NDArray[np.int32]:
        """Look up each distinct value once; the last entry stands for null."""
        table = np.append(self.encode(column.dictionary), np.int32(self.null))
        at = (
            column.indices.cast(pa.int32()).fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        )
        return np.asarray(table[at], dtype=np.int32)

    @classmethod
    def build(cls, name: str, field: str, column: Any, cap: int = MOST_VALUES) -> Categories:
        """Fix the codes from an Arrow array of reference values."""
        counted = texts(column).drop_null().value_counts()
        pairs = zip(
            counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
        )
        ranked = [value for value, _ in sorted(pairs, key=lambda pair: (-pair[1], pair[0]))]
        rare = sorted(ranked[cap:])
        return cls(name, field, tuple(ranked[:cap]), tuple(rare[:MOST_RARE]), len(rare) > MOST_RARE)
