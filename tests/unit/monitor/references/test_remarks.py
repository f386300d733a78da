"""Columns of a reference that say nothing, or one thing, are named to whoever approves it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.references.remarks import remarks
from watchkeeper_shared.testing.builders import a_system

COUNT = 6


def reference(times: int = 1, **changes: Any) -> Reference:
    columns = {
        "id": [str(row) for row in range(COUNT * times)],
        "features.AGEP": [20.0, 30.0, 40.0] * 2 * times,
        "features.RELP": ["a", "b"] * 3 * times,
        "groups.SEX": ["1", "2"] * 3 * times,
        "groups.RAC1P": ["1", "2"] * 3 * times,
        "prediction": [0, 1] * 3 * times,
    }
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    batch = pa.record_batch({name: pa.array(of) for name, of in (columns | changed).items()})
    return Reference.build([batch], a_system(), "s", "1")


def test_of_a_reference_whose_columns_vary_nothing_is_said() -> None:
    assert remarks(reference()) == []


def test_columns_without_any_value_and_with_one_are_named() -> None:
    found = remarks(
        reference(
            features__AGEP=pa.nulls(COUNT, pa.float64()),
            features__RELP=["a"] * COUNT,
            groups__SEX=["1"] * COUNT,
            groups__RAC1P=pa.nulls(COUNT, pa.string()),
        )
    )

    assert found == [
        "features.AGEP holds no value: its drift is not measured on this reference",
        "features.RELP is 'a' in every row: any other value is drift",
        "groups.SEX holds only '1': its groups cannot be compared",
        "groups.RAC1P holds no value: its groups cannot be compared",
    ]


def test_a_constant_number_is_named_with_the_number() -> None:
    assert remarks(reference(features__AGEP=[0.0] * COUNT)) == [
        "features.AGEP is 0 in every row: any other value is drift"
    ]


def test_groups_that_are_not_watched_are_counted() -> None:
    groups = [f"g{number:02d}" for number in range(24)]

    (remark,) = remarks(reference(4, groups__SEX=groups))

    assert remark == (
        "groups.SEX holds 24 groups: the 20 commonest are compared, the others are not watched; "
        "join rare ones, or watch them as a system of their own"
    )


def test_texts_in_a_column_of_numbers_are_named_as_what_they_are() -> None:
    (remark,) = remarks(reference(features__AGEP=["forty"] * COUNT))

    assert remark.startswith("features.AGEP is declared numeric and holds 6 texts and no number: ")


@pytest.mark.parametrize(("far", "said"), [(1e300, "1e+300"), (-9e9, "-9e+09")])
def test_a_value_that_makes_the_standard_deviation_is_named(far: float, said: str) -> None:
    ages = [20.0, 30.0, 40.0] * 200

    assert remarks(reference(100, features__AGEP=ages)) == []
    (remark,) = remarks(reference(100, features__AGEP=[*ages[1:], far]))
    assert remark.startswith(f"features.AGEP is {said} in one row, which makes most of its stand")


def test_a_column_of_ids_is_named() -> None:
    ids = [f"id-{row}" for row in range(COUNT * 800)]

    (remark,) = remarks(reference(800, features__RELP=ids))

    assert remark.startswith("features.RELP holds more than 4,352 values: which are new will not ")
