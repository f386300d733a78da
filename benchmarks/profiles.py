"""Rows per second of folding batches into a profile, beside the bare numpy histograms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
import numpy.typing as npt

from benchmarks.figure import Figure, alternate
from benchmarks.stream import SYSTEM, VERSION, batch, spec
from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import Columns, encode
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference

ROWS, BATCHES, ROUNDS = 1_000, 200, 5


def _histograms(columns: list[Columns], grid: Grid) -> Callable[[], object]:
    """Return the least that any profile must do: sort, search the edges, count codes."""
    edges = [axis.edge_array for axis in grid.axes]

    def run() -> object:
        counts = [np.zeros(edge.size + 1, dtype=np.int64) for edge in edges]
        codes: npt.NDArray[np.int64] = np.zeros(4096, dtype=np.int64)
        for one in columns:
            for row, edge in enumerate(edges):
                below = np.searchsorted(np.sort(one.numeric[row]), edge)
                counts[row] += np.diff(below, prepend=0, append=one.n)
            for each in one.categorical:
                codes += np.bincount(each, minlength=4096)
        return counts

    return run


def figures() -> Iterator[Figure]:
    """Yield rows per second of the update alone and from Arrow, and the ratio to the floor."""
    reference = Reference.build([batch(10_000, 1, labels=True)], spec(), SYSTEM, VERSION)
    batches = [batch(ROWS, seed) for seed in range(20)] * (BATCHES // 20)
    columns = [encode(one, reference.grid) for one in batches]

    def update() -> None:
        profile = Profile.empty(reference.grid)
        for one in columns:
            profile.add_predictions(one)

    def from_arrow() -> None:
        profile = Profile.empty(reference.grid)
        for one in batches:
            profile.add_predictions(encode(one, reference.grid))

    rows = ROWS * BATCHES
    mine, floor = alternate(update, _histograms(columns, reference.grid), rounds=ROUNDS)
    arrow, _ = alternate(from_arrow, update, rounds=ROUNDS)
    start = process_time()
    update()
    words = f"{ROWS}-row batches; {rows / (process_time() - start):,.0f} a second of processor time"
    yield Figure("profile_rows_per_s", rows / mine, "rows/s", words)
    yield Figure(
        "profile_vs_histograms",
        mine / floor,
        "x",
        f"bare numpy sort, searchsorted, bincount: {rows / floor:,.0f} rows/s",
    )
    yield Figure("profile_from_arrow_rows_per_s", rows / arrow, "rows/s", "encode and update")
