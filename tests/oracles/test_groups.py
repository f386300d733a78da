"""Fairness beyond selection: against Fairlearn's frames and plain numpy, intersections too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fair
from sklearn import metrics as sk

RATES = {
    "true_positive_rate": fair.true_positive_rate,
    "false_positive_rate": fair.false_positive_rate,
    "group_precision": sk.precision_score,
    "group_accuracy": sk.accuracy_score,
    "selection_rate": fair.selection_rate,
}
GAPS = {
    "fpr_difference": fair.false_positive_rate,
    "predictive_parity_difference": sk.precision_score,
    "accuracy_difference": sk.accuracy_score,
}


def columns(stream: Any) -> tuple[Any, Any, Any, Any]:
    names = ("label", "prediction", "groups.SEX", "groups.RACE")
    return tuple(stream.window.column(name).to_numpy(False) for name in names)


def frame(stream: Any, metric: Any, attribute: str) -> Any:
    y, predicted, sex, race = columns(stream)
    crossed = np.char.add(np.char.add(sex.astype(str), "&"), race.astype(str))
    groups = {"SEX": sex, "RACE": race, "SEX&RACE": crossed}[attribute]
    return fair.MetricFrame(metrics=metric, y_true=y, y_pred=predicted, sensitive_features=groups)


def segment(attribute: str, group: str) -> str:
    pairs = zip(attribute.split("&"), group.split("&"), strict=True)
    return "&".join(f"{name}={value}" for name, value in pairs)


@pytest.mark.parametrize("attribute", ["RACE", "SEX&RACE"])
@pytest.mark.parametrize("metric", RATES)
def test_the_rates_of_each_group_are_fairlearns(stream: Any, metric: str, attribute: str) -> None:
    for group, exact in frame(stream, RATES[metric], attribute).by_group.items():
        value = stream.answers.of(metric, attribute, segment(attribute, group))

        assert value.value == pytest.approx(exact, abs=1e-12), group
        assert value.low - 1e-12 <= exact <= value.high + 1e-12


@pytest.mark.parametrize("attribute", ["SEX", "RACE", "SEX&RACE"])
@pytest.mark.parametrize("metric", GAPS)
def test_gaps_are_fairlearns(stream: Any, metric: str, attribute: str) -> None:
    of_group = frame(stream, GAPS[metric], attribute).by_group
    names = attribute.split("&")
    against = "&".join("1" for _ in names)

    assert stream.answers.number(metric, attribute) == pytest.approx(
        of_group.max() - of_group.min(), abs=1e-12
    )
    for group in of_group.index:
        if group != against:
            assert stream.answers.number(metric, attribute, segment(attribute, group)) == (
                pytest.approx(abs(of_group[group] - of_group[against]), abs=1e-12)
            )


def test_groups_of_an_intersection_add_up_to_the_whole(stream: Any) -> None:
    crossed = [
        one.n
        for one in stream.answers.values
        if (one.metric, one.column) == ("selection_rate", "SEX&RACE")
    ]

    assert sum(crossed) == stream.window.num_rows
    assert len(crossed) == 12


def test_the_calibration_of_a_group_is_that_of_its_rows(
    stream: Any, answering: Any, survey: Any
) -> None:
    inside = np.asarray(stream.window.column("groups.SEX")) == "2"
    alone = answering(survey(), stream.reference, stream.window.filter(inside))

    mine = stream.answers.of("group_ece", "SEX", "SEX=2")
    theirs = alone.answers.of("ece")

    assert (mine.value, mine.n, mine.note) == (theirs.value, theirs.n, theirs.note)
    gap = abs(mine.value - stream.answers.number("group_ece", "SEX", "SEX=1"))
    assert stream.answers.number("ece_difference", "SEX", "SEX=2") == pytest.approx(gap)


@pytest.mark.parametrize("attribute", ["SEX", "RACE", "SEX&RACE"])
def test_the_mix_of_groups_drifts_as_its_raw_shares(stream: Any, attribute: str) -> None:
    parts = [stream.pair(f"groups.{name}") for name in attribute.split("&")]
    reference, window = (
        np.array(["&".join(row) for row in zip(*(pair[at] for pair in parts), strict=True)])
        for at in (0, 1)
    )
    p, q = (
        np.array([np.mean(x == one) for one in np.unique(reference)]) for x in (reference, window)
    )

    assert stream.answers.number("group_mix_tvd", attribute) == pytest.approx(
        float(np.abs(q - p).sum()) / 2, abs=1e-12
    )
    floored = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    assert stream.answers.number("group_mix_psi", attribute) == pytest.approx(
        float(np.sum((floored[1] - floored[0]) * np.log(floored[1] / floored[0]))), abs=1e-12
    )


def test_no_value_lies_outside_its_interval_however_few_rows(
    answering: Any, survey: Any, rows: Any
) -> None:
    """A group of three of whom none is selected has a ratio of 0, and it may well be 0."""
    few = answering(survey(), rows(20_000, 1), rows(60, 5), group_rows=1)
    values = [one for one in few.answers.values if one.value is not None and one.low is not None]

    ratios = [one.value for one in values if one.metric == "demographic_parity_ratio"]
    outside = [one for one in values if not one.low <= one.value <= one.high]

    assert 0.0 in ratios
    assert outside == []


def test_a_gap_between_equal_groups_has_the_rows_of_the_smaller(
    answering: Any, survey: Any, rows: Any
) -> None:
    """Calibration errors that chance explains are all 0, and a gap of 0 needs two groups too."""
    few = answering(survey(), rows(20_000, 1), rows(400, 5), group_rows=1).answers
    of_group = {
        one.segment: one for one in few.values if (one.metric, one.column) == ("group_ece", "RACE")
    }
    against = of_group["RACE=1"]

    for name in "23456":
        one, gap = of_group[f"RACE={name}"], few.of("ece_difference", "RACE", f"RACE={name}")
        assert gap.n == min(one.n, against.n)
        assert gap.test.error == pytest.approx(np.hypot(one.test.error, against.test.error))
