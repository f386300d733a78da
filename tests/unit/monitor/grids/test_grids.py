"""A grid has a place for every value, whatever the reference looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Axis, Categories, Grid
from watchkeeper_monitor.grids.grid import logit_edges
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.specs import Task
from watchkeeper_shared.testing.builders import a_system

RNG = np.random.default_rng(42)
SHAPES = {
    "normal": RNG.normal(size=20_000),
    "pareto": RNG.pareto(1.5, 20_000),
    "cauchy": RNG.standard_cauchy(20_000),
    "uniform": RNG.uniform(size=20_000),
    "far from zero": RNG.normal(1e9, 1, 20_000),
    "huge": RNG.normal(0, 1e307, 20_000),
    "tiny": RNG.normal(0, 1e-300, 20_000),
}


def bin_shares(axis: Axis, values: Any) -> Any:
    cells = np.bincount(
        np.searchsorted(axis.edge_array, values, side="right"), minlength=axis.cells
    )
    return np.add.reduceat(cells, axis.bin_starts) / len(values)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_continuous_column_has_ten_even_bins(shape: str) -> None:
    axis = Axis.build("x", "features.x", SHAPES[shape])

    assert bin_shares(axis, SHAPES[shape]) == pytest.approx(np.full(10, 0.1), abs=1e-3)


@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in ("huge", "tiny")])
def test_no_cell_is_wider_than_its_ladder(shape: str) -> None:
    values = SHAPES[shape]
    axis = Axis.build("x", "features.x", values)
    edges, median = axis.edge_array, np.median(values)
    away = np.minimum(np.abs(edges[:-1] - median), np.abs(edges[1:] - median))

    assert np.all(np.diff(edges) <= 0.05 * axis.sd * 1.001 + 0.1 * away + 1e-9 * abs(median))
    assert axis.cells < 1_500


def test_the_ends_catch_exactly_what_is_outside_the_reference() -> None:
    axis = Axis.build("x", "features.x", np.array([1.0, 2.0, 5.0]))
    just_past = np.array([np.nextafter(1.0, 0.0), 1.0, 5.0, np.nextafter(5.0, 6.0)])

    cells = np.searchsorted(axis.edge_array, just_past, side="right")

    assert (cells == 0).tolist() == [True, False, False, False]
    assert (cells == axis.cells - 1).tolist() == [False, False, False, True]


def test_every_value_of_an_integer_coded_column_has_its_own_cell() -> None:
    values = RNG.poisson(20, 5_000).astype(float)
    axis = Axis.build("x", "features.x", values)
    distinct = np.unique(values)

    cells = np.searchsorted(axis.edge_array, distinct, side="right")

    assert len(set(cells)) == len(distinct)
    assert np.all(axis.edge_array[cells] == np.nextafter(distinct, np.inf))


def test_an_atom_in_a_continuous_column_has_a_cell_and_a_bin_of_its_own() -> None:
    values = np.where(RNG.uniform(size=5_000) < 0.95, 0.0, RNG.normal(size=5_000))

    axis = Axis.build("x", "features.x", values)
    shares = bin_shares(axis, values)

    assert shares.max() == pytest.approx(np.mean(values == 0.0), abs=1e-12)
    assert len(shares) >= 3


@pytest.mark.parametrize("share", [0.5, 0.03])
def test_a_yes_no_column_has_two_bins_however_rare_the_yes(share: float) -> None:
    values = (np.arange(1_000) < share * 1_000).astype(float)

    assert bin_shares(Axis.build("x", "features.x", values), values) == pytest.approx(
        [1 - share, share]
    )


def test_each_of_at_most_ten_values_has_a_bin_however_rare() -> None:
    values = np.repeat([1.0, 2.0, 3.0, 7.0], [900, 60, 30, 10])

    assert bin_shares(Axis.build("x", "features.x", values), values).tolist() == [
        0.9,
        0.06,
        0.03,
        0.01,
    ]


def test_a_constant_column_has_a_bin_below_at_and_above() -> None:
    axis = Axis.build("x", "features.x", np.full(100, 3.5))

    assert bin_shares(axis, np.array([3.0, 3.5, 3.5, 4.0])).tolist() == [0.25, 0.5, 0.25]
    assert (axis.mean, axis.sd, axis.scale) == (3.5, 0.0, 1.0)


@pytest.mark.parametrize("values", [np.empty(0), np.full(5, np.nan)])
def test_an_empty_or_all_null_column_counts_its_rows_in_one_cell(values: Any) -> None:
    axis = Axis.build("x", "features.x", values)

    assert (axis.cells, axis.low, axis.high) == (1, None, None)


def test_the_order_of_the_reference_rows_does_not_matter() -> None:
    values = SHAPES["pareto"]

    assert Axis.build("x", "x", values) == Axis.build("x", "x", values[::-1].copy())


def test_scores_rounded_to_two_decimals_have_a_cell_each() -> None:
    rounded = np.arange(101) / 100

    cells = np.searchsorted(logit_edges(), rounded, side="right")

    assert len(set(cells.tolist())) == 101


def test_categories_past_the_cap_are_other_and_not_unseen() -> None:
    column = Categories.build("k", "k", pa.array(["a", "a", "b", "c", "c", "c"]), cap=2)

    assert column.values == ("c", "a")
    codes = column.encode(pa.array(["a", "b", "d", None]))
    assert codes.tolist() == [1, column.other, column.unseen, column.null]


def test_a_column_with_too_many_values_does_not_claim_to_know_the_unseen() -> None:
    names = [f"v{i}" for i in range(5_000)]

    column = Categories.build("k", "k", pa.array(names), cap=2)

    assert column.open
    assert column.encode(pa.array(["never"])).tolist() == [column.other]


def test_dictionaries_and_numbers_are_coded_like_their_text() -> None:
    column = Categories.build("k", "k", pa.array([1.0, 2.0, 2.0]))

    assert column.values == ("2", "1")
    coded = pa.array(["1", None, "9"]).dictionary_encode()
    assert column.encode(coded).tolist() == [1, column.null, column.unseen]
    assert column.encode(pa.array([2, 1])).tolist() == [0, 1]


def a_reference() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "features.AGEP": pa.array([20.0, 30.0, None]),
            "features.RELP": pa.array(["0", "1", "1"]),
            "prediction": pa.array([1, 0, 1]),
            "score": pa.array([0.9, 0.1, 0.8]),
            "groups.SEX": pa.array(["1", "2", "2"]),
        }
    )


def test_a_grid_survives_its_bytes_and_has_one_id() -> None:
    grid = Grid.build(a_reference(), a_system(), "1")

    again = Grid.from_bytes(grid.to_bytes())

    assert again == grid
    assert again.id == grid.id
    assert grid.classes == ("0", "1")
    assert grid.classes[grid.positive] == "1"


def test_another_reference_is_another_grid() -> None:
    grid = Grid.build(a_reference(), a_system(), "1")

    assert Grid.build(a_reference().slice(1), a_system(), "1").id != grid.id


def test_bytes_that_are_no_grid_are_refused() -> None:
    with pytest.raises(MalformedRecord, match="no grid"):
        Grid.from_bytes(b'{"axes": 1}')


def test_classes_are_text_whatever_type_they_came_in() -> None:
    grid = Grid.build(a_reference(), a_system(), "1")

    for labels in ([1, 0, 7], [1.0, 0.0, 7.5], ["1", "0", "x"], ["1", "0", None]):
        assert grid.label_codes(labels).tolist() == [1, 0, 2]


def test_a_bare_grid_knows_the_classes_and_the_score_range_but_no_values() -> None:
    grid = Grid.bare(a_system(), "1")

    assert grid.classes == ("0", "1")
    assert not grid.referenced
    assert grid.axes[grid.score].cells > 1_000
    assert [axis.cells for axis in grid.axes if axis.field != "score"] == [1]
    assert [column.values for column in grid.attributes] == [("1",), ("1",)]


def test_a_regression_has_its_prediction_among_the_axes() -> None:
    spec = a_system(task=Task.REGRESSION)
    batch = a_reference().set_column(2, "prediction", pa.array([1.5, 2.5, 3.5]))

    grid = Grid.build(batch, spec, "1")

    assert [axis.name for axis in grid.axes] == ["AGEP", "score", "prediction"]
    assert (grid.classes, grid.positive) == ((), -1)


def test_an_intersection_names_no_group_that_its_parts_do_not() -> None:
    """Rows of a window are told apart by the parts: no row of such a group would be counted."""
    groups = [f"g{number:02d}" for number in range(24)] * 2 + ["g00"]
    rows = pa.record_batch(
        {
            "prediction": pa.array([0, 1] * 24 + [0]),
            "groups.SEX": pa.array(["1"] * 24 + ["2"] * 24 + [None]),
            "groups.RAC1P": pa.array(groups),
        }
    )
    crossed = {"SEX&RAC1P": {"reference": "1&g00"}}
    spec = a_system(groups={"SEX": {"reference": "1"}, "RAC1P": {"reference": "g00"}} | crossed)
    grid = Grid.build(rows, spec, "1")
    _, common, both = grid.attributes

    (crossing,) = grid.crossings
    codes = crossing.codes(
        np.stack([one.encode(rows.column(one.field)) for one in grid.attributes[:2]])
    )

    counted = np.bincount(codes, minlength=both.codes)
    assert len(common.values) == 20
    assert set(both.values) == {f"{sex}&{group}" for sex in "12" for group in common.values}
    assert counted[: len(both.values)].tolist() == [1] * 40
    assert (counted[both.other], counted[both.unseen], counted[both.null]) == (8, 0, 1)
