"""Ids as numbers: their order, and that a number is of its id alone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.records.repeats import fingerprint
from watchkeeper_monitor.sampling.identity import ascending, hash_ids
from watchkeeper_shared.eventlog.port import Record, TopicPartition

HALF = st.integers(-(2**31), 2**31 - 1)
ALIKE = st.lists(st.tuples(HALF | st.integers(-2, 2), st.integers(0, 3)), max_size=60)
"""Hashes of which many agree in their higher half, as of very many a few do."""


@given(ALIKE)
def test_hashes_stand_in_order_and_equal_ones_as_they_came(halves: list[tuple[int, int]]) -> None:
    hashes = np.array([(high << 32) + low for high, low in halves], dtype=np.int64)

    assert ascending(hashes).tolist() == np.argsort(hashes, kind="stable").tolist()


def test_the_hash_of_an_id_does_not_depend_on_how_many_come_with_it() -> None:
    ids = [f"{number:036d}" for number in range(5_000)]
    together = hash_ids(pa.array(ids)).tolist()

    assert together[::977] == [hash_ids(pa.array([one]))[0] for one in ids[::977]]
    assert len(set(together)) == len(ids)


def test_a_batch_is_known_by_its_content_and_its_order() -> None:
    words = np.random.default_rng(1).integers(0, 2**63, 100_000)
    swapped = words.copy()
    swapped[[5, 90_000]] = words[[90_000, 5]]
    again, other = fingerprint(_record(words)), fingerprint(_record(swapped))

    assert fingerprint(_record(words)) == again
    assert again != other


def test_batches_that_were_stored_before_an_update_are_known_after_it() -> None:
    # The numbers are in databases: another one for the same record is a batch counted twice.
    assert fingerprint(_record(np.arange(600))) == -141734944456166865
    assert fingerprint(_record(np.arange(100_000))) == -2349395607788062513


def _record(words: np.ndarray) -> Record:
    value = words.astype("<u8").tobytes() + b"end"
    head = {"ce_id": "1", "ce_source": "/s", "rows": "7"}
    return Record(TopicPartition("t", 0), 1, "s", value, head, datetime(2026, 1, 1, tzinfo=UTC))
