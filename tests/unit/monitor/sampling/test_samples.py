"""The sample of a span: the smallest keys of all its rows, however its panes kept theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.sampling import samples
from watchkeeper_monitor.sampling.samples import EVERYTHING, Sample
from watchkeeper_shared.events.batches import concatenate

KEPT = 100


def rows(count: int, seed: int, k: int) -> Sample:
    keys = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, count)
    return samples.of_rows(pa.RecordBatch.from_pydict({"pane": [seed] * count}), keys, k)


def pane(count: int, seed: int, batches: int = 1) -> Sample:
    """What a writer keeps of a pane whose rows come in so many batches."""
    whole = rows(count, seed, count).rows
    keys = whole.column(samples.KEY).to_numpy()
    bare = whole.drop_columns([samples.KEY])
    places = np.array_split(np.random.default_rng(seed).permutation(count), batches)
    parts = [samples.of_rows(bare.take(pa.array(mine)), keys[mine], KEPT) for mine in places]
    return samples.merged(parts, KEPT)


def every(counts: dict[int, int]) -> list[int]:
    """The keys of all rows of panes, in order."""
    found = [key for seed, count in counts.items() for key in keys(rows(count, seed, count))]
    return sorted(found)


def keys(sample: Sample | None) -> list[int]:
    assert sample is not None
    return list(sample.rows.column(samples.KEY).to_pylist())


def test_panes_that_kept_everything_give_the_smallest_of_all_rows() -> None:
    found = samples.of_span([pane(80, seed) for seed in range(5)], 60)

    assert keys(found) == every(dict.fromkeys(range(5), 80))[:60]


@pytest.mark.parametrize("batches", [1, 3])
def test_a_busy_pane_is_not_drowned_by_quiet_ones(batches: int) -> None:
    counts = {1: 20_000, 2: 150, 3: 90}

    found = samples.of_span([pane(count, seed, batches) for seed, count in counts.items()], 5_000)

    assert keys(found) == every(counts)[: len(keys(found))]
    assert len(keys(found)) >= KEPT
    assert found is not None
    assert found.rows.column("pane").to_pylist().count(1) == KEPT


def test_neither_the_order_of_panes_nor_their_batches_change_it() -> None:
    once = samples.of_span([pane(1_000, 1), pane(160, 2), pane(30, 3)], 50)
    again = samples.of_span([pane(30, 3, 2), pane(1_000, 1, 7), pane(160, 2, 3)], 50)

    assert once is not None
    assert again is not None
    assert (keys(once), once.bound) == (keys(again), again.bound)


def test_a_row_that_came_twice_does_not_make_a_whole_pane_a_part_of_one() -> None:
    one, twice = pane(60, 1), rows(10, 1, 10)  # a generator's first numbers are the same

    found = samples.merged([one, twice], KEPT)

    assert len(keys(found)) == 60
    assert found.bound == EVERYTHING


def test_many_panes_are_gathered_before_their_rows_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panes, copied = [pane(400, seed) for seed in range(200)], []
    all_keys = every(dict.fromkeys(range(200), 400))

    def counting(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        copied.append(sum(one.num_rows for one in batches))
        return concatenate(batches)

    monkeypatch.setattr(samples, "concatenate", counting)
    found = samples.of_span(panes, 5_000)

    assert keys(found) == all_keys[: len(keys(found))]
    assert len(keys(found)) == 5_000
    # All that was kept once, and what was chosen of it again a few times: not for each pane.
    assert sum(copied) < 4 * KEPT * len(panes)


def test_nothing_kept_is_no_sample() -> None:
    assert samples.of_span([], 5_000) is None


def test_it_is_read_as_it_was_written() -> None:
    written = pane(150, 1).rows

    assert samples.from_bytes(samples.to_bytes(written)).equals(written)
