"""The answer of one window, from its rows, beside Evidently's; both get the rows in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from benchmarks.evidently_report import report
from benchmarks.figure import Figure, alternate
from benchmarks.stream import SYSTEM, VERSION, batch, spec
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.settings import Pace

FOLDED = Pace().flush_rows
"""The monitor puts what it polled together, and folds so many rows at once."""
REFERENCE_ROWS = 10_000
RUNS = 9
SIZES = {"1k": (1_000, 5), "10k": (10_000, 5), "100k": (100_000, 3)}


def answer(reference: Reference, rows: pa.RecordBatch) -> Callable[[], list[Value]]:
    """Return the work of folding `rows` and measuring everything the catalogue has."""
    system = spec()
    batches = [rows.slice(at, FOLDED) for at in range(0, rows.num_rows, FOLDED)]

    def run() -> list[Value]:
        window = Profile.empty(reference.grid)
        for one in batches:
            add_rows(window, one)
        return measure(system, reference.grid, window, reference.profile)

    return run


def figures() -> Iterator[Figure]:
    """Yield the three ratios."""
    base = batch(REFERENCE_ROWS, 1, labels=True)
    reference = Reference.build([base], spec(), SYSTEM, VERSION)
    for name, (rows, rounds) in SIZES.items():
        window = batch(rows, 2, labels=True)
        ours, theirs = answer(reference, window), report(base, window)
        ours(), theirs()
        mine, other = alternate(ours, theirs, rounds=rounds, runs=RUNS)
        yield Figure(
            f"window_vs_evidently_{name}",
            other / mine,
            "x",
            f"Evidently Report (drift + class.) {other:.2f} s; ours from rows {mine * 1e3:.1f} ms",
        )
