"""What people may write in a values file, and what is refused before it does harm."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from watchkeeper_shared.testing.charts import HelmEnvironment

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "watchkeeper"
MINIMAL = {"database": {"existingSecret": "db"}, "kafka": {"bootstrap": "kafka:9092"}}


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicaCout": 3}, "replicaCout"),
        ({"ingest": {"replicaCout": 3}}, "replicaCout"),
        ({"ingest": {"resources": {"request": {}}}}, "request"),
        ({"monitor": {"autoscaling": {"enable": True}}}, "enable"),
        ({"image": {"tag": "latest"}}, "tag"),
        ({"image": {"digest": "abc"}}, "digest"),
        ({"migrations": {"mode": "automatic"}}, "mode"),
        ({"ingest": {"replicas": "two"}}, "replicas"),
        ({"kafka": {"bootstrap": "kafka"}}, "bootstrap"),
        (
            {"settings": {"WATCHKEEPER_DATABASE_URL": "postgresql://u:p@h/d"}},
            "WATCHKEEPER_DATABASE_URL",
        ),
        ({"settings": {"PATH": "/tmp"}}, "PATH"),
        ({"alerting": {"podLabels": {"app.kubernetes.io/name": "x"}}}, "app.kubernetes.io/name"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_a_mistake_in_values_is_refused_by_name(
    helm: HelmEnvironment, values: dict[str, Any], named: str
) -> None:
    refused = helm.render({**MINIMAL, **values}).refused

    assert named in refused


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("database", "set database.existingSecret to the name of a Secret"),
        ("kafka", "set kafka.bootstrap to host:port of your brokers"),
    ],
)
def test_what_has_no_default_is_asked_for(helm: HelmEnvironment, missing: str, words: str) -> None:
    values = {key: value for key, value in MINIMAL.items() if key != missing}

    assert words in helm.render(values).refused


def test_the_schema_and_the_values_file_know_the_same_keys() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    known = schema()
    component = set(known["definitions"]["component"]["properties"])

    assert set(known["properties"]) == set(values) | {"global"}
    for service in ("ingest", "monitor", "alerting"):
        assert set(values[service]) == component, service


def test_the_schema_is_closed_wherever_it_names_keys() -> None:
    def opened(node: dict[str, Any], path: str) -> list[str]:
        keys = node.get("properties", {})
        here = [path] if keys and node.get("additionalProperties") is not False else []
        inside = (opened(inner, f"{path}.{key}") for key, inner in keys.items())
        return here + [found for some in inside for found in some]

    whole = schema()

    assert opened(whole, "") == []
    assert opened(whole["definitions"]["component"], "component") == []


def test_the_chart_ships_the_rules_that_compose_ships() -> None:
    theirs = (CHART / "files" / "rules.yml").read_text(encoding="utf-8")

    assert theirs == (ROOT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8"), (
        "copy deploy/prometheus/rules.yml to helm/watchkeeper/files/rules.yml"
    )


def test_the_rules_reach_the_cluster_as_they_are(helm: HelmEnvironment) -> None:
    values = {**MINIMAL, "prometheusRule": {"enabled": True}}
    (rule,) = helm.render(values).of_kind("PrometheusRule")

    assert rule["spec"] == yaml.safe_load((CHART / "files" / "rules.yml").read_text("utf-8"))


def test_runbooks_can_be_given_an_address(helm: HelmEnvironment) -> None:
    values = {**MINIMAL, "prometheusRule": {"enabled": True, "runbookBase": "https://r.example/"}}
    (rule,) = helm.render(values).of_kind("PrometheusRule")

    urls = {
        one["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for one in group["rules"]
    }
    assert "https://r.example/WatchkeeperServiceDown.md" in urls
    assert not any(url.startswith("docs/") for url in urls)


def test_the_chart_and_the_product_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f'version = "{chart["appVersion"]}"' in project
