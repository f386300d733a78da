"""Sums of a regression hold numbers of any size, exactly, in any split and any order."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import encode
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.boundless import LIMIT, moments_at, sums_at, total
from watchkeeper_monitor.references.reference import Reference, add_rows, labelled_of
from watchkeeper_shared.specs import Task
from watchkeeper_shared.testing.builders import a_system

SPEC = a_system(task=Task.REGRESSION, features={}, groups={"SEX": {"reference": "1"}})
SLICES = ("SEX=1",)


def rows_of(pairs: list[tuple[float, float]]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "prediction": pa.array([prediction for prediction, _ in pairs], pa.float64()),
            "label": pa.array([label for _, label in pairs], pa.float64()),
            "groups.SEX": pa.array(["1" if at % 3 else "2" for at in range(len(pairs))]),
        }
    )


BARE = Grid.bare(SPEC, "1")
KNOWN = Reference.build(
    [rows_of([(float(at), float(at % 7)) for at in range(50)])], SPEC, "s", "1"
).grid

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e6, 1e6),
    st.floats(1e5, 1e6),
    st.floats(-1e-5, 1e-5),
)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40)


def profile_of(batch: pa.RecordBatch, grid: Grid) -> Profile:
    profile = Profile.empty(grid, SLICES)
    add_rows(profile, batch)
    return profile


@pytest.mark.parametrize("grid", [BARE, KNOWN], ids=["without a reference", "with one"])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), rows=pairs)
def test_any_split_in_any_order_gives_the_same_bytes(
    grid: Grid, data: st.DataObject, rows: list[tuple[float, float]]
) -> None:
    batch = rows_of(rows)
    shuffled = batch.take(pa.array(data.draw(st.permutations(range(batch.num_rows)))))
    inner = data.draw(st.lists(st.integers(0, batch.num_rows), max_size=4))
    merged = Profile.empty(grid)

    for start, end in pairwise([0, *sorted(inner), batch.num_rows]):
        part = profile_of(shuffled.slice(start, end - start), grid)
        merged.merge(
            Profile.from_bytes(grid, part.to_bytes()) if data.draw(st.booleans()) else part
        )

    assert merged.to_bytes() == profile_of(batch, grid).to_bytes()


@pytest.mark.parametrize("grid", [BARE, KNOWN], ids=["without a reference", "with one"])
@settings(max_examples=60, deadline=None)
@given(rows=pairs, wrong=pairs)
def test_labels_that_are_corrected_leave_no_trace(
    grid: Grid, rows: list[tuple[float, float]], wrong: list[tuple[float, float]]
) -> None:
    right = rows_of(rows)
    labels = [wrong[at % len(wrong)][1] for at in range(len(rows))]
    mistaken = labelled_of(right.set_column(1, "label", pa.array(labels)), grid)
    corrected = Profile.empty(grid, SLICES)
    corrected.add_predictions(encode(right, grid))

    corrected.add_labels(mistaken)
    corrected.add_labels(labelled_of(right, grid))
    corrected.add_labels(mistaken, sign=-1)

    assert corrected.to_bytes() == profile_of(right, grid).to_bytes()


@pytest.mark.parametrize("grid", [BARE, KNOWN], ids=["without a reference", "with one"])
def test_what_labels_added_can_be_left_out(grid: Grid) -> None:
    batch = rows_of([(3e5, 2.9e5), (3.0, 2.0), (1e-6, 2e-6), (4.0, 1e9)])
    unlabelled = Profile.empty(grid)
    unlabelled.add_predictions(encode(batch, grid))
    both = Profile.empty(grid)
    add_rows(both, batch)

    assert both.without_labels().to_bytes() == unlabelled.to_bytes()
    assert both.labelled == 4


def is_not_tiny(number: float) -> bool:
    """Nothing is lost of a number like this, nor of its square."""
    return number == 0 or abs(number) > 2.0**-100


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-LIMIT, LIMIT), min_size=1, max_size=50))
def test_a_sum_is_exact(values: list[float]) -> None:
    found = total(sums_at(np.array(values), np.zeros((1, len(values)), dtype=np.int64), 1)[0])

    exact = sum((Fraction(value) for value in values), start=Fraction())

    tiny = sum(abs(value) < 2.0**-256 for value in values)
    assert abs(found - exact) <= Fraction(tiny, 2**318)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-(2.0**64), 2.0**64).filter(is_not_tiny)))
def test_a_sum_of_squares_is_exact(values: list[float]) -> None:
    places = np.zeros((1, len(values)), dtype=np.int64)

    found = moments_at(np.array(values), places, 1)[0]

    assert [total(limbs) for limbs in found] == [
        sum((Fraction(value) ** power for value in values), start=Fraction()) for power in (1, 2)
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e9, 1e9).filter(is_not_tiny), st.integers(0, 2), st.integers(3, 4))
    )
)
def test_sums_by_group_are_those_of_each_group(rows: list[tuple[float, int, int]]) -> None:
    values = np.array([value for value, *_ in rows])
    places = np.array([place for _, *place in rows], dtype=np.int64).reshape(-1, 2).T

    found = sums_at(np.stack([values, values]), places, 5)

    for place in range(5):
        inside = [value for value, *at in rows if place in at]
        assert float(total(found[place])) == math.fsum(inside)


@pytest.mark.parametrize("worst", [LIMIT, -LIMIT, 1e300, -math.inf, -5e-324, -(2.0**-257), 0.1])
def test_no_limb_leaves_int64_within_the_stated_rows(worst: float) -> None:
    limbs = sums_at(np.array([worst]), np.zeros((1, 1), dtype=np.int64), 1)

    assert int(np.abs(limbs).max()) * 2**31 < 2**63
    assert abs(total(limbs[0]) - Fraction(min(max(worst, -LIMIT), LIMIT))) <= Fraction(1, 2**318)


def test_a_missing_number_adds_nothing() -> None:
    limbs = sums_at(np.array([math.nan, 2.5]), np.zeros((1, 2), dtype=np.int64), 1)

    assert total(limbs[0]) == Fraction(5, 2)


def test_more_rows_than_one_block_holds_are_all_there() -> None:
    values = np.full(200_001, 0.1)

    found = total(sums_at(values, np.zeros((1, 1), dtype=np.int64), 1)[0])

    assert found == 200_001 * Fraction(0.1)
