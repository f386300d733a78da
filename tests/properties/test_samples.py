"""A sample is the rows of least key of its span, however its size was changed meanwhile."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.sampling import samples
from watchkeeper_monitor.sampling.samples import EVERYTHING, Sample
from watchkeeper_monitor.store import panes, reading
from watchkeeper_monitor.store.panes import PaneKey
from watchkeeper_monitor.windows.resolution import HOUR
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import upgrade
from watchkeeper_shared.db.unit_of_work import Database

PANES = [Span(EPOCH + at * HOUR, EPOCH + (at + 1) * HOUR) for at in range(2)]
WHOLE = Span(PANES[0].start, PANES[-1].end)
SOURCES = ["predictions/0", "predictions/1"]
VERSION, REFERENCE, MOST = "1", "r", 30

Place = tuple[int, str]
"""Which pane, and which writer."""

SIZES = st.integers(1, 20)
ROWS = st.integers(0, 40)
FLUSHES = st.lists(
    st.tuples(st.integers(0, len(PANES) - 1), st.sampled_from(SOURCES), ROWS, SIZES), max_size=25
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('sampled')}/state.db")
    upgrade(engine)
    yield Database(engine)
    engine.dispose()


class Kept:
    """The samples of one system, and beside them the keys of all rows that there ever were."""

    _numbers = itertools.count()

    def __init__(self, database: Database) -> None:
        self.database = database
        self.system = f"system-{next(self._numbers)}"
        self.keys: dict[Place, list[int]] = {}

    def flush(self, place: Place, keys: list[int], k: int) -> None:
        at, source = place
        batch = pa.record_batch({"id": pa.array([str(key) for key in keys], pa.string())})
        key = PaneKey(self.system, VERSION, REFERENCE, PANES[at])
        with self.database.transaction() as c:
            panes.merge_sample(c, key, source, batch, np.array(keys, np.int64), k)
        self.keys.setdefault(place, []).extend(keys)

    def of(self, span: Span, k: int) -> list[Sample]:
        with self.database.read() as c:
            return list(reading.samples_in_window(c, self.system, VERSION, REFERENCE, span, k))

    def all_keys(self) -> list[int]:
        return sorted(itertools.chain(*self.keys.values()))


def keys_of(sample: Sample) -> list[int]:
    ids = [int(one) for one in sample.rows.column("id").to_pylist()]
    assert ids == sample.rows.column(samples.KEY).to_pylist()
    return ids


class Eager:
    """The largest sample there can be: cut at each flush, and at no other time."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.bound = EVERYTHING

    def flush(self, keys: list[int], k: int) -> None:
        self.keys = sorted(key for key in (*self.keys, *keys) if key <= self.bound)
        if len(self.keys) > k:
            self.keys = self.keys[:k]
            self.bound = self.keys[-1]


@settings(max_examples=60)
@given(FLUSHES, SIZES)
def test_any_change_of_its_size_leaves_the_rows_of_least_key(
    database: Database, flushes: list[tuple[int, str, int, int]], last: int
) -> None:
    kept, eager = Kept(database), defaultdict[Place, Eager](Eager)
    fresh = iter(shuffled(2_000, len(flushes)))
    for at, source, count, k in flushes:
        keys = list(itertools.islice(fresh, count))
        kept.flush((at, source), keys, k)
        eager[at, source].flush(keys, k)

    bounds = []
    for at, pane in enumerate(PANES):
        places = [one for one in sorted(kept.keys) if one[0] == at and kept.keys[one]]
        for place, sample in zip(places, kept.of(pane, last), strict=True):
            least = sorted(key for key in kept.keys[place] if key <= sample.bound)
            assert keys_of(sample) == least
            # As many as there can be of what no flush left out.
            assert len(least) >= min(last, len(eager[place].keys))
            bounds.append(sample.bound)
    whole = samples.of_span(kept.of(WHOLE, last), MOST)
    if whole is not None:
        assert keys_of(whole) == [key for key in kept.all_keys() if key <= min(bounds)][:MOST]
        assert keys_of(whole) == [key for key in kept.all_keys() if key <= whole.bound]


@settings(max_examples=30)
@given(st.integers(0, 150), st.lists(st.integers(0, 150), max_size=25), SIZES, st.integers(0, 9))
def test_no_split_and_no_order_changes_the_rows_of_one_size(
    database: Database, count: int, cuts: list[int], k: int, seed: int
) -> None:
    kept, keys = Kept(database), shuffled(count, seed)

    for first, end in itertools.pairwise(sorted({0, count, *(min(cut, count) for cut in cuts)})):
        kept.flush((0, SOURCES[0]), keys[first:end], k)

    assert [keys_of(one) for one in kept.of(PANES[0], k)] == ([sorted(keys)[:k]] if keys else [])
    assert all((one.bound < EVERYTHING) == (count > k) for one in kept.of(PANES[0], k))


def shuffled(count: int, seed: int) -> list[int]:
    found: list[int] = (np.random.default_rng(seed).permutation(count) - count // 2).tolist()
    return found
