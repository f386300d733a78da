"""Whether the data came as agreed: how many rows, what is missing, what was never seen."""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper_monitor.grids import Axis, Categories, Grid
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Census, Value, nothing
from watchkeeper_monitor.profiles import Profile


def measure(grid: Grid, window: Profile, reference: Profile | None) -> Iterator[Value]:
    """Yield volume, label coverage and the shares of bad values of every feature."""
    base = None if reference is None else reference.rows
    yield Value("volume", "", "", float(window.rows), None, None, window.rows, base, Census())
    yield _coverage(window)
    for row, axis in enumerate(grid.axes):
        if axis.field.startswith("features."):
            yield from _of_axis(row, axis, window)
    for row, column in enumerate(grid.categories):
        yield from _of_categories(row, column, window)


def _coverage(window: Profile) -> Value:
    if not window.rows:
        return nothing("label_coverage", "", "no rows")
    value = window.labelled / window.rows
    return Value("label_coverage", "", "", value, None, None, window.rows, None, Census())


def _of_axis(row: int, axis: Axis, window: Profile) -> Iterator[Value]:
    cells = window.cells(row)
    present = int(cells.sum())
    missing, mistyped = (int(window.section(name)[row]) for name in ("nulls", "mistyped"))
    yield share("missing_share", axis.name, missing, window.rows)
    yield share("type_error_share", axis.name, mistyped, window.rows)
    if axis.low is None:
        why = "no reference range is known"
        yield nothing("out_of_range_share", axis.name, why, n=present)
        return
    # The first edge is the reference minimum, the last the next number after its maximum.
    outside = int(cells[0] + cells[-1])
    yield share("out_of_range_share", axis.name, outside, present, empty="every value is missing")


def _of_categories(row: int, column: Categories, window: Profile) -> Iterator[Value]:
    counts = window.categories(row)
    missing = int(counts[column.null])
    present = int(counts.sum()) - missing
    yield share("missing_share", column.name, missing, window.rows)
    if column.open:
        why = "the reference does not say which values exist"
        yield nothing("unseen_share", column.name, why, n=present)
        return
    unseen = int(counts[column.unseen])
    yield share("unseen_share", column.name, unseen, present, empty="every value is missing")
