"""Labels that tell of their predictions: what covers a row, whenever label and prediction come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.integration.monitor.conftest import labels

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import encode
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, labelled_of
from watchkeeper_shared.db import tables
from watchkeeper_shared.events.rows import Kind

ROWS = 200
ROUNDS = 6


def echoing(rows: pa.RecordBatch, values: list[str], time: datetime) -> pa.RecordBatch:
    """Labels of these rows that say themselves what was predicted, and when."""
    told = labels(rows.column("id").to_pylist(), values, time)
    for name in ("prediction", "score", "groups.SEX"):
        told = told.append_column(name, rows.column(name))
    return told.append_column("prediction_time", rows.column("time"))


def truth(rows: pa.RecordBatch) -> list[str]:
    return [str(one) for one in rows.column("prediction").to_pylist()]


def coverage(world: Any, day: int = 0) -> tuple[float | None, int]:
    found = world.now_measured("label_coverage", day)
    return found.value, found.n


def labelled(world: Any, day: int = 0) -> int:
    found: int = world.now_measured("accuracy", day).n
    return found


def test_a_label_of_a_prediction_that_never_came_covers_no_row(referenced: Any) -> None:
    came, never = referenced.batch(0, ROWS), referenced.batch(0, ROWS, seed=5)
    referenced.send(came)
    some = came.slice(0, 50)
    referenced.label(some.column("id").to_pylist(), truth(some))
    referenced.send(echoing(never, truth(never), referenced.clock.now()), Kind.LABELS)
    referenced.settle()

    assert coverage(referenced) == (0.25, ROWS)
    assert labelled(referenced) == 50 + ROWS
    reason = referenced.now_measured("label_coverage", 0).reason
    assert "200 labels of predictions that never came themselves are left out" in reason


def test_a_label_covers_its_row_once_the_prediction_came_after_it(referenced: Any) -> None:
    first, then = referenced.batch(0, ROWS), referenced.batch(0, ROWS, seed=5)
    referenced.send(first)
    referenced.send(echoing(then, truth(then), referenced.clock.now()), Kind.LABELS)
    referenced.settle()
    assert coverage(referenced) == (0.0, ROWS)

    referenced.send(then)
    referenced.settle()

    assert coverage(referenced) == (0.5, 2 * ROWS)
    assert labelled(referenced) == ROWS
    assert referenced.all(tables.labels, state="echoed") == []


def test_a_label_is_counted_where_its_prediction_says_that_it_was(referenced: Any) -> None:
    """The prediction is the better witness: an echo of another day gives way to it."""
    rows = referenced.batch(1, ROWS)
    wrong_day = rows.set_column(3, "time", referenced.batch(0, ROWS).column("time"))
    referenced.go_to(2)
    referenced.send(echoing(wrong_day, truth(rows), referenced.clock.now()), Kind.LABELS)
    referenced.send(referenced.batch(0, 10, seed=9))
    referenced.settle()
    assert labelled(referenced, 0) == ROWS

    referenced.send(rows)
    referenced.settle()

    assert (labelled(referenced, 0), coverage(referenced, 0)) == (0, (0.0, 10))
    assert (labelled(referenced, 1), coverage(referenced, 1)) == (ROWS, (1.0, ROWS))


def test_a_correction_between_an_echo_and_its_prediction_stands(referenced: Any) -> None:
    rows = referenced.batch(0, ROWS)
    referenced.send(echoing(rows, truth(rows), referenced.clock.now()), Kind.LABELS)
    referenced.settle()
    referenced.clock.advance(timedelta(hours=1))
    turned = [str(1 - int(one)) for one in truth(rows)]
    referenced.label(rows.column("id").to_pylist(), turned)
    referenced.settle()
    referenced.send(rows)
    referenced.settle()

    accuracy = referenced.now_measured("accuracy", 0)
    assert (accuracy.value, accuracy.n, coverage(referenced)) == (0.0, ROWS, (1.0, ROWS))


def test_an_echo_that_waited_in_vain_stays_counted_and_is_looked_for_no_more(
    referenced: Any,
) -> None:
    rows = referenced.batch(0, ROWS)
    referenced.send(referenced.batch(0, 10, seed=9))
    referenced.send(echoing(rows, truth(rows), referenced.clock.now()), Kind.LABELS)
    referenced.settle()
    assert [one.rows for one in referenced.all(tables.labels, state="echoed")] == [ROWS]

    referenced.go_to(40)
    referenced.predict(39, 10)
    referenced.settle()

    assert referenced.all(tables.labels, state="echoed") == []
    assert referenced.tally("label_unknown") == 0
    assert (labelled(referenced), coverage(referenced)) == (ROWS, (0.0, 10))


def test_a_slice_is_measured_on_labels_of_predictions_that_never_came(referenced: Any) -> None:
    """More labels than rows are no sign that the policy named the slice too late."""
    rule = {"id": "two", "metric": "accuracy", "below": True, "breach": 0.5, "min_rows": 20}
    referenced.policy([rule | {"segments": ["SEX=2"]}])
    rows = referenced.batch(0, ROWS)
    referenced.send(referenced.batch(0, 10, seed=9))
    referenced.send(echoing(rows, truth(rows), referenced.clock.now()), Kind.LABELS)
    referenced.go_to(2)
    referenced.settle()

    (accuracy,) = referenced.all(tables.measurements, rule="two", current=True)
    women = sum(one == "2" for one in rows.column("groups.SEX").to_pylist())
    assert (accuracy.value, accuracy.n) == (1.0, women)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_any_order_profiles_are_those_of_predictions_that_came_first(
    referenced: Any, seed: int
) -> None:
    """Each row may come or not; its label may tell of it or not, come or not, be corrected."""
    rng = np.random.default_rng(seed)
    rows, now = referenced.batch(0, ROWS), referenced.clock.now()
    come, echo, plain, corrected = rng.random((4, ROWS)) < [[0.7], [0.5], [0.3], [0.4]]
    turns = rng.integers(0, ROUNDS, (4, ROWS))
    first = rows.column("prediction").to_numpy()
    last = np.where(corrected & (rng.random(ROWS) < 0.5), 1 - first, first)
    for turn in range(ROUNDS):
        comes, echoes, plains, corrects = (
            rows.filter(pa.array(kind & (turns[place] == turn)))
            for place, kind in enumerate((come, echo, plain, corrected))
        )
        by_id = dict(zip(rows.column("id").to_pylist(), last.astype(str).tolist(), strict=True))
        ids = corrects.column("id").to_pylist()
        values = [by_id[one] for one in ids]
        referenced.send(labels(ids, values, now + timedelta(minutes=2)), Kind.LABELS)
        referenced.send(labels(plains.column("id").to_pylist(), truth(plains), now), Kind.LABELS)
        referenced.send(echoing(echoes, truth(echoes), now), Kind.LABELS)
        referenced.send(comes)
        referenced.settle()

    counted = echo | (come & (plain | corrected))
    grid = grid_of(referenced)
    expected = Profile.empty(grid)
    expected.add_predictions(encode(rows.filter(pa.array(come)), grid))
    whole = labelled_of(rows.append_column("label", pa.array(last)), grid)
    expected.add_labels(replace(whole, echoed=~come).take(counted))
    assert stored(referenced).to_bytes() == expected.to_bytes()
    assert coverage(referenced) == ((come & counted).sum() / come.sum(), come.sum())


def grid_of(world: Any) -> Grid:
    (found,) = world.all(tables.references)
    return Reference.from_bytes(found.artifact).grid


def stored(world: Any) -> Profile:
    """All panes in one."""
    whole = Profile.empty(grid_of(world))
    for row in world.all(tables.profiles):
        whole.merge(Profile.from_bytes(whole.grid, row.profile))
    return whole
