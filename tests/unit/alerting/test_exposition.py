"""Whatever people declare, the page stays bounded, and silence never looks like health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from watchkeeper_alerting.exposition import Facts, expose
from watchkeeper_alerting.gauges import Caps
from watchkeeper_alerting.store.measurements import Measurement
from watchkeeper_shared.specs import AISystem, FeatureKind, Group, Owner, Task

DAY = datetime(2026, 11, 22, tzinfo=UTC)


def a_system(features: int = 2) -> AISystem:
    return AISystem(
        owner=Owner(team="risk", contact="risk@example.org"),
        purpose="x",
        task=Task.BINARY,
        features={f"f{number:03}": FeatureKind.NUMERIC for number in range(features)},
        groups={"SEX": Group(reference="1")},
    )


def measured(**changes: Any) -> Measurement:
    values: dict[str, Any] = {
        "system": "credit",
        "version": "1",
        "policy": "p",
        "policy_hash": "h",
        "rule": "",
        "metric": "accuracy",
        "column": "",
        "segment": "",
        "window_start": DAY,
        "window_end": DAY + timedelta(days=1),
        "revision": 1,
        "status": "final",
        "value": 0.83,
        "low": 0.8,
        "high": 0.85,
        "n": 100,
        "reference": None,
        "reference_n": None,
        "warn": None,
        "breach": None,
        "state": "ok",
        "reason": "",
        "computed_at": DAY,
    }
    return Measurement(**{**values, **changes})


def page(facts: Facts, caps: Caps | None = None) -> CollectorRegistry:
    class Once(Collector):
        def collect(self) -> list[GaugeMetricFamily]:
            return expose(facts, caps or Caps())[0]

    registry = CollectorRegistry()
    registry.register(Once())
    return registry


def test_each_family_has_its_name() -> None:
    shown = page(
        Facts(
            {"credit": a_system()},
            [
                measured(),
                measured(metric="psi", column="f001", value=0.3, warn=0.1, breach=0.25),
                measured(metric="psi", column="score", value=0.2),
                measured(metric="demographic_parity_ratio", column="SEX", value=0.7),
                measured(metric="equal_opportunity_difference", column="SEX", value=0.1),
            ],
            {"credit": DAY},
            {("credit", "critical"): 2},
            {("credit", "new"): 3},
            DAY,
            untold={("credit", "warning"): 1},
            refused={("credit", "wrong_type"): 5, ("withdrawn", "wrong_type"): 2},
        )
    )

    def value(name: str, **labels: str) -> float | None:
        return shown.get_sample_value(f"watchkeeper_{name}", {"model": "credit", **labels})

    one = {"version": "1"}
    assert value("model_info", owner="risk", risk_tier="high", **one) == 1
    assert value("performance_score", metric="accuracy", **one) == 0.83
    assert value("drift_score", feature="f001", statistic="psi", **one) == 0.3
    assert value("prediction_drift_score", feature="score", statistic="psi", **one) == 0.2
    sex = {"attribute": "SEX", "group": ""}
    assert value("bias_disparity_ratio", metric="demographic_parity_ratio", **sex, **one) == 0.7
    metric = "equal_opportunity_difference"
    assert value("bias_difference_ratio", metric=metric, **sex, **one) == 0.1
    assert value("threshold", metric="psi", bound="warn") == 0.1
    assert value("threshold", metric="psi", bound="crit") == 0.25
    assert value("evaluation_samples", metric="psi", **one) == 100
    assert value("last_prediction_timestamp_seconds") == DAY.timestamp()
    assert value("last_evaluation_timestamp_seconds") == DAY.timestamp()
    assert value("alerts_open", severity="critical") == 2
    assert value("review_tickets_open", state="new") == 3
    assert value("alerts_untold", severity="warning") == 1
    assert value("rows_refused", reason="wrong_type") == 5
    assert value("rows_refused", reason="unknown_version") == 0
    assert value("rows_refused", reason="conflicting_id") == 0
    assert value("rows_refused", model="__other__", reason="wrong_type") == 2


def test_too_little_data_is_a_status_and_never_a_number() -> None:
    nothing = measured(value=None, low=None, high=None, n=0, state="insufficient")

    shown = page(Facts({"credit": a_system()}, [nothing]))

    def status(name: str) -> float | None:
        labels = {"model": "credit", "metric": "accuracy", "status": name}
        return shown.get_sample_value("watchkeeper_evaluation_status", labels)

    score = {"model": "credit", "version": "1", "metric": "accuracy"}
    assert shown.get_sample_value("watchkeeper_performance_score", score) is None
    assert (status("insufficient_data"), status("ok")) == (1, 0)


def test_the_strictest_of_several_limits_is_shown_whichever_side_is_bad() -> None:
    limits = [0.6, 0.7]
    found = [
        measured(metric=metric, policy=f"p{limit}", version=f"{limit}", breach=limit)
        for metric in ("estimated_accuracy", "true_positive_rate", "brier")
        for limit in limits
    ]

    shown = page(Facts({"credit": a_system()}, found))

    def threshold(metric: str) -> float | None:
        labels = {"model": "credit", "metric": metric, "bound": "crit"}
        return shown.get_sample_value("watchkeeper_threshold", labels)

    assert threshold("estimated_accuracy") == threshold("true_positive_rate") == 0.7
    assert threshold("brier") == 0.6


def test_the_worst_state_wins() -> None:
    states = ["ok", "no_data", "breach", "warn"]
    found = [
        measured(metric="psi", column=f"f{number:03}", state=state)
        for number, state in enumerate(states)
    ]

    shown = page(Facts({"credit": a_system(4)}, found))

    labels = {"model": "credit", "metric": "psi", "status": "breach"}
    assert shown.get_sample_value("watchkeeper_evaluation_status", labels) == 1


def test_nothing_undeclared_becomes_a_label() -> None:
    found = [
        measured(system="ghost"),
        measured(metric="psi", column="secret_feature"),
        measured(metric="demographic_parity_ratio", column="RELIGION"),
    ]

    families, dropped = expose(Facts({"credit": a_system()}, found), Caps())

    text = str([sample for family in families for sample in family.samples])
    assert not any(word in text for word in ("ghost", "secret_feature", "RELIGION"))
    assert dropped == {"features": 1, "groups": 1, "models": 0}


def test_the_caps_hold_and_what_they_cost_is_counted() -> None:
    many = [measured(metric="psi", column=f"f{number:03}") for number in range(60)]
    models = {f"m{number:03}": a_system() for number in range(5)}
    caps = Caps(models=3, features=50)

    _, of_features = expose(Facts({"credit": a_system(60)}, many), caps)
    families, of_models = expose(Facts(models, alerts={("m004", "warning"): 1}), caps)
    few, of_series = expose(Facts({"credit": a_system(60)}, many), Caps(series=10))

    assert of_features["features"] == 10
    assert of_models["models"] == 2
    assert any(s.labels.get("model") == "__other__" for f in families for s in f.samples)
    assert sum(len(family.samples) for family in few) == 10
    assert of_series["series"] > 0


def test_only_the_two_newest_versions_are_shown() -> None:
    found = [
        measured(version=f"{number}", window_end=DAY + timedelta(days=number))
        for number in (3, 1, 2)
    ]

    families, _ = expose(Facts({"credit": a_system()}, found), Caps())

    (info,) = [one for one in families if one.name == "watchkeeper_model_info"]
    assert sorted(sample.labels["version"] for sample in info.samples) == ["2", "3"]


def test_two_policies_over_one_series_make_one_series() -> None:
    found = [measured(policy="a", value=0.1), measured(policy="b", value=0.2)]

    families, _ = expose(Facts({"credit": a_system()}, found), Caps())

    (score,) = [one for one in families if one.name == "watchkeeper_performance_score"]
    assert len(score.samples) == 1
