"""Every value is found in the cell that a search among the edges finds it in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.grids import Axis
from watchkeeper_monitor.grids.buckets import Buckets

RNG = np.random.default_rng(7)
N = 4_000
SHAPES = {
    "normal": RNG.normal(size=N),
    "cauchy": RNG.standard_cauchy(N),
    "heavy": RNG.lognormal(0, 4, N),
    "far from zero": RNG.normal(1e12, 1e-3, N),
    "huge": RNG.normal(0, 1e307, N),
    "least": RNG.integers(-9, 9, N) * 5e-324,
    "whole numbers": RNG.integers(0, 40, N).astype(np.float64),
    "constant": np.full(N, 2.5),
    "half zero": np.where(RNG.random(N) < 0.5, 0.0, RNG.normal(size=N)),
    "nothing": np.full(N, np.nan),
}
AXES = [Axis.build(name, name, values) for name, values in SHAPES.items()]


def searched(values: np.ndarray, axes: list[Axis]) -> list[list[int]]:
    """Return the cells one axis at a time; NaN in the first one."""
    first, found = 0, []
    for axis, row in zip(axes, values, strict=True):
        cells = np.searchsorted(axis.edge_array, row, side="right")
        cells[np.isnan(row)] = 0
        found.append((first + cells).tolist())
        first += axis.cells
    return found


def test_values_like_the_reference_of_any_shape_are_in_their_cells() -> None:
    values = np.stack(list(SHAPES.values()))

    assert Buckets.of(AXES).cells(values).tolist() == searched(values, AXES)


@pytest.mark.parametrize("side", [-np.inf, np.inf])
def test_the_edges_and_their_neighbours_are_in_their_cells(side: float) -> None:
    most = max(len(axis.edges) for axis in AXES)
    rows = [np.resize(axis.edge_array if axis.edges else [0.0], most) for axis in AXES]
    with np.errstate(over="ignore"):
        values = np.nextafter(np.stack(rows), side)

    assert Buckets.of(AXES).cells(np.stack(rows)).tolist() == searched(np.stack(rows), AXES)
    assert Buckets.of(AXES).cells(values).tolist() == searched(values, AXES)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), unique=True, max_size=30),
    st.lists(st.floats(), min_size=1, max_size=30),
)
def test_any_value_among_any_edges_is_in_its_cell(edges: list[float], values: list[float]) -> None:
    axes = [Axis("a", "a", edges=tuple(sorted({edge + 0.0 for edge in edges})))]
    asked = np.array([values])

    assert Buckets.of(axes).cells(asked).tolist() == searched(asked, axes)
