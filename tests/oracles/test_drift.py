"""Drift from counts against SciPy on the raw rows: equal, or inside the bound that is stated."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

NUMERIC = ("normal", "gamma", "lognormal", "pareto", "integer", "inflated", "score")
CONTINUOUS = ("normal", "gamma", "lognormal", "pareto")


def stated_bound(note: str) -> float:
    found = re.search(r"binning error at most ([\d.e+-]+)", note)
    assert found is not None
    return float(found[1]) * 1.05 + 1e-12  # the note is rounded to two digits


def field(name: str) -> str:
    return "score" if name == "score" else f"features.{name}"


@pytest.mark.parametrize("name", NUMERIC)
def test_wasserstein_is_within_its_bound_of_scipy(stream: Any, name: str) -> None:
    reference, window = stream.pair(field(name))
    exact = stats.wasserstein_distance(reference, window) / np.std(reference)

    value = stream.answers.of("wasserstein", name)

    assert abs(value.value - exact) <= stated_bound(value.note)
    assert abs(value.value - exact) <= 0.004
    assert value.low <= exact <= value.high


@pytest.mark.parametrize("name", NUMERIC)
def test_ks_is_never_above_scipy_and_within_its_bound_below(stream: Any, name: str) -> None:
    reference, window = stream.pair(field(name))
    exact = stats.ks_2samp(reference, window).statistic

    value = stream.answers.of("ks", name)

    assert value.value <= exact + 1e-12
    assert exact <= value.value + stated_bound(value.note)
    assert abs(value.value - exact) <= 0.005


def test_integer_columns_are_exact(stream: Any) -> None:
    reference, window = stream.pair("features.integer")

    distance = stats.wasserstein_distance(reference, window) / np.std(reference)
    ks = stats.ks_2samp(reference, window).statistic

    assert stream.answers.number("wasserstein", "integer") == pytest.approx(distance, abs=1e-9)
    assert stream.answers.number("ks", "integer") == pytest.approx(ks, abs=1e-12)


def decile_shares(reference: Any, window: Any) -> tuple[Any, Any]:
    edges = np.quantile(reference, np.arange(1, 10) / 10)
    counts = [
        np.bincount(np.searchsorted(edges, x, side="right"), minlength=10)
        for x in (reference, window)
    ]
    return counts[0] / len(reference), counts[1] / len(window)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_psi_is_that_of_ten_reference_deciles(stream: Any, name: str) -> None:
    p, q = decile_shares(*stream.pair(field(name)))
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)

    assert stream.answers.number("psi", name) == pytest.approx(
        float(np.sum((q - p) * np.log(q / p))), abs=1e-12
    )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_js_distance_is_that_of_ten_reference_deciles(stream: Any, name: str) -> None:
    p, q = decile_shares(*stream.pair(field(name)))

    assert stream.answers.number("js_distance", name) == pytest.approx(
        float(jensenshannon(p, q)), abs=1e-12
    )


@pytest.mark.parametrize(
    ("column", "name"), [("kind", "features.kind"), ("prediction", "prediction")]
)
def test_categories_and_predictions_are_compared_value_by_value(
    stream: Any, column: str, name: str
) -> None:
    reference, window = stream.pair(name)
    values = np.unique(np.concatenate([reference, window]))
    p, q = ([np.mean(x == value) for value in values] for x in (reference, window))
    psi = float(np.sum((np.array(q) - p) * np.log(np.array(q) / p)))

    assert stream.answers.number("psi", column) == pytest.approx(psi, abs=1e-12)
    assert stream.answers.number("js_distance", column) == pytest.approx(
        float(jensenshannon(p, q)), abs=1e-12
    )


def test_the_chi_square_is_scipys(stream: Any) -> None:
    reference, window = stream.pair("features.kind")
    table = [[np.sum(x == value) for value in "abcdefgh"] for x in (window, reference)]

    test = stream.answers.of("psi", "kind").test

    assert test.statistic == pytest.approx(stats.chi2_contingency(table).statistic, rel=1e-12)
    assert test.dof == 7


def test_one_far_outlier_is_not_drift(answering: Any, survey: Any, rows: Any) -> None:
    reference, window = rows(20_000, 1), rows(2_000, 3)
    values = window.column("features.normal").to_numpy(False).copy()
    values[0] = 1e6
    hit = window.set_column(
        window.schema.get_field_index("features.normal"), "features.normal", values
    )

    answers = answering(survey(), reference, hit).answers
    exact = stats.wasserstein_distance(reference.column("features.normal").to_numpy(False), values)

    assert answers.number("psi", "normal") < 0.05
    assert answers.number("wasserstein", "normal") == pytest.approx(exact, rel=0.02)
    assert answers.number("out_of_range_share", "normal") >= 1 / 2000
