"""A row contradicts what is held of its id exactly where the index can tell them apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.flush.contradictions import contradicting
from watchkeeper_monitor.flush.newcomers import Rows
from watchkeeper_monitor.grids import Grid, columns
from watchkeeper_monitor.store.index import Entries, together
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.specs import Task
from watchkeeper_shared.testing.builders import a_system

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS = 12
CLASSES = ("cat", "dog", "eel")


def told(task: Task) -> pa.RecordBatch:
    """Twelve predictions, five minutes apart."""
    numbers = np.arange(ROWS)
    predicted = {
        Task.BINARY: pa.array(numbers % 2),
        Task.MULTICLASS: pa.array([CLASSES[one % 3] for one in numbers]),
        Task.REGRESSION: pa.array(1000.0 + numbers),
    }
    found = {
        "id": pa.array([f"p-{one}" for one in numbers]),
        "version": pa.array(["1"] * ROWS),
        "time": pa.array([START + one * HOUR / 12 for one in range(ROWS)]),
        "prediction": predicted[task],
        "score": pa.array(numbers / ROWS),
        "features.AGEP": pa.array(numbers * 1.0),
        "groups.SEX": pa.array(["1", "2"] * (ROWS // 2)),
    }
    if task is Task.MULTICLASS:
        found |= {f"scores.{name}": pa.array(numbers / ROWS / 3) for name in CLASSES}
    return pa.record_batch(found)


CHANGES = {
    "version": pa.array(["2"] * ROWS),
    "time": pa.array([START + HOUR + one * HOUR / 12 for one in range(ROWS)]),
    "score": pa.array(np.arange(ROWS) / ROWS + 1e-5),
    "groups.SEX": pa.array(["2", "1"] * (ROWS // 2)),
}


def held(batch: pa.RecordBatch, grid: Grid) -> Entries:
    """What the index holds once the rows were counted, each half of them in a pane of its own."""
    rows, parts = Rows.of(batch), []
    for half in range(2):
        mine = rows.take(np.flatnonzero(np.arange(ROWS) * 2 // ROWS == half))
        span = Span(START + half * HOUR / 2, START + (half + 1) * HOUR / 2)
        encoded = columns.encode(mine.batch, grid)
        scores = columns.class_scores_of(mine.batch, grid)
        parts.append(Entries.of(PaneKey("s", "1", "r", span), mine.hashes, encoded, scores))
    return together(parts)


def asked(batch: pa.RecordBatch) -> Rows:
    rows = Rows.of(batch)
    return rows.take(np.argsort(rows.hashes))


def mixed(batch: pa.RecordBatch, name: str, other: pa.Array, at: set[int]) -> pa.RecordBatch:
    """Return the rows with another value in one column of some of them."""
    mask = pa.array([place in at for place in range(ROWS)])
    column = pa.compute.if_else(mask, other, batch.column(name))
    return batch.set_column(batch.schema.get_field_index(name), name, column)


@given(
    task=st.sampled_from(list(Task)),
    name=st.sampled_from(["prediction", *CHANGES]),
    at=st.sets(st.integers(0, ROWS - 1)),
)
def test_exactly_the_rows_that_say_something_else_contradict(
    task: Task, name: str, at: set[int]
) -> None:
    batch = told(task)
    grid = Grid.build(batch, a_system(task=task.value), "1")
    turned = batch.column("prediction").take(pa.array([(one + 1) % ROWS for one in range(ROWS)]))
    rows = asked(mixed(batch, name, CHANGES.get(name, turned), at))

    found = contradicting(rows, held(batch, grid), lambda *_: grid)

    ids = rows.batch.column("id").filter(pa.array(found)).to_pylist()
    assert set(ids) == {f"p-{place}" for place in at}


@pytest.mark.parametrize("task", list(Task))
def test_nothing_is_equal_to_nothing_and_to_nothing_else(task: Task) -> None:
    batch = told(task)
    grid = Grid.build(batch, a_system(task=task.value), "1")
    names = [name for name in batch.schema.names if name.startswith(("score", "groups."))]
    bare = batch.drop_columns(names)

    def share(rows: pa.RecordBatch, before: pa.RecordBatch) -> float:
        return float(contradicting(asked(rows), held(before, grid), lambda *_: grid).mean())

    assert share(bare, bare) == 0.0
    assert share(bare, batch) == share(batch, bare) == 1.0


def test_without_a_grid_versions_and_times_are_compared() -> None:
    batch = told(Task.BINARY)
    grid = Grid.build(batch, a_system(), "1")
    other = mixed(batch, "score", CHANGES["score"], set(range(ROWS)))
    later = mixed(other, "time", CHANGES["time"], {3})

    found = contradicting(asked(later), held(batch, grid), lambda *_: None)

    assert int(found.sum()) == 1
