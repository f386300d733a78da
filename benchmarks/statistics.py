"""The same window against Evidently's bare statistics: no report, no rendering."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pyarrow as pa

from benchmarks.evidently_report import quiet
from benchmarks.figure import Figure, alternate
from benchmarks.stream import CATEGORICAL, NUMERIC, SYSTEM, VERSION, batch, spec
from benchmarks.windows import REFERENCE_ROWS, SIZES, answer
from watchkeeper_monitor.references.reference import Reference

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from evidently.legacy.calculations.stattests import (
        jensenshannon_stat_test,
        psi_stat_test,
        wasserstein_stat_test,
    )
    from evidently.legacy.core import ColumnType


def _statistics(base: pa.RecordBatch, window: pa.RecordBatch) -> Callable[[], object]:
    """Return the work of psi and the default distance of each feature, from raw columns."""
    reference, current = base.to_pandas(), window.to_pandas()
    numeric = [(f"features.{name}", ColumnType.Numerical) for name in NUMERIC]
    categorical = [(f"features.{name}", ColumnType.Categorical) for name in CATEGORICAL]
    tests = {
        ColumnType.Numerical: (psi_stat_test, wasserstein_stat_test),
        ColumnType.Categorical: (psi_stat_test, jensenshannon_stat_test),
    }

    def run() -> object:
        with quiet():
            return [
                test(reference[name], current[name], kind, None).drift_score
                for name, kind in numeric + categorical
                for test in tests[kind]
            ]

    return run


def figures() -> Iterator[Figure]:
    """Yield the three ratios; ours measures the whole catalogue, theirs two numbers a feature."""
    base = batch(REFERENCE_ROWS, 1, labels=True)
    reference = Reference.build([base], spec(), SYSTEM, VERSION)
    for name, (rows, rounds) in SIZES.items():
        window = batch(rows, 2, labels=True)
        ours, theirs = answer(reference, window), _statistics(base, window)
        ours(), theirs()
        mine, other = alternate(ours, theirs, rounds=rounds)
        yield Figure(
            f"window_vs_statistics_{name}",
            other / mine,
            "x",
            f"Evidently's bare psi, W1 or JS {other * 1e3:.0f} ms; ours, all {mine * 1e3:.1f} ms",
        )
