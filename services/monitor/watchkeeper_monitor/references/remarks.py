"""What whoever approves a reference should know of it: columns that say nothing, or one thing.

None of it is refused. A column may be constant for good reasons; but one that was dead when
the rows were taken makes a baseline that is in force for months.
"""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.axes import Axis
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.counted import counted


def remarks(reference: Reference) -> list[str]:
    """Return a sentence on each declared column that a reference knows too little of."""
    grid = reference.grid
    return [*_numeric(reference), *_categorical(grid), *_groups(grid)]


def _numeric(reference: Reference) -> Iterator[str]:
    mistyped = reference.profile.section("mistyped").tolist()
    for row, axis in enumerate(reference.grid.axes):
        if not axis.field.startswith("features."):
            continue
        if axis.low is None and mistyped[row]:
            texts = counted(mistyped[row], "text")
            yield (
                f"{axis.field} is declared numeric and holds {texts} and no "
                "number: its drift is not measured; declare it categorical, or convert the file"
            )
        elif axis.low is None:
            yield _empty(axis.field)
        elif axis.low == axis.high:
            yield _constant(axis.field, f"{axis.low:g}")
        else:
            yield from _far_out(axis, int(reference.profile.cells(row).sum()))


def _far_out(axis: Axis, n: int) -> Iterator[str]:
    """Name a value that by itself makes half of the column's variance, or more."""
    low, high = axis.low or 0.0, axis.high or 0.0
    furthest = low if axis.mean - low > high - axis.mean else high
    if ((furthest - axis.mean) / axis.scale) ** 2 >= n / 2:
        yield (
            f"{axis.field} is {furthest:g} in one row, which makes most of its standard deviation: "
            "wasserstein, measured in it, will hardly move; leave the row out, or watch psi and ks"
        )


def _categorical(grid: Grid) -> Iterator[str]:
    for column in grid.categories:
        if not column.values:
            yield _empty(column.field)
        elif len(column.values) == 1:
            yield _constant(column.field, repr(column.values[0]))
        elif column.open:
            yield (
                f"{column.field} holds more than {len(column.values) + len(column.rare):,} values: "
                "which are new will not be known, and its drift is that of the "
                f"{len(column.values)} commonest; are these ids?"
            )


def _groups(grid: Grid) -> Iterator[str]:
    for attribute in grid.attributes:
        if "&" not in attribute.name and len(attribute.values) <= 1:
            held = f"only {attribute.values[0]!r}" if attribute.values else "no value"
            yield f"{attribute.field} holds {held}: its groups cannot be compared"
        elif attribute.rare:
            count = len(attribute.values)
            more = f"{count + len(attribute.rare):,}{' and more' * attribute.open}"
            yield (
                f"{attribute.field} holds {more} groups: the {count} commonest are compared, the "
                "others are not watched; join rare ones, or watch them as a system of their own"
            )


def _empty(field: str) -> str:
    return f"{field} holds no value: its drift is not measured on this reference"


def _constant(field: str, value: str) -> str:
    return f"{field} is {value} in every row: any other value is drift"
