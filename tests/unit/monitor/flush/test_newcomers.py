"""Rows of one batch, as they are told apart before they are counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from watchkeeper_monitor.flush.newcomers import Rows

SHUFFLED = np.random.default_rng(5).integers(-3, 4, 500)


@pytest.mark.parametrize("panes", [SHUFFLED, np.sort(SHUFFLED)], ids=["shuffled", "in order"])
def test_each_pane_gets_its_own_rows_in_the_order_in_which_they_came(
    panes: NDArray[np.int64],
) -> None:
    rows = _rows(len(panes))

    parts = dict(rows.parted(panes))

    assert list(parts) == list(range(-3, 4))
    for pane, part in parts.items():
        mine = np.flatnonzero(panes == pane)
        assert part.batch.column("id").to_pylist() == [f"{place}" for place in mine]
        assert part.hashes.tolist() == rows.hashes[mine].tolist()
        assert part.times.tolist() == rows.times[mine].tolist()


def test_no_rows_are_in_no_pane() -> None:
    assert list(_rows(0).parted(np.empty(0, dtype=np.int64))) == []


def _rows(count: int) -> Rows:
    ids = pa.array([f"{place}" for place in range(count)], pa.string())
    times = pa.array(range(count), pa.timestamp("us", "UTC"))
    return Rows.of(pa.RecordBatch.from_pydict({"id": ids, "time": times}))
