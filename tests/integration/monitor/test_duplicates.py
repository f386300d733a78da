"""The same again, in every way it can come, is counted once and named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper_monitor.flush.flushing import Flusher
from watchkeeper_monitor.flush.newcomers import Newcomers
from watchkeeper_monitor.settings import Pace
from watchkeeper_monitor.store import heads, index
from watchkeeper_monitor.store.hashes import Asked
from watchkeeper_monitor.store.index import Told
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_shared.db import tables
from watchkeeper_shared.errors import Conflict
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events import batches, headers
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.topics import PREDICTIONS

ROWS = 400
NEVER = Pace(flush_interval=timedelta(days=1), judge_interval=timedelta(days=1))


def message(world: Any, batch: pa.RecordBatch, name: str, key: str = "loans") -> Message:
    found = headers.build(
        batch, Kind.PREDICTIONS, batch_id=name, source="/test", now=world.clock.now()
    )
    return Message(PREDICTIONS.name, key, batches.to_bytes(batch), found)


def test_a_record_sent_twice_is_dropped_before_it_is_read(referenced: Any) -> None:
    one = message(referenced, referenced.batch(0, ROWS), "first")
    for _ in range(3):
        referenced.send_raw(one)
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicate_batches") == 2
    assert referenced.tally("duplicates") == 2 * ROWS


def test_a_repetition_is_known_after_a_restart(referenced: Any) -> None:
    one = message(referenced, referenced.batch(0, ROWS), "first")
    referenced.send_raw(one)
    referenced.settle()
    referenced.monitor.stop()
    referenced.monitor = referenced.new_monitor()
    referenced.send_raw(one)
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicate_batches") == 1


def test_batches_that_all_carry_the_same_id_are_all_counted(referenced: Any) -> None:
    for seed in range(3):
        referenced.send_raw(message(referenced, referenced.batch(0, ROWS, seed=seed), "constant"))
    referenced.settle()

    assert referenced.now_measured("volume", 0).value == 3 * ROWS
    assert referenced.tally("duplicate_batches") == 0


def test_a_batch_that_was_refused_is_read_again_once_its_version_is_known(
    referenced: Any,
) -> None:
    batch = referenced.batch(0, ROWS)
    batch = batch.set_column(2, "version", pa.array(["2"] * ROWS))
    one = message(referenced, batch, "early")
    referenced.send_raw(one)
    referenced.settle()
    spec = referenced.spec()
    spec["versions"]["2"] = spec["versions"]["1"]
    referenced.apply("AISystem", "loans", spec)
    referenced.send_raw(one)
    referenced.settle()

    assert referenced.tally("rejected_unknown_version") == ROWS
    assert sum(row.rows for row in referenced.all(tables.profiles, version="2")) == ROWS


def test_an_id_that_comes_again_on_another_partition_is_counted_once(referenced: Any) -> None:
    batch = referenced.batch(0, ROWS)
    for shard in range(8):  # spreads over both partitions
        referenced.send_raw(message(referenced, batch, f"s{shard}", key=f"loans|{shard}"))
    referenced.settle()

    partitions = {row.source for row in referenced.all(tables.profiles)}
    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicates") == 7 * ROWS
    assert len({row.partition for row in referenced.all(tables.progress)}) == 2, partitions


def test_two_workers_that_meet_the_same_ids_at_once_store_them_once(
    referenced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One flush is stopped between looking and writing while the other one commits."""
    batch = referenced.batch(0, ROWS)
    for shard in range(8):
        referenced.send_raw(message(referenced, batch, f"s{shard}", key=f"loans|{shard}"))
    other = referenced.new_monitor()
    on_postgres = referenced.database.engine.dialect.name == "postgresql"
    meetings: list[str] = []
    real, refuse = Flusher._late, Newcomers._refuse_rivals

    def late(self: Flusher, *args: Any) -> int:
        if not meetings and on_postgres:  # SQLite lets one flush in at a time
            meetings.append("met")
            other._worker.settle()  # has its partition in hand, and commits first
        return real(self, *args)

    def refused(self: Newcomers, *args: Any) -> None:
        try:
            refuse(self, *args)
        except Conflict:
            meetings.append("repeated")
            raise

    for one in (other, referenced.monitor):
        one._worker._pace = NEVER
    while not all(_rows(one) for one in (other, referenced.monitor)):
        other.step(timedelta(milliseconds=20))
        referenced.monitor.step(timedelta(milliseconds=20))
    monkeypatch.setattr(Flusher, "_late", late)
    monkeypatch.setattr(Newcomers, "_refuse_rivals", refused)
    referenced.settle()
    other._worker.close()
    referenced.settle()

    assert meetings == (["met", "repeated"] if on_postgres else [])
    assert referenced.now_measured("volume", 0).value == ROWS
    assert referenced.tally("duplicates") == 7 * ROWS


def _rows(monitor: Any) -> int:
    partitions = monitor._worker._partitions
    return partitions.rows if partitions else 0


def test_far_behind_the_horizon_an_id_is_new_again(referenced: Any) -> None:
    """The stated limit: what is recognised is bounded by rows, and so is the memory."""
    pace = Pace(flush_interval=timedelta(0), judge_interval=timedelta(days=1), duplicate_rows=ROWS)
    monitor = referenced.new_monitor(pace)
    for seed in (1, 2, 3, 1):
        referenced.predict(0, ROWS, seed=seed)
        referenced.settle(monitor)
    monitor.stop()

    assert referenced.tally("duplicates") == 0
    assert sum(row.rows for row in referenced.all(tables.predictions)) == 4 * ROWS


def test_small_blocks_become_large_ones_and_everything_stays_known(referenced: Any) -> None:
    for seed in range(30):
        referenced.predict(0, 50, seed=100 + seed)
        referenced.settle()
    for seed in range(30):
        referenced.predict(0, 50, seed=100 + seed)
    referenced.settle()

    blocks = referenced.all(tables.predictions)
    assert len(blocks) < 9
    assert sum(row.rows for row in blocks) == 50 * 30
    assert referenced.tally("duplicates") == 50 * 30


def test_a_block_that_is_read_while_another_process_merges_it_is_looked_for_again(
    referenced: Any,
) -> None:
    referenced.predict(0, 50)
    referenced.settle()
    with referenced.database.transaction() as c:
        (block,) = index.blocks(c, "loans", Told.SEEN)
        shelf = Shelf(1 << 20)
        whole = index.Entries(shelf.run(c, block).ordered, shelf.content(c, block))
        merged = heads.take(c, tables.predictions, "loans", block.rows)
        index.add(c, shelf, merged, Told.SEEN, whole, referenced.clock.now())
        index.remove(c, shelf, [block])
    with referenced.database.read() as c, pytest.raises(Exception, match="look again"):
        Shelf(1 << 20).run(c, block)
    with referenced.database.read() as c:
        here, _ = Shelf(1 << 20).run(c, merged).find(Asked(whole.hashes))
    assert len(here) == block.rows
