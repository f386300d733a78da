"""The calibrator's curve, read cell by cell, says what the calibrator says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.grids.axes import Axis
from watchkeeper_monitor.grids.buckets import Buckets
from watchkeeper_monitor.grids.calibration import Calibrator

SHARES = st.floats(0, 1, allow_subnormal=False)


@given(st.lists(SHARES, min_size=2, max_size=9, unique=True), st.lists(SHARES, max_size=9))
def test_the_curve_over_cells_is_the_calibrators(knots: list[float], scores: list[float]) -> None:
    heights = np.linspace(0, 1, len(knots)).tolist()
    calibrator = Calibrator(tuple(sorted(one + 0.0 for one in knots)), tuple(heights), 100)
    edges = np.union1d(calibrator.bends, [0.0, 0.5, 1.0])
    asked = np.array([0.0, 1.0, np.nan, *scores, *knots, *np.nextafter(knots, 2.0)])
    cells = Buckets.of([Axis("score", "score", edges=tuple(edges.tolist()))]).cells(asked[None])

    found = calibrator.curve(edges).at(asked, cells[0])

    np.testing.assert_array_equal(found, calibrator.probability(asked))
