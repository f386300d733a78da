"""Labels: late, early, many, out of order, corrected, orphaned, and telling of themselves."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.db import tables
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.topics import LABELS

ROWS = 400
DAYS = 3
CLASSES = ("a", "b", "c")


def merged(world: Any) -> dict[Any, bytes]:
    """The profile of each pane, as bytes, whoever wrote the parts."""
    (stored,) = world.all(tables.references)
    grid = Reference.from_bytes(stored.artifact).grid
    found: dict[Any, Profile] = {}
    for row in world.all(tables.profiles):
        into = found.setdefault(row.pane_start, Profile.empty(grid))
        into.merge(Profile.from_bytes(grid, row.profile))
    return {key: profile.to_bytes() for key, profile in found.items()}


def said(world: Any, ids: list[str], wrong: int = 0) -> list[str]:
    """Labels of which every `wrong`-th contradicts its prediction."""
    return [
        str(world.said[one] ^ int(bool(wrong) and place % wrong == 0))
        for place, one in enumerate(ids)
    ]


def test_labels_in_any_order_give_the_numbers_of_labels_on_time(referenced: Any) -> None:
    """One part of the days' predictions is labelled on time, and then late, wrong and again."""
    ids = [one for day in range(DAYS) for one in referenced.predict(day, ROWS)]
    truth = said(referenced, ids, wrong=5)
    referenced.go_to(DAYS)
    referenced.label(ids, truth)
    referenced.settle()
    on_time = merged(referenced)
    referenced.clock.advance(timedelta(minutes=1))
    referenced.label(ids, [str(1 - int(one)) for one in truth])  # now all of it is wrong
    referenced.settle()
    assert merged(referenced) != on_time

    order = np.random.default_rng(3).permutation(len(ids))
    for part in np.array_split(order, 11):
        some = [ids[at] for at in part]
        referenced.clock.advance(timedelta(days=8))
        referenced.label(some, [truth[at] for at in part])
        referenced.label(some, [str(1 - int(truth[at])) for at in part], days=-0.5)
        referenced.settle()

    assert merged(referenced) == on_time


def test_many_corrections_of_one_label_leave_the_newest(referenced: Any) -> None:
    ids = referenced.predict(0, ROWS)
    referenced.settle()
    for turn in range(20):
        referenced.clock.advance(timedelta(minutes=1))
        values = said(referenced, ids, wrong=1 if turn % 2 else 0)
        referenced.label(ids, values)
        referenced.settle()
    referenced.clock.advance(timedelta(minutes=1))
    referenced.label(ids, said(referenced, ids))
    referenced.settle()

    accuracy = referenced.now_measured("accuracy", 0)
    assert (accuracy.value, accuracy.n) == (1.0, ROWS)
    assert len(referenced.all(tables.labels)) < 10


def test_the_same_label_sent_again_changes_nothing(referenced: Any) -> None:
    ids = referenced.predict(0, ROWS)
    referenced.label(ids, said(referenced, ids, wrong=4))
    referenced.settle()
    before = merged(referenced), referenced.measured("accuracy", 0)
    for _ in range(3):
        referenced.label(ids, said(referenced, ids, wrong=4))
        referenced.settle()

    assert (merged(referenced), referenced.measured("accuracy", 0)) == before


def test_orphans_wait_without_being_looked_for_everywhere_again(referenced: Any) -> None:
    referenced.label([f"ghost-{n}" for n in range(50)], ["1"] * 50)
    ids = referenced.predict(0, ROWS)
    referenced.label(ids, said(referenced, ids))
    referenced.settle()
    (waiting,) = referenced.all(tables.labels, state="waiting")
    newest = max(row.id for row in referenced.all(tables.predictions))

    assert (waiting.rows, waiting.checked) == (50, newest)
    assert referenced.tally("labels_waiting") == 50
    referenced.go_to(40)
    referenced.predict(39)
    referenced.settle()

    assert referenced.tally("label_unknown") == 50
    assert referenced.tally("labels_waiting") == 0
    assert referenced.now_measured("accuracy", 0).n == ROWS


def test_what_came_longer_ago_than_labels_may_come_is_forgotten(referenced: Any) -> None:
    ids = referenced.predict(0, ROWS)
    referenced.settle()
    referenced.go_to(100)
    other = referenced.predict(99, ROWS)
    referenced.label([*ids, *other], said(referenced, [*ids, *other]))
    referenced.settle()
    referenced.label(other, said(referenced, other), days=0.0001)
    referenced.settle()

    assert sum(row.rows for row in referenced.all(tables.predictions)) == ROWS


def echoed(world: Any, ids: list[str], values: list[str], day: int) -> pa.RecordBatch:
    """Labels that say themselves what was predicted."""
    batch = world.batch(day, len(ids))
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(ids),
            "system": batch.column("system"),
            "label": pa.array(values),
            "time": pa.array([world.clock.now()] * len(ids), pa.timestamp("us", "UTC")),
            "prediction": batch.column("prediction"),
            "score": batch.column("score"),
            "prediction_time": batch.column("time"),
            "groups.SEX": batch.column("groups.SEX"),
        }
    )


def test_a_label_that_says_what_was_predicted_needs_no_prediction(referenced: Any) -> None:
    ids = referenced.batch(0, ROWS).column("id").to_pylist()
    truth = [str(one) for one in referenced.batch(0, ROWS).column("prediction").to_pylist()]
    referenced.predict(0, 10, seed=9)  # other rows of that day
    referenced.send(echoed(referenced, ids, truth, 0), Kind.LABELS)
    referenced.settle()

    accuracy = referenced.now_measured("accuracy", 0)
    assert (accuracy.value, accuracy.n) == (1.0, ROWS)
    assert referenced.now_measured("volume", 0).value == 10
    assert referenced.tally("labels_waiting") == 0
    coverage = referenced.now_measured("label_coverage", 0)
    assert (coverage.value, coverage.n) == (0.0, 10), "none of the rows that came has a label"
    assert "400 labels of predictions that never came themselves" in coverage.reason


def test_labels_alone_do_not_move_a_window_to_the_grid_of_a_newer_reference(
    referenced: Any,
) -> None:
    """A window counted before the reference changed would else lose all its predictions."""
    counted = referenced.predict(0)
    referenced.label(counted, [str(referenced.said[one]) for one in counted])
    referenced.go_to(2)
    referenced.settle()
    before = referenced.now_measured("psi", 0, "AGE")

    with referenced.database.transaction() as c:
        c.execute(tables.references.update().values(current=False))
    referenced.clock.advance(timedelta(minutes=1))
    referenced.approve_reference(rows=3_000)
    referenced.send(echoed(referenced, ["ghost"], ["1"], 0), Kind.LABELS)
    referenced.settle()

    after = referenced.now_measured("psi", 0, "AGE")
    assert referenced.now_measured("volume", 0).value == len(counted)
    assert (after.value, after.n, after.reference) == (before.value, before.n, before.reference)
    assert referenced.now_measured("accuracy", 0).n == len(counted)


@pytest.mark.parametrize("prediction_first", [True, False])
def test_nothing_is_counted_twice_when_the_prediction_comes_too(
    referenced: Any, *, prediction_first: bool
) -> None:
    ids = referenced.batch(0, ROWS).column("id").to_pylist()
    truth = [str(one) for one in referenced.batch(0, ROWS).column("prediction").to_pylist()]
    if prediction_first:
        referenced.predict(0, ROWS)
        referenced.settle()
    referenced.send(echoed(referenced, ids, truth, 0), Kind.LABELS)
    referenced.settle()
    if not prediction_first:
        referenced.predict(0, ROWS)
        referenced.settle()
    referenced.clock.advance(timedelta(hours=1))
    turned = [str(1 - int(one)) for one in truth]
    referenced.label(ids[:100], turned[:100])  # a correction without an echo
    referenced.settle()

    accuracy = referenced.now_measured("accuracy", 0)
    assert (accuracy.value, accuracy.n) == (0.75, ROWS)
    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.now_measured("label_coverage", 0).value == 1.0


def test_ten_thousand_labels_come_before_their_predictions(referenced: Any) -> None:
    rows = 10_000
    batch = referenced.batch(0, rows)
    ids = batch.column("id").to_pylist()
    truth = [str(one) for one in batch.column("prediction").to_pylist()]
    for start in range(0, rows, 500):
        referenced.label(ids[start : start + 500], truth[start : start + 500])
        referenced.settle()
    referenced.send(batch)
    referenced.settle()

    assert referenced.now_measured("accuracy", 0).n == rows
    assert referenced.tally("labels_waiting") == 0


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_scores_of_all_classes_count_alike_told_by_a_label_or_a_prediction(
    world: Any, form: str
) -> None:
    truth = np.random.default_rng(5).choice(CLASSES, ROWS).tolist()
    approve_three_classes(world, truth)
    rows = of_three_classes(world, 0)
    world.send(rows)
    world.label(rows.column("id").to_pylist(), truth)
    told = of_three_classes(world, 1)
    told = told.rename_columns(["prediction_time" if n == "time" else n for n in told.schema.names])
    told = told.append_column("label", pa.array(truth))
    instants = pa.array([world.clock.now()] * ROWS, pa.timestamp("us", "UTC"))
    told = told.append_column("time", instants)
    if form == "columns":
        world.send(told, Kind.LABELS)
    else:
        headers = {"content-type": "application/json"}
        world.send_raw(Message(LABELS.name, "loans", json.dumps(as_rows(told)).encode(), headers))
    world.go_to(3)
    world.settle()

    for metric in ("log_loss", "brier", "accuracy"):
        known, echoed_only = (world.now_measured(metric, day) for day in (0, 1))
        assert known.value is not None
        assert (echoed_only.value, echoed_only.n) == (known.value, ROWS)
    assert world.tally("rejected_malformed") == 0


def approve_three_classes(world: Any, truth: list[str]) -> None:
    """Apply the system as one of three classes, with a reference."""
    spec = {**world.spec(), "task": "multiclass"}
    del spec["positive_label"]
    world.apply("AISystem", "loans", spec)
    rows = of_three_classes(world, -1).append_column("label", pa.array(truth))
    built = Reference.build([rows], msgspec.convert(spec, AISystem), "loans", "1")
    values = {"id": built.id, "system": "loans", "version": "1", "current": True, "rows": ROWS}
    applied = {"artifact": built.to_bytes(), "author": "test", "applied_at": world.clock.now()}
    with world.database.transaction() as c:
        c.execute(tables.references.insert().values(**values, **applied))


def of_three_classes(world: Any, day: int) -> pa.RecordBatch:
    """Predictions with a probability for each class, the same ones on each day."""
    batch = world.batch(day, ROWS, seed=7).drop_columns(["score", "prediction"])
    scores = np.random.default_rng(7).dirichlet((1.0, 1.0, 1.0), ROWS)
    said_first = pa.array([CLASSES[one] for one in scores.argmax(axis=1)])
    batch = batch.append_column("prediction", said_first)
    for place, name in enumerate(CLASSES):
        batch = batch.append_column(f"scores.{name}", pa.array(scores[:, place]))
    return batch


def as_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return labels as their senders write them in JSON."""
    found = []
    for row in batch.to_pylist():
        plain = {name: value for name, value in row.items() if "." not in name}
        times = {name: plain[name].isoformat() for name in ("time", "prediction_time")}
        scores = {name: row[f"scores.{name}"] for name in CLASSES}
        found.append({**plain, **times, "scores": scores, "groups": {"SEX": row["groups.SEX"]}})
    return found
