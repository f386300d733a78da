"""Fairness from counts against Fairlearn on the raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fair

GAPS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)


def columns(stream: Any, attribute: str) -> tuple[Any, Any, Any]:
    return tuple(
        stream.window.column(name).to_numpy(False)
        for name in ("label", "prediction", f"groups.{attribute}")
    )


@pytest.mark.parametrize("attribute", ["SEX", "RACE"])
@pytest.mark.parametrize("metric", GAPS)
def test_gaps_over_all_groups_are_fairlearns(stream: Any, metric: str, attribute: str) -> None:
    y, predicted, groups = columns(stream, attribute)
    exact = getattr(fair, metric)(y, predicted, sensitive_features=groups)

    value = stream.answers.of(metric, attribute)

    assert value.value == pytest.approx(exact, abs=1e-12)
    assert value.low <= exact <= value.high


@pytest.mark.parametrize("group", list("23456"))
@pytest.mark.parametrize("metric", GAPS)
def test_gaps_against_the_reference_group_are_fairlearns_of_those_two(
    stream: Any, metric: str, group: str
) -> None:
    y, predicted, groups = columns(stream, "RACE")
    kept = np.isin(groups, ["1", group])
    exact = getattr(fair, metric)(y[kept], predicted[kept], sensitive_features=groups[kept])

    assert stream.answers.number(metric, "RACE", f"RACE={group}") == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("group", ["1", "2"])
def test_selection_rates_are_fairlearns(stream: Any, group: str) -> None:
    y, predicted, groups = columns(stream, "SEX")
    kept = groups == group

    assert stream.answers.number("selection_rate", "SEX", f"SEX={group}") == pytest.approx(
        fair.selection_rate(y[kept], predicted[kept]), abs=1e-12
    )


def test_small_groups_stay_out_of_the_gap_over_all_and_are_named(
    answering: Any, survey: Any, rows: Any
) -> None:
    stream = answering(survey(), rows(5_000, 1), rows(3_000, 2), group_rows=200)
    y, predicted, groups = columns(stream, "RACE")
    large = [one for one in np.unique(groups) if np.sum(groups == one) >= 200]
    kept = np.isin(groups, large)

    value = stream.answers.of("demographic_parity_ratio", "RACE")

    assert value.value == pytest.approx(
        fair.demographic_parity_ratio(y[kept], predicted[kept], sensitive_features=groups[kept])
    )
    assert f"over groups {', '.join(large)}" in value.note
    assert "left out, under 200 rows" in value.note
