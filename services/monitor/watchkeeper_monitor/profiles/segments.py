"""Declared slices of a system's rows, such as `SEX=2` or `SEX=2&RAC1P=3`.

A slice has a profile of its own beside that of everything, so the same metrics are measured on
it. What a slice is made of must be known of a prediction when its label comes, and that is its
groups: slices are of declared attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Grid
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.metric_names import CONFUSION, Family, family_of
from watchkeeper_shared.specs import Rule

Bools = npt.NDArray[np.bool_]


def slices_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return the slices that rules look at, in text order.

    The segments of fairness and of estimates are groups, which every profile counts anyway, and
    those of `confusion_share` are predicted classes.
    """
    counted = (Family.FAIRNESS, Family.ESTIMATED)
    sliced = (one for one in rules if family_of(one.metric) not in counted)
    named = (rule.segments for rule in sliced if rule.metric != CONFUSION)
    return tuple(sorted({segment for segments in named for segment in segments if segment}))


def parse(segment: str) -> tuple[tuple[str, str], ...]:
    """Return the attributes of a slice and the group that each must have.

    Raises
    ------
    InvalidObject
        The text is no list of `attribute=group`, joined by `&`.

    Examples
    --------
    >>> parse("SEX=2&RAC1P=3")
    (('SEX', '2'), ('RAC1P', '3'))
    """
    parts = tuple(part.partition("=") for part in segment.split("&"))
    if not all(name and equals for name, equals, _ in parts):
        raise InvalidObject(
            f"a segment is `attribute=group`, several joined by `&`, as in SEX=2&RAC1P=3; "
            f"got {segment!r}"
        )
    return tuple((name, group) for name, _, group in parts)


def rows_of(segment: str, grid: Grid, groups: npt.NDArray[np.integer[Any]]) -> Bools:
    """Return which rows belong to a slice.

    An attribute that the grid does not have, and a group that its reference did not hold, is
    in no row; nor is a segment that cannot be read, for which one system's policy must not
    stop the worker that counts all others.

    Parameters
    ----------
    groups
        Codes `[attributes, n]`.
    """
    codes = _codes(segment, grid)
    found = np.full(groups.shape[1], codes is not None)
    for row, code in codes or ():
        found &= groups[row] == code
    return found


def is_known(segment: str, grid: Grid) -> bool:
    """Return whether the rows of a slice can be told from others on a grid.

    Where they cannot, that none was counted does not mean that there is none.
    """
    return _codes(segment, grid) is not None


def _codes(segment: str, grid: Grid) -> list[tuple[int, int]] | None:
    """Return row and code of each attribute of a slice; None where the grid lacks one."""
    attributes = {column.name: row for row, column in enumerate(grid.attributes)}
    try:
        pairs = parse(segment)
    except InvalidObject:  # `apply` refuses it; one applied before it did is told by the judge
        return None
    found = []
    for name, group in pairs:
        row = attributes.get(name)
        if row is None or group not in grid.attributes[row].values:
            return None
        found.append((row, grid.attributes[row].values.index(group)))
    return found
