"""What whoever approves a reference should know of it: columns that say nothing, or one thing.

None of it is refused. A column may be constant for good reasons; but one that was dead when
the rows were taken makes a baseline that is in force for months.
"""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper_monitor.grids import Grid


def remarks(grid: Grid) -> list[str]:
    """Return a sentence on each declared column that a reference knows too little of."""
    return [*_numeric(grid), *_categorical(grid), *_groups(grid)]


def _numeric(grid: Grid) -> Iterator[str]:
    for axis in grid.axes:
        if not axis.field.startswith("features."):
            continue
        if axis.low is None:
            yield _empty(axis.field)
        elif axis.low == axis.high:
            yield _constant(axis.field, f"{axis.low:g}")


def _categorical(grid: Grid) -> Iterator[str]:
    for column in grid.categories:
        if not column.values:
            yield _empty(column.field)
        elif len(column.values) == 1:
            yield _constant(column.field, repr(column.values[0]))


def _groups(grid: Grid) -> Iterator[str]:
    for attribute in grid.attributes:
        if "&" not in attribute.name and len(attribute.values) <= 1:
            held = f"only {attribute.values[0]!r}" if attribute.values else "no value"
            yield f"{attribute.field} holds {held}: its groups cannot be compared"


def _empty(field: str) -> str:
    return f"{field} holds no value: its drift is not measured on this reference"


def _constant(field: str, value: str) -> str:
    return f"{field} is {value} in every row: any other value is drift"
