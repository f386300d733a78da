"""Columns of a reference that say nothing, or one thing, are named to whoever approves it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.references.remarks import remarks
from watchkeeper_shared.testing.builders import a_system

COUNT = 6


def grid(**changes: Any) -> Grid:
    columns = {
        "features.AGEP": [20.0, 30.0, 40.0] * 2,
        "features.RELP": ["a", "b"] * 3,
        "groups.SEX": ["1", "2"] * 3,
        "groups.RAC1P": ["1", "2"] * 3,
        "prediction": [0, 1] * 3,
    }
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    return Grid.build(pa.table(columns | changed), a_system(), "1")


def test_of_a_reference_whose_columns_vary_nothing_is_said() -> None:
    assert remarks(grid()) == []


def test_columns_without_any_value_and_with_one_are_named() -> None:
    found = remarks(
        grid(
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
    assert remarks(grid(features__AGEP=[0.0] * COUNT)) == [
        "features.AGEP is 0 in every row: any other value is drift"
    ]
