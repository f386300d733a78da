"""The synthetic system that every figure uses: 14 numeric and 6 categorical features."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from watchkeeper_shared.specs import AISystem, FeatureKind, Group, Owner, Task

SYSTEM = "bench"
VERSION = "1"
START = datetime(2026, 1, 1, tzinfo=UTC)
NUMERIC = [f"n{i}" for i in range(14)]
CATEGORICAL = [f"c{i}" for i in range(6)]
CLASSES = (2, 3, 5, 8, 12, 20)


def spec() -> AISystem:
    """Return the declaration of the system."""
    features = dict.fromkeys(NUMERIC, FeatureKind.NUMERIC)
    features |= dict.fromkeys(CATEGORICAL, FeatureKind.CATEGORICAL)
    return AISystem(
        owner=Owner(team="bench", contact="bench@example.org"),
        purpose="Measures the monitor",
        task=Task.BINARY,
        features=features,
        groups={"g": Group(reference="a")},
    )


def _numeric(rng: np.random.Generator, index: int, rows: int) -> np.ndarray:
    shapes: tuple[Callable[[int], np.ndarray], ...] = (
        rng.standard_normal,
        lambda n: rng.gamma(2.0, 1.0, n),
        lambda n: rng.lognormal(0, 1, n),
    )
    return shapes[index % 3](rows)


def batch(rows: int, seed: int, *, first: int = 0, labels: bool = False) -> pa.RecordBatch:
    """Return `rows` predictions in canonical form, all within one hour of event time."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 2, rows)
    times = [START + timedelta(milliseconds=3_600_000 * i / rows) for i in range(rows)]
    columns: dict[str, pa.Array] = {
        "id": pa.array([f"{seed:06d}-{first + i:09d}" for i in range(rows)]),
        "system": pa.array([SYSTEM] * rows),
        "version": pa.array([VERSION] * rows),
        "time": pa.array(times, pa.timestamp("us", "UTC")),
        "prediction": pa.array((score > 0.5).astype(np.int64)),
        "score": pa.array(score),
        "groups.g": pa.array(np.array(list("abcd"))[rng.integers(0, 4, rows)]),
    }
    for i, name in enumerate(NUMERIC):
        columns[f"features.{name}"] = pa.array(_numeric(rng, i, rows))
    for name, count in zip(CATEGORICAL, CLASSES, strict=True):
        values = np.array([f"v{j}" for j in range(count)])
        columns[f"features.{name}"] = pa.array(values[rng.integers(0, count, rows)])
    if labels:
        columns["label"] = pa.array((rng.random(rows) < score).astype(np.int64))
    return pa.RecordBatch.from_pydict(columns)
