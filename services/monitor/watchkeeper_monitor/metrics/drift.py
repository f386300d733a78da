"""How far the window has moved from the reference: features, prediction, score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from watchkeeper_monitor.grids import Axis, Categories, Grid
from watchkeeper_monitor.metrics import curves, distances
from watchkeeper_monitor.metrics.values import TwoSample, Value, nothing
from watchkeeper_monitor.profiles import Profile

Ints = npt.NDArray[np.int64]
Pair = tuple[Ints, Ints]
"""Counts of the window and of the reference."""

ON_COUNTS = ("psi", "js_distance")
ON_CURVES = ("wasserstein", "ks")
_NO_REFERENCE = "there is no reference to compare with"


def measure(grid: Grid, window: Profile, reference: Profile | None) -> Iterator[Value]:
    """Yield the drift of every feature, of the score where one is sent, of the prediction."""
    for row, axis in enumerate(grid.axes):
        if axis.field == "score" and not _sent(row, window, reference):
            continue
        yield from _of_axis(row, axis, window, reference)
    for row, column in enumerate(grid.categories):
        yield from _of_categories(row, column, window, reference)
    if not grid.regression:
        base = None if reference is None else reference.section("predictions")
        yield from _on_counts("prediction", window.section("predictions"), base)


def _sent(row: int, window: Profile, reference: Profile | None) -> bool:
    known = window.cells(row).any() or (reference is not None and reference.cells(row).any())
    return bool(known)


def _of_categories(
    row: int, column: Categories, window: Profile, reference: Profile | None
) -> Iterator[Value]:
    base = None if reference is None else reference.categories(row)[: column.null]
    return _on_counts(column.name, window.categories(row)[: column.null], base)


def _on_counts(name: str, window: Ints, reference: Ints | None) -> Iterator[Value]:
    """Yield the distances that need counts only."""
    why = _unmeasurable(window, reference)
    if why or reference is None:
        yield from (_none(metric, name, window, reference, why) for metric in ON_COUNTS)
        return
    test = distances.two_sample(window, reference)
    for metric, spread in (
        ("psi", distances.psi(window, reference)),
        ("js_distance", distances.js_distance(window, reference)),
    ):
        yield _value(metric, name, spread, (window, reference), test)


def _of_axis(row: int, axis: Axis, window: Profile, reference: Profile | None) -> Iterator[Value]:
    counts = window.cells(row)
    base = None if reference is None else reference.cells(row)
    starts = axis.bin_starts
    bins = np.add.reduceat(counts, starts)
    yield from _on_counts(axis.name, bins, None if base is None else np.add.reduceat(base, starts))
    why = _unmeasurable(counts, base)
    if why or base is None or reference is None:
        yield from (_none(metric, axis.name, counts, base, why) for metric in ON_CURVES)
        return
    test = distances.two_sample(bins, np.add.reduceat(base, starts))
    if axis.sd > 0:
        *spread, bound = curves.wasserstein(window, reference, row, axis)
        note = _bound_note(bound)
        yield _value("wasserstein", axis.name, tuple(spread), (counts, base), test, note)
    else:
        why = "the reference is constant, so it has no standard deviation to measure in"
        yield _none("wasserstein", axis.name, counts, base, why)
    *spread, bound = curves.ks(counts, base, axis.edge_array)
    yield _value("ks", axis.name, tuple(spread), (counts, base), test, _bound_note(bound))


def _bound_note(bound: float) -> str:
    return f"binning error at most {bound:.2g}"


def _unmeasurable(window: Ints, reference: Ints | None) -> str:
    """Say why there is nothing to compare; empty when there is."""
    if reference is None:
        return _NO_REFERENCE
    if not reference.any():
        return "the reference has no value in this column"
    return "" if window.any() else "the window has no value in this column"


def _none(metric: str, name: str, window: Ints, reference: Ints | None, why: str) -> Value:
    n = int(window.sum())
    return nothing(
        metric, name, why, n=n, reference_n=None if reference is None else int(reference.sum())
    )


def _value(
    metric: str, name: str, spread: tuple[float, ...], pair: Pair, test: TwoSample, note: str = ""
) -> Value:
    value, low, high = spread
    n, m = (int(counts.sum()) for counts in pair)
    return Value(metric, name, "", value, low, high, n, m, test, note)
