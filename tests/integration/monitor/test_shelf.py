"""What is kept of the index in memory costs what the setting says, whatever comes and goes."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from watchkeeper_monitor.store import heads, index, merging
from watchkeeper_monitor.store.arrays import Arrays
from watchkeeper_monitor.store.hashes import Asked, Run
from watchkeeper_monitor.store.index import Entries, Told
from watchkeeper_monitor.store.rooms import LEAST, apart
from watchkeeper_monitor.store.shelf import ENTRY, Block, Shelf
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.tables import predictions
from watchkeeper_shared.db.unit_of_work import Database

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SYSTEM, BOUND = "loans", 400_000
HORIZON = timedelta(days=90)


@pytest.fixture
def c(sqlite_url: str) -> Iterator[sa.Connection]:
    database = Database(open_engine(sqlite_url))
    with database.transaction() as connection:
        yield connection
    database.close()


def written(c: sa.Connection, shelf: Shelf, rows: int, seed: int, panes: int = 1) -> Block:
    hashes = np.sort(np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, rows))
    columns: dict[str, Any] = {"pane": np.arange(rows, dtype=np.int32) % panes}
    columns["score"] = np.linspace(0, 1, rows)
    notes = [["1", "a-reference", place, place + 1] for place in range(panes)]
    block = heads.take(c, predictions, SYSTEM, rows)
    index.add(c, shelf, block, Told.SEEN, Entries(hashes, Arrays(columns, notes)), NOW)
    return block


def held(shelf: Shelf) -> int:
    return sum(_bytes_behind(one) + ENTRY for one in shelf._kept.values())


def _bytes_behind(kept: Any) -> int:
    """Return how many bytes are alive because of this, views followed to what they show."""
    arrays = [kept.ordered, kept._words] if isinstance(kept, Run) else [kept]
    return sum(_whole(array) for array in arrays)


def _whole(array: Any) -> int:
    while isinstance(array, np.ndarray | memoryview):
        below = array.base if isinstance(array, np.ndarray) else array.obj
        if below is None:
            return int(array.nbytes)
        array = below
    return len(array)


def test_what_is_counted_is_what_is_held_and_never_more_than_the_bound(c: sa.Connection) -> None:
    shelf, rng = Shelf(BOUND), np.random.default_rng(7)
    for turn in range(60):
        rows = int(rng.choice([3, 500, 6_000, 20_000]))
        written(c, shelf, rows, turn, panes=min(rows, 40))
        for block in index.blocks(c, SYSTEM, Told.SEEN):
            shelf.run(c, block)
            if rng.random() < 0.3:
                shelf.content(c, block)
        merging.merge(c, shelf, SYSTEM, HORIZON)

        assert shelf.size == held(shelf) <= BOUND


def test_blocks_that_are_merged_take_nobodys_place(c: sa.Connection) -> None:
    shelf = Shelf(BOUND)
    parts = [written(c, shelf, 2_100, seed) for seed in range(merging.FAN)]
    before = shelf.size

    assert merging.merge(c, shelf, SYSTEM, HORIZON)

    (whole,) = index.blocks(c, SYSTEM, Told.SEEN)
    assert {mark for mark, _ in shelf._kept} == {whole.mark}
    assert whole.rows == sum(block.rows for block in parts)
    assert shelf.size <= before


def test_who_looks_in_more_blocks_than_fit_finds_what_fits_without_reading(
    c: sa.Connection,
) -> None:
    writer, shelf = Shelf(0), Shelf(BOUND)
    blocks = [written(c, writer, 9_000, seed) for seed in range(8)]
    for block in blocks:
        shelf.run(c, block)
    kept = set(shelf._kept)
    for _ in range(3):
        for block in blocks:
            shelf.run(c, block)

    assert set(shelf._kept) == kept
    assert len(kept) == BOUND // (9_000 * 10 + ENTRY)


def test_a_block_that_does_not_fit_is_searched_like_one_that_does(c: sa.Connection) -> None:
    block = written(c, Shelf(0), 5_000, 1)
    ordered = Shelf(BOUND).run(c, block).ordered
    asked = Asked(np.sort(np.concatenate([ordered[::7], ordered[::7] + 1])))

    found = [Shelf(bound).run(c, block).find(asked) for bound in (0, BOUND)]

    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
    assert len(found[0][0]) == len(ordered[::7])


def test_what_is_written_takes_the_place_of_what_was_used_longest_ago(c: sa.Connection) -> None:
    shelf = Shelf(BOUND)
    blocks = [written(c, shelf, 9_000, seed) for seed in range(12)]

    kept = {mark for mark, _ in shelf._kept}
    assert kept == {block.mark for block in blocks[-4:]}


def test_a_large_array_that_stays_is_in_a_mapping_and_a_small_one_is_not() -> None:
    large, small = np.arange(LEAST // 8), np.arange(8)

    own = apart(large)

    assert np.array_equal(own, large)
    assert isinstance(memoryview(own.base).obj, mmap.mmap)  # type: ignore[arg-type]
    assert apart(small) is small
