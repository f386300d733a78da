"""Another prediction under an id that was used before is no copy: it is counted and told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.integration.monitor.conftest import DAY

from watchkeeper_shared.db import tables

ROWS = 400
REUSED = "rejected_conflicting_id"


def under_the_ids_of(first: pa.RecordBatch, other: pa.RecordBatch) -> pa.RecordBatch:
    """Return the other predictions as a sender numbers them that begins anew at each start."""
    return other.set_column(0, "id", first.column("id"))


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, values)


def tallies(world: Any) -> tuple[int, int]:
    return world.tally("duplicates"), world.tally(REUSED)


def test_other_predictions_under_used_ids_are_refused_counted_and_told(
    referenced: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first, other = referenced.batch(0, ROWS), referenced.batch(0, ROWS, seed=5)
    referenced.send(first)
    referenced.settle()
    before = referenced.all(tables.profiles)
    referenced.send(under_the_ids_of(first, other))
    referenced.settle()

    assert tallies(referenced) == (0, ROWS)
    assert referenced.all(tables.profiles) == before, "the first counts"
    name, reason = "watchkeeper_monitor_decode_errors_total", {"reason": "conflicting_id"}
    assert referenced.metrics.get_sample_value(name, reason) == ROWS
    (told,) = [one for one in caplog.records if one.getMessage() == "ids_used_again"]
    assert (told.__dict__["system"], told.__dict__["refused"]) == ("loans", ROWS)
    assert set(told.__dict__["ids"]) <= set(first.column("id").to_pylist())


def test_copies_are_told_from_other_predictions_row_by_row(referenced: Any) -> None:
    first = referenced.batch(0, ROWS)
    referenced.send(first)
    referenced.settle()
    scores = first.column("score").to_numpy(zero_copy_only=False).copy()
    scores[:7] = 1.0 - scores[:7]
    referenced.send(with_column(first, "score", pa.array(scores)))
    referenced.settle()

    assert tallies(referenced) == (ROWS - 7, 7)


@pytest.mark.parametrize("apart", ["one record", "one flush", "partitions", "merged blocks"])
def test_wherever_the_first_stands_the_other_is_recognised(referenced: Any, apart: str) -> None:
    batches = [referenced.batch(0, 50, seed=seed) for seed in range(9)]
    first, other = batches[0], under_the_ids_of(batches[0], batches[1])
    if apart == "one record":
        whole = pa.Table.from_batches([first, other, first]).combine_chunks()
        referenced.send(whole.to_batches()[0])
    elif apart == "one flush":
        for batch in (first, other, first):
            referenced.send(batch)
    elif apart == "partitions":
        for shard in range(8):
            referenced.send(first, key=f"loans|{shard}")
        referenced.settle()
        referenced.send(other, key="loans|8")
    else:
        for batch in (*batches, first, other):
            referenced.send(batch)
            referenced.settle()
    referenced.settle()

    copies = 50 * 7 if apart == "partitions" else 50
    assert tallies(referenced) == (copies, 50)
    assert referenced.tally(REUSED) == 50


def test_a_file_that_is_sent_again_in_another_precision_is_a_copy(referenced: Any) -> None:
    first = referenced.batch(0, ROWS)
    referenced.send(first)
    rounded = first.column("score").cast(pa.float32())
    referenced.send(with_column(first, "score", rounded))
    referenced.settle()

    assert tallies(referenced) == (ROWS, 0)


def test_features_alone_tell_nothing(referenced: Any) -> None:
    """The stated limit: the index keeps no features, so they cannot be compared."""
    first = referenced.batch(0, ROWS)
    referenced.send(first)
    other = np.random.default_rng(1).normal(0, 1, ROWS)
    referenced.send(with_column(first, "features.AGE", pa.array(other)))
    referenced.settle()

    assert tallies(referenced) == (ROWS, 0)


def test_a_copy_that_comes_after_a_new_reference_is_a_copy(referenced: Any) -> None:
    """What was counted on one grid is compared on it, whatever is counted on now."""
    first, other = referenced.batch(0, ROWS), referenced.batch(0, ROWS, seed=5)
    referenced.send(first)
    referenced.settle()
    with referenced.database.transaction() as c:
        c.execute(tables.references.update().values(current=False))
    referenced.clock.advance(timedelta(minutes=1))
    referenced.approve_reference(rows=3_000)
    referenced.send(first)
    referenced.send(under_the_ids_of(first, other))
    referenced.settle()

    assert tallies(referenced) == (ROWS, ROWS)


def test_before_a_reference_and_after_a_new_declaration_times_are_compared(world: Any) -> None:
    """A bare grid cannot be made again once the declaration changed; times need none."""
    first = world.batch(0, ROWS)
    world.send(first)
    world.settle()
    spec = world.spec()
    spec["groups"]["SEX"]["reference"] = "2"
    world.apply("AISystem", "loans", spec)
    world.clock.advance(timedelta(minutes=1))
    world.send(first)
    world.send(under_the_ids_of(first, world.batch(0, ROWS, seed=5)))
    earlier = pa.array([one - DAY for one in first.column("time").to_pylist()])
    world.send(with_column(first, "time", earlier.cast(first.column("time").type)))
    world.settle()

    assert tallies(world) == (2 * ROWS, ROWS)


def test_two_versions_that_share_ids_are_told(referenced: Any) -> None:
    """A shadow that answers the same requests under the same ids would be lost in silence."""
    spec = referenced.spec()
    spec["versions"]["2"] = spec["versions"]["1"]
    referenced.apply("AISystem", "loans", spec)
    referenced.clock.advance(timedelta(minutes=1))
    first = referenced.batch(0, ROWS)
    referenced.send(first)
    referenced.send(with_column(first, "version", pa.array(["2"] * ROWS)))
    referenced.settle()

    assert tallies(referenced) == (0, ROWS)
