"""The sample of a span: the smallest keys of all its rows, however its panes kept theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor import samples
from watchkeeper_monitor.samples import Part

KEPT = 100


def rows(count: int, seed: int) -> pa.RecordBatch:
    keys = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, count)
    return samples.keyed(pa.RecordBatch.from_pydict({"pane": [seed] * count}), keys)


def pane(count: int, seed: int, batches: int = 1) -> Part:
    """What a writer keeps of a pane whose rows come in so many batches."""
    whole = rows(count, seed)
    size = -(-count // batches)
    return Part(
        count,
        [samples.smallest([whole.slice(at, size)], KEPT) for at in range(0, count, size)],
    )


def keys(sample: pa.RecordBatch | None) -> list[int]:
    assert sample is not None
    return list(sample.column(samples.KEY).to_pylist())


def test_panes_that_kept_everything_give_the_smallest_of_all_rows() -> None:
    whole = samples.smallest([rows(80, seed) for seed in range(5)], 60)

    found = samples.of_span([pane(80, seed) for seed in range(5)], 60)

    assert found is not None
    assert found.equals(whole)


@pytest.mark.parametrize("batches", [1, 3])
def test_a_busy_pane_is_not_drowned_by_quiet_ones(batches: int) -> None:
    counts = {1: 20_000, 2: 150, 3: 90}
    every = samples.smallest([rows(count, seed) for seed, count in counts.items()], 10**6)

    found = samples.of_span([pane(count, seed, batches) for seed, count in counts.items()], 5_000)

    assert keys(found) == keys(every)[: len(keys(found))]
    assert len(keys(found)) >= KEPT
    assert found is not None
    assert found.column("pane").to_pylist().count(1) == KEPT


def test_neither_the_order_of_panes_nor_their_batches_change_it() -> None:
    once = samples.of_span([pane(1_000, 1), pane(400, 2), pane(30, 3)], 50)
    again = samples.of_span([pane(30, 3, 2), pane(1_000, 1, 7), pane(400, 2, 3)], 50)

    assert keys(once) == keys(again)


def test_a_row_that_came_twice_does_not_make_a_whole_pane_a_part_of_one() -> None:
    part = pane(120, 1, batches=4)

    found = samples.of_span([Part(121, part.batches)], 5_000)

    assert len(keys(found)) == 120


def test_many_panes_are_gathered_before_their_rows_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panes, copied = [pane(400, seed) for seed in range(200)], []
    every = samples.smallest([rows(400, seed) for seed in range(200)], 10**6)

    def counting(batches: Sequence[pa.RecordBatch], k: int) -> pa.RecordBatch:
        copied.append(sum(one.num_rows for one in batches))
        return smallest(batches, k)

    smallest = samples.smallest
    monkeypatch.setattr(samples, "smallest", counting)
    found = samples.of_span(panes, 5_000)

    assert keys(found) == keys(every)[: len(keys(found))]
    assert len(keys(found)) == 5_000
    # All that was kept once, and what was chosen of it again a few times: not for each pane.
    assert sum(copied) < 4 * KEPT * len(panes)


def test_nothing_kept_is_no_sample() -> None:
    assert samples.of_span([], 5_000) is None
