"""Sorted runs, columns as bytes, what is merged with what, and what fits into memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.flush.newcomers import echoes
from watchkeeper_monitor.sampling.priorities import priorities
from watchkeeper_monitor.store import index, labels
from watchkeeper_monitor.store.arrays import Arrays, joined, pack, unpack
from watchkeeper_monitor.store.hashes import Asked, Run
from watchkeeper_monitor.store.index import Entries
from watchkeeper_monitor.store.labels import Labels
from watchkeeper_monitor.store.merging import FAN, LARGEST, LEAST, due
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_shared.db.types import from_micros

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60)


@given(NUMBERS, NUMBERS)
def test_exactly_what_is_there_is_found_and_where(held: list[int], wanted: list[int]) -> None:
    run = Run(np.array(sorted(set(held)), dtype=np.int64))
    asked = Asked(np.array(sorted(wanted + held[:3]), dtype=np.int64))

    which, where = run.find(asked)

    assert asked.ordered[which].tolist() == [one for one in asked.ordered.tolist() if one in held]
    assert run.ordered[where].tolist() == asked.ordered[which].tolist()


def test_the_filter_ends_most_misses_and_takes_two_bytes_per_hash() -> None:
    rng = np.random.default_rng(1)
    held, others = (np.sort(rng.integers(-(2**63), 2**63 - 1, 200_000)) for _ in range(2))
    run = Run(held)
    asked = Asked(others)

    words = run._words[run._places(asked)]
    through = np.count_nonzero((words & asked.masks) == asked.masks)

    assert through < 0.02 * len(others)
    assert run.nbytes == 10 * len(held)
    assert len(run.find(Asked(held))[0]) == len(held)


def test_columns_come_back_from_their_bytes() -> None:
    one = Arrays(
        {"a": np.arange(5, dtype=np.int16), "b": np.linspace(0, 1, 10).reshape(2, 5)}, [["x", 1]]
    )
    again = unpack(pack(one))

    assert again.notes == one.notes
    assert all(np.array_equal(again.columns[name], one.columns[name]) for name in "ab")


def test_what_a_part_does_not_have_is_filled() -> None:
    groups = np.array([[1, 2], [3, 4]], dtype=np.int16)
    whole = joined([{"g": groups[:1]}, {"g": groups, "s": np.ones(2)}], [2, 2])

    assert whole["g"].tolist() == [[1, 2, 1, 2], [-1, -1, 3, 4]]
    assert np.array_equal(whole["s"], [np.nan, np.nan, 1, 1], equal_nan=True)


def entries(ids: list[int], pane: list[object]) -> Entries:
    n = len(ids)
    columns: dict[str, np.ndarray] = {
        "pane": np.zeros(n, np.int32),
        "prediction": np.arange(n, dtype=np.int16),
        "score": np.zeros(n),
        "groups": np.zeros((1, n), np.int16),
    }
    return Entries(np.array(ids, dtype=np.int64), Arrays(columns, [pane]))


def test_parts_of_several_panes_keep_them_and_the_earlier_one_of_an_id_comes_first() -> None:
    day, next_day = ["1", "r", 0, 10], ["1", "r", 10, 20]
    whole = index.together([entries([5, 3], day), entries([3, 4], next_day), entries([1], day)])

    panes = [whole.content.notes[at] for at in whole.content.columns["pane"]]
    assert whole.hashes.tolist() == [1, 3, 3, 4, 5]
    assert panes == [day, day, next_day, next_day, day]
    assert index.pane_keys("s", whole.content)[1].pane.end == from_micros(20)


def said(rows: list[tuple[int, str, int, int]]) -> Labels:
    texts = tuple(sorted({text for _, text, _, _ in rows}))
    columns: dict[str, np.ndarray] = {
        "label": np.array([texts.index(text) for _, text, _, _ in rows], np.int32),
        "time": np.array([time for _, _, time, _ in rows], np.int64),
        "received": np.array([received for *_, received in rows], np.int64),
    }
    return labels.together([Labels(np.array([one for one, *_ in rows]), columns, texts)])


ROW = st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=200)
@given(st.lists(ROW, min_size=1, max_size=30), st.integers(1, 29))
def test_of_each_id_the_label_known_last_counts_then_the_one_that_came_last(
    rows: list[tuple[int, str, int, int]], cut: int
) -> None:
    rows.sort(key=lambda row: row[3])  # they arrive in this order
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    whole = labels.together([said(part) for part in parts])
    newest = {row[0]: row[1] for row in sorted(rows, key=lambda row: row[2:])}

    assert dict(zip(whole.hashes.tolist(), whole.words.to_pylist(), strict=True)) == newest


def test_rows_are_written_again_only_a_few_times_and_blocks_stay_few() -> None:
    blocks: list[tuple[int, int]] = []  # rows, and how often the oldest was written
    for _ in range(3_000):
        blocks.append((1_000, 1))
        while chosen := due(blocks, lambda block: block[0]):
            merged = sum(rows for rows, _ in chosen), max(times for _, times in chosen) + 1
            for one in chosen:
                blocks.remove(one)
            blocks.insert(0, merged)

    assert sum(rows for rows, _ in blocks) == 3_000_000
    assert max(times for _, times in blocks) <= 5
    assert len(blocks) < 3_000_000 / (LARGEST // 2) + 3 * FAN
    assert due([LEAST - 1] * (FAN - 1), int) == []


def test_when_none_comes_after_them_blocks_of_all_sizes_become_one() -> None:
    assert due([20_000, 3_000, 10], int, is_over=True) == [20_000, 3_000, 10]
    assert due([20_000, LARGEST], int, is_over=True) == []
    assert due([20_000, 3_000, 10], int) == []


def test_the_shelf_forgets_what_was_used_longest_ago() -> None:
    shelf = Shelf(bound=3_000)
    runs = {mark: Run(np.arange(100, dtype=np.int64)) for mark in range(4)}
    for mark, run in runs.items():
        shelf.put(mark, run)

    assert shelf.size <= 3_000
    assert shelf._get(0, "hashes") is None
    assert shelf._get(3, "hashes") is runs[3]


@pytest.mark.parametrize("length", [1, 16, 36])
def test_ids_of_one_length_have_the_hashes_that_they_have_among_others(length: int) -> None:
    ids = [str(number).zfill(length)[-length:] for number in range(50)]
    among_others = priorities(pa.array([*ids, "x" * (length + 1)]))[:-1]

    assert priorities(pa.array(ids)).tolist() == among_others.tolist()


def test_an_echo_needs_a_prediction_a_time_and_one_version() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "id": ["a", "b", "c"],
            "label": ["1", "1", "1"],
            "prediction": ["1", None, "0"],
            "prediction_time": pa.array([1, 2, None], pa.timestamp("us", "UTC")),
        }
    )

    assert echoes(batch, {"v1"}).column("id").to_pylist() == ["a"]
    assert echoes(batch, {"v1"}).column("version").to_pylist() == ["v1"]
    assert echoes(batch, {"v1", "v2"}).num_rows == 0
    assert echoes(batch.drop_columns(["prediction"]), {"v1"}).num_rows == 0
