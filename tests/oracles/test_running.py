"""Operation, explanation and the binned distances, against numpy and SciPy on the raw rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

FEATURES = ("normal", "kind")


@pytest.mark.parametrize(
    ("metric", "level"), [("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)]
)
def test_latency_quantiles_are_within_their_relative_error(
    stream: Any, metric: str, level: float
) -> None:
    latency = stream.window.column("latency_ms").to_numpy(False)
    exact = np.quantile(latency, level, method="inverted_cdf")
    value = stream.answers.of(metric)

    assert value.value == pytest.approx(exact, rel=0.016)
    assert value.low <= exact <= value.high


def test_the_share_of_errors_is_a_plain_count(stream: Any) -> None:
    outcomes = stream.window.column("decision.outcome").to_numpy(False)

    assert stream.answers.number("error_share") == pytest.approx(np.mean(outcomes == "error"))


def shares(batch: Any) -> Any:
    given = np.abs([batch.column(f"explanation.{name}").to_numpy(False) for name in FEATURES])
    return (given / given.sum(axis=0)).mean(axis=1)


def test_attributions_are_mean_shares_of_each_row(stream: Any) -> None:
    for name, exact in zip(FEATURES, shares(stream.window), strict=True):
        value = stream.answers.of("attribution_share", name)

        assert value.value == pytest.approx(exact, abs=1e-12)
        assert value.low < exact < value.high
    assert stream.answers.number("explanation_coverage") == 1.0


def test_attribution_drift_is_scipys_of_the_mean_shares(stream: Any) -> None:
    exact = jensenshannon(shares(stream.window), shares(stream.reference))

    assert stream.answers.number("attribution_js_distance") == pytest.approx(exact, abs=1e-9)


def test_hellinger_and_total_variation_are_those_of_the_raw_values(stream: Any) -> None:
    reference, window = stream.pair("features.kind")
    p, q = (np.array([np.mean(x == one) for one in "abcdefgh"]) for x in (reference, window))

    assert stream.answers.number("tvd", "kind") == pytest.approx(
        float(np.abs(q - p).sum()) / 2, abs=1e-12
    )
    assert stream.answers.number("hellinger", "kind") == pytest.approx(
        float(np.sqrt(((np.sqrt(q) - np.sqrt(p)) ** 2).sum() / 2)), abs=1e-12
    )
    for metric in ("tvd", "hellinger", "js_distance", "psi"):
        value = stream.answers.of(metric, "normal")
        assert value.low <= value.value <= value.high


def test_attribution_drift_is_tested_by_which_feature_leads(stream: Any) -> None:
    def leads(batch: Any) -> Any:
        given = np.abs([batch.column(f"explanation.{name}").to_numpy(False) for name in FEATURES])
        return np.bincount(given.argmax(axis=0), minlength=2)

    exact = chi2_contingency([leads(stream.window), leads(stream.reference)], correction=False)

    assert stream.answers.of("attribution_psi").test.statistic == pytest.approx(exact.statistic)


def test_total_variation_has_an_interval_of_some_width(stream: Any) -> None:
    value = stream.answers.of("tvd", "integer")

    assert 0.005 < value.high - value.value < 0.05
