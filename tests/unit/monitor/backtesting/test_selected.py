"""What is asked for of many windows at once is what each window says by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.metrics import measure
from watchkeeper_monitor.metrics.selected import Selection
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_shared.metric_names import FAMILIES, METRIC_NAMES
from watchkeeper_shared.testing.builders import a_system

END = datetime(2026, 3, 2, tzinfo=UTC)


def rows(n: int, seed: int, task: str) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=n)
    columns: dict[str, Any] = {
        "features.AGEP": rng.normal(40 + seed, 10, n),
        "features.RELP": rng.choice(["0", "1", "7"], n),
        "groups.SEX": rng.choice(["1", "2"], n),
        "groups.RAC1P": rng.choice(["1", "2", "3"], n),
        "score": score,
        "latency_ms": rng.gamma(2, 10, n),
        "explanation.AGEP": rng.normal(size=n),
    }
    if task == "regression":
        columns |= {"prediction": score * 3, "label": score * 3 + rng.normal(size=n)}
    elif task == "multiclass":
        columns |= {"prediction": rng.integers(0, 4, n), "label": rng.integers(0, 4, n)}
    else:
        columns |= {"prediction": (score > 0.5) * 1, "label": (rng.uniform(size=n) < score) * 1}
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


@pytest.fixture(params=["binary", "multiclass", "regression"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def profiles(grid: Grid, task: str, slices: tuple[str, ...] = ()) -> list[Profile]:
    found = []
    for seed, n in enumerate((600, 0, 1, 40, 1_200)):
        profile = Profile.empty(grid, slices)
        if n:
            batch = rows(n, seed, task)
            add_rows(profile, batch if seed % 2 else batch.drop_columns(["label"]))
        found.append(profile)
    return found


def wanted() -> list[frozenset[str]]:
    some = [frozenset(names) for names in FAMILIES.values()]
    alone = [frozenset([name]) for name in METRIC_NAMES]
    return [*some, *alone, frozenset(METRIC_NAMES), frozenset(["psi", "ks", "accuracy", "volume"])]


@pytest.mark.parametrize("slices", [(), ("SEX=2",)])
def test_any_choice_is_that_part_of_everything(task: str, slices: tuple[str, ...]) -> None:
    spec = a_system(task=task)
    built = Reference.build([rows(3_000, 9, task)], spec, "s", "1")
    windows, base = profiles(built.grid, task, slices), built.sliced(slices)
    whole = [measure(spec, built.grid, window, base, end=END) for window in windows]

    for choice in wanted():
        selection = Selection(spec, built.grid, base, choice)

        found = selection.measure([(window, END) for window in windows])

        for some, everything in zip(found, whole, strict=True):
            expected = [value for value in everything if value.metric in choice]
            assert sorted(map(repr, some)) == sorted(map(repr, expected))


def test_without_a_reference_too(task: str) -> None:
    spec = a_system(task=task)
    grid = Grid.bare(spec, "1")
    windows = profiles(grid, task)
    whole = [measure(spec, grid, window, None, end=END) for window in windows]

    found = Selection(spec, grid, None, frozenset(METRIC_NAMES)).measure(
        [(window, END) for window in windows]
    )

    assert [sorted(map(repr, some)) for some in found] == [sorted(map(repr, one)) for one in whole]
