"""Whether the data came as agreed: how many rows, how fresh, what is missing or never seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics.shares import share
from watchkeeper_monitor.metrics.values import Census, Value, nothing
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.layout import layout_of

_ALL_MISSING = "every value is missing"

_OVER_ALL_THE_TIME = frozenset({"volume", "freshness_seconds"})


def interrupted(values: Iterable[Value], note: str) -> list[Value]:
    """Return values of a window in which nobody watched for a while.

    How many rows came, and how long ago the last one, would say so of silence that nobody
    watched: these have no value, and `note` says why.
    """
    return [
        nothing(one.metric, one.column, note, n=one.n) if one.metric in _OVER_ALL_THE_TIME else one
        for one in values
    ]


def measure(
    grid: Grid, window: Profile, reference: Profile | None, end: datetime | None
) -> Iterator[Value]:
    """Yield volume, freshness, label coverage and bad values of every column."""
    base = None if reference is None else reference.rows
    yield Value("volume", "", "", float(window.rows), None, None, window.rows, base, Census())
    yield _freshness(window, end)
    yield _coverage(window)
    yield from _of_axes(grid, window, reference)
    yield from _of_categories(grid, window)


def _freshness(window: Profile, end: datetime | None) -> Value:
    newest = window.newest
    if newest is None or end is None:
        why = "no rows" if not window.rows else "no prediction has a time, or the window no end"
        return nothing("freshness_seconds", "", why, n=window.rows)
    age = end.timestamp() - newest
    return Value("freshness_seconds", "", "", age, None, None, window.rows, None, Census())


def _coverage(window: Profile) -> Value:
    if not window.rows:
        return nothing("label_coverage", "", "no rows")
    joined = window.labelled - window.echoed
    if joined > window.rows:  # counted before labels of no row were told apart
        why = f"{joined:,} labels, some of them of predictions that never came themselves"
        return nothing("label_coverage", "", why, n=window.rows)
    apart = {
        "of predictions that never came themselves": window.echoed,
        "of no known class": int(window.section("unknown_labels")[0]),
    }
    note = "; ".join(f"{n:,} labels {what} are left out" for what, n in apart.items() if n)
    value = joined / window.rows
    return Value("label_coverage", "", "", value, None, None, window.rows, None, Census(), note)


def _of_axes(grid: Grid, window: Profile, reference: Profile | None) -> Iterator[Value]:
    at, cells, rows = layout_of(grid), window.section("cells"), window.rows
    present = np.add.reduceat(cells, at.cell_starts[:-1]).tolist()
    # The first edge is the reference minimum, the last the next number after its maximum.
    outside = (cells[at.cell_starts[:-1]] + cells[at.cell_starts[1:] - 1]).tolist()
    missing, mistyped = (window.section(name).tolist() for name in ("nulls", "mistyped"))
    for row, axis in enumerate(grid.axes):
        if row == grid.score:
            sent = present[row] or mistyped[row]
            if sent or (reference is not None and reference.cells(row).any()):
                yield share("missing_share", "score", missing[row], rows)
                yield share("type_error_share", "score", mistyped[row], rows)
        elif axis.field.startswith("features."):
            yield share("missing_share", axis.name, missing[row], rows)
            yield share("type_error_share", axis.name, mistyped[row], rows)
            if axis.low is None:
                why = "no reference range is known"
                yield nothing("out_of_range_share", axis.name, why, n=present[row])
            else:
                metric, bad = "out_of_range_share", outside[row]
                yield share(metric, axis.name, bad, present[row], empty=_ALL_MISSING)


def _of_categories(grid: Grid, window: Profile) -> Iterator[Value]:
    starts, counts = layout_of(grid).category_starts.tolist(), window.section("categories").tolist()
    rows = window.rows
    for row, column in enumerate(grid.categories):
        missing = counts[starts[row] + column.null]
        present = rows - missing
        yield share("missing_share", column.name, missing, rows)
        if column.open:
            held = len(column.values) + len(column.rare)
            why = f"the reference held more than {held:,} values, so which are new is not known"
            yield nothing("unseen_share", column.name, why, n=present)
            continue
        unseen = counts[starts[row] + column.unseen]
        yield share("unseen_share", column.name, unseen, present, empty=_ALL_MISSING)
