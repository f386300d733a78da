"""Declared intersections of attributes: `SEX&RAC1P` has groups such as `1&1` and `1&2`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_monitor.grids.categories import Categories
from watchkeeper_monitor.grids.texts import texts

MOST_CROSSED = 64
"""The commonest groups of an intersection that are told apart; more are counted together."""
JOINT = "&"


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """How the groups of an intersection follow from those of its attributes.

    Parameters
    ----------
    row
        Which attribute of the grid is the intersection.
    parts
        Which attributes it joins, in the order of its name.
    sizes
        How many codes each of these has.
    table
        The code of every combination of codes, flat.
    """

    row: int
    parts: tuple[int, ...]
    sizes: tuple[int, ...]
    table: npt.NDArray[np.int32]

    def codes(self, groups: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
        """Return the codes of rows whose attributes have the codes `groups`, `[attributes, n]`."""
        rows = tuple(groups[part] for part in self.parts)
        return np.asarray(self.table[np.ravel_multi_index(rows, self.sizes)])


def parts_of(name: str) -> tuple[str, ...]:
    """Return the attributes that an intersection joins; of a plain attribute, itself."""
    return tuple(name.split(JOINT))


def joined(columns: list[Any]) -> Any:
    """Return the values of several attributes as one text each; null where one is missing."""
    return pc.binary_join_element_wise(*(texts(column) for column in columns), JOINT)


def crossings_of(attributes: tuple[Categories, ...]) -> tuple[Crossing, ...]:
    """Return how each intersection follows from its parts."""
    rows = {column.name: row for row, column in enumerate(attributes)}
    found = []
    for row, column in enumerate(attributes):
        names = parts_of(column.name)
        if len(names) > 1:
            parts = tuple(rows[name] for name in names)
            found.append(_crossing(row, column, parts, [attributes[part] for part in parts]))
    return tuple(found)


def _crossing(
    row: int, column: Categories, parts: tuple[int, ...], single: list[Categories]
) -> Crossing:
    sizes = tuple(one.codes for one in single)
    table = np.full(sizes, column.unseen, dtype=np.int32)
    for axis, one in enumerate(single):  # a value beyond its own cap makes no group of its own
        np.moveaxis(table, axis, 0)[one.other] = column.other
    known = [one.values for one in single]
    texts_of = [JOINT.join(values) for values in product(*known)]
    codes = column.encode(pa.array(texts_of, pa.string()))
    table[np.ix_(*(range(len(values)) for values in known))] = codes.reshape(
        [len(values) for values in known]
    )
    for axis, one in enumerate(single):
        np.moveaxis(table, axis, 0)[one.null] = column.null
    return Crossing(row, parts, sizes, table.ravel())
