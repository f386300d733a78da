"""Profiles merge exactly: any split of the rows, in any order, gives the same bytes."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import encode
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.profiles.exact import (
    ERROR,
    ERROR_SQUARE,
    EXCESS,
    LOSS,
    PROBABILITY,
    UNIT,
    Quantity,
)
from watchkeeper_monitor.profiles.packing import pack, unpack
from watchkeeper_monitor.references.reference import Reference, add_rows, labelled_of
from watchkeeper_shared.specs import Task
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system(
    groups={
        "SEX": {"reference": "1"},
        "RAC1P": {"reference": "1"},
        "SEX&RAC1P": {"reference": "1&1"},
    }
)
SLICES = ("SEX=2", "RAC1P=1&SEX=1")
QUANTITIES = (ERROR, ERROR_SQUARE, EXCESS, UNIT, LOSS, PROBABILITY)


def drawn(rng: np.random.Generator, values: list[object], n: int) -> pa.Array:
    return pa.array([values[at] for at in rng.integers(0, len(values), n)])


def rows_of(n: int, seed: int) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    ages = np.where(rng.uniform(size=n) < 0.05, np.nan, rng.lognormal(3, 1, n))
    return pa.record_batch(
        {
            "features.AGEP": pa.array(ages, from_pandas=True),
            "features.RELP": drawn(rng, ["0", "1", "2", "new", None], n).cast(pa.string()),
            "score": pa.array(rng.uniform(size=n)),
            "prediction": pa.array(rng.integers(0, 2, n)),
            "label": drawn(rng, [0, 1, None], n).cast(pa.int64()),
            "groups.SEX": pa.array(rng.choice(["1", "2", "9"], n)),
            "groups.RAC1P": drawn(rng, ["1", "2", None], n).cast(pa.string()),
            "latency_ms": pa.array(rng.exponential(10, n)),
            "time": pa.array(rng.integers(0, 2**50, n), pa.timestamp("us", "UTC")),
            "decision.outcome": drawn(rng, ["done", "error", None], n).cast(pa.string()),
            "explanation.AGEP": drawn(rng, [0.0, -1.5, 1e308, None], n).cast(pa.float64()),
            "explanation.RELP": pa.array(rng.normal(size=n)),
        }
    )


GRID = Grid.build(rows_of(500, 0), SPEC, "1")


def profile_of(batch: pa.RecordBatch, grid: Grid = GRID) -> Profile:
    profile = Profile.empty(grid, SLICES)
    add_rows(profile, batch)
    return profile


@st.composite
def splits(draw: st.DrawFn) -> tuple[pa.RecordBatch, list[pa.RecordBatch]]:
    """A batch, and its rows shuffled and cut into parts in any order."""
    batch = rows_of(draw(st.integers(1, 200)), draw(st.integers(1, 1_000)))
    shuffled = batch.take(pa.array(draw(st.permutations(range(batch.num_rows)))))
    inner = draw(st.lists(st.integers(0, batch.num_rows), max_size=5))
    cuts = [0, *sorted(inner), batch.num_rows]
    return batch, [shuffled.slice(a, b - a) for a, b in pairwise(cuts)]


@settings(max_examples=60, deadline=None)
@given(splits(), st.booleans())
def test_any_split_in_any_order_gives_the_same_bytes(
    split: tuple[pa.RecordBatch, list[pa.RecordBatch]],
    stored_between: bool,  # noqa: FBT001  hypothesis draws it
) -> None:
    whole, parts = split
    merged = Profile.empty(GRID)

    for part in parts:
        one = profile_of(part)
        merged.merge(Profile.from_bytes(GRID, one.to_bytes()) if stored_between else one)

    assert merged.to_bytes() == profile_of(whole).to_bytes()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_taking_labels_back_leaves_no_trace(seed: int, other: int) -> None:
    batch = rows_of(80, seed)
    right = batch.filter(batch.column("label").is_valid())
    wrong = right.set_column(
        right.schema.get_field_index("label"),
        "label",
        pa.array(np.random.default_rng(other).integers(0, 2, right.num_rows)),
    )
    corrected = Profile.empty(GRID, SLICES)
    corrected.add_predictions(encode(batch, GRID))

    corrected.add_labels(labelled_of(wrong, GRID))
    corrected.add_labels(labelled_of(wrong, GRID), sign=-1)
    corrected.add_labels(labelled_of(right, GRID))

    assert corrected.to_bytes() == profile_of(batch).to_bytes()


def test_a_regression_merges_as_well() -> None:
    rng = np.random.default_rng(0)
    spec = a_system(task=Task.REGRESSION, features={}, groups={"SEX": {"reference": "1"}})
    batch = pa.record_batch(
        {
            "prediction": pa.array(rng.normal(size=300)),
            "label": pa.array(rng.normal(size=300)),
            "groups.SEX": pa.array(rng.choice(["1", "2"], 300)),
        }
    )
    grid = Reference.build([batch], spec, "s", "1").grid
    merged = profile_of(batch.slice(100), grid)
    merged.merge(profile_of(batch.slice(0, 100), grid))

    assert merged.to_bytes() == profile_of(batch, grid).to_bytes()


def test_many_classes_merge_as_well() -> None:
    rng = np.random.default_rng(1)
    spec = a_system(task=Task.MULTICLASS, features={}, groups={})
    scores = rng.dirichlet(np.ones(3), 300)
    columns = {f"scores.{name}": pa.array(scores[:, at]) for at, name in enumerate("abc")}
    classes = {name: pa.array(rng.choice(list("abc"), 300)) for name in ("prediction", "label")}
    batch = pa.record_batch(columns | classes)
    grid = Reference.build([batch], spec, "s", "1").grid
    merged = profile_of(batch.slice(77), grid)
    merged.merge(profile_of(batch.slice(0, 77), grid))

    assert merged.to_bytes() == profile_of(batch, grid).to_bytes()


@pytest.mark.parametrize("quantity", QUANTITIES)
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_sums_by_group_are_those_of_each_group(quantity: Quantity, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-quantity.limit, quantity.limit, n)
    places = np.stack([rng.integers(0, 3, n), rng.integers(3, 5, n)])

    found = quantity.total(quantity.sums_by(values, places, 5))

    for place in range(5):
        inside = (places == place).any(axis=0)
        assert found[place] == quantity.total(quantity.sums(values[inside]))


@pytest.mark.parametrize("quantity", QUANTITIES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_sums_are_as_precise_as_stated(quantity: Quantity, data: st.DataObject) -> None:
    numbers = st.floats(-quantity.limit, quantity.limit)
    values = np.array(data.draw(st.lists(numbers, min_size=1, max_size=50)))

    total = float(quantity.total(quantity.sums(values)))

    allowed = values.size * 2.0 ** -(quantity.bits + 1)
    exact = math.fsum(values)
    assert abs(total - exact) <= allowed + math.ulp(exact)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_limb_leaves_int64_within_the_stated_rows(quantity: Quantity) -> None:
    for worst in (-quantity.limit, quantity.limit, -(2.0**-quantity.bits), np.inf, -np.inf):
        high, low = quantity.sums(np.array([worst])).tolist()

        assert abs(high) * 2**31 < 2**63
        assert 0 <= low < 2**31


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60))
def test_packing_gives_back_every_integer(values: list[int]) -> None:
    vector = np.array(values, dtype=np.int64)

    assert unpack(pack(vector), len(values)).tolist() == values


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40))
def test_every_number_that_a_float_can_hold_is_counted_once(values: list[float]) -> None:
    profile = Profile.empty(GRID)
    profile.add_predictions(encode(pa.record_batch({"features.AGEP": pa.array(values)}), GRID))

    counted = int(profile.cells(0).sum()) + int(profile.section("nulls")[0])

    assert counted == len(values)
    assert int(profile.section("nulls")[0]) == sum(math.isnan(value) for value in values)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40),
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40),
)
def test_cells_agree_with_a_plain_count(reference: list[float], window: list[float]) -> None:
    grid = Grid.build(pa.record_batch({"features.AGEP": pa.array(reference)}), SPEC, "1")
    profile = Profile.empty(grid)
    profile.add_predictions(encode(pa.record_batch({"features.AGEP": pa.array(window)}), grid))
    cells = profile.cells(0)

    assert int(cells[0]) == sum(value < min(reference) for value in window)
    assert int(cells[-1]) == sum(value > max(reference) for value in window)


def test_labels_alone_leave_the_prediction_side_alone() -> None:
    profile = Profile.empty(GRID)
    codes = np.array([GRID.positive], dtype=np.int16)
    groups = np.zeros((len(GRID.attributes), 1), dtype=np.int16)

    profile.add_labels(Labelled(codes, codes, np.array([0.9]), groups))

    assert profile.labelled == 1
    assert profile.rows == 0
    assert not profile.section("cells").any()
