"""What the chart and Compose set exists, and is read the way it is meant."""

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from watchkeeper.main import group
from watchkeeper_shared.settings import LogSettings, read, variable
from watchkeeper_shared.testing.charts import HelmEnvironment, Rendered

ROOT = Path(__file__).parents[2]
SECURED = ROOT / "helm" / "watchkeeper" / "ci" / "secured-values.yaml"
MODULES = (
    "watchkeeper_shared",
    "watchkeeper_ingest",
    "watchkeeper_monitor",
    "watchkeeper_alerting",
)


def known() -> set[str]:
    """Every variable that some settings class reads."""
    return {
        variable(field.name)
        for package in MODULES
        if importlib.util.find_spec(f"{package}.settings")
        for one in vars(importlib.import_module(f"{package}.settings")).values()
        if isinstance(one, type) and is_dataclass(one)
        for field in fields(one)
    }


def environments(rendered: Rendered) -> Iterator[dict[str, str]]:
    """The variables of each container; a secret stands for itself."""
    config = {one["metadata"]["name"]: one["data"] for one in rendered.of_kind("ConfigMap")}
    for owner in rendered.of_kind("Deployment") + rendered.of_kind("Job"):
        for container in owner["spec"]["template"]["spec"]["containers"]:
            env: dict[str, str] = {}
            for source in container.get("envFrom", []):
                env |= config.get(source.get("configMapRef", {}).get("name"), {})
            for one in container["env"]:
                env[one["name"]] = one.get("value", "secret")
            yield env


@pytest.fixture(scope="module")
def secured(helm: HelmEnvironment) -> Rendered:
    return helm.render(yaml.safe_load(SECURED.read_text(encoding="utf-8")))


def test_the_chart_sets_only_variables_that_are_read(secured: Rendered) -> None:
    found = list(environments(secured))

    assert len(found) == 5
    for env in found:
        assert set(env) - known() == set()


def test_services_and_jobs_reach_the_brokers_in_the_same_way(secured: Rendered) -> None:
    first, *others = [read(LogSettings, env) for env in environments(secured)]

    assert first.kafka_security_protocol == "SASL_SSL"
    assert first.kafka_sasl_password == "secret"
    assert first.topic_partitions == 12
    assert all(other == first for other in others)


def test_certificates_lie_where_the_settings_say(secured: Rendered) -> None:
    (env, *_) = environments(secured)
    files = {Path(env[f"WATCHKEEPER_KAFKA_SSL_{one}FILE"]) for one in ("CA", "CERT", "KEY")}

    for owner in secured.of_kind("Deployment") + secured.of_kind("Job"):
        pod: dict[str, Any] = owner["spec"]["template"]["spec"]
        mounts = {
            Path(mount["mountPath"]): mount["name"]
            for mount in pod["containers"][0]["volumeMounts"]
        }
        assert {file.parent for file in files} <= set(mounts)
        assert set(mounts.values()) <= {volume["name"] for volume in pod["volumes"]}


def test_a_user_is_asked_for_where_brokers_want_one(helm: HelmEnvironment) -> None:
    values = {
        "database": {"existingSecret": "db"},
        "kafka": {"bootstrap": "kafka:9094", "protocol": "SASL_SSL"},
    }

    assert "set kafka.sasl.existingSecret" in helm.render(values).refused


def test_compose_sets_only_variables_that_are_read() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))

    for name in ("migrate", "topics", "ingest", "monitor", "alerting"):
        env = compose["services"][name]["environment"]
        ours = {one for one in env if one.startswith("WATCHKEEPER_")}
        assert ours
        assert ours - known() == set(), name


def understood(words: list[str]) -> bool:
    """Whether `watchkeeper WORDS` names a command and options that it has; runs nothing."""
    command: click.Command = group
    with click.Context(group) as context:
        while isinstance(command, click.Group):
            _, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
        command.make_context(command.name, words)
    return True


def test_the_command_understands_what_chart_and_compose_start(secured: Rendered) -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    started = [one["command"] for one in compose["services"].values() if "build" in one]
    started += [
        container["args"]
        for owner in secured.of_kind("Deployment") + secured.of_kind("Job")
        for container in owner["spec"]["template"]["spec"]["containers"]
    ]

    assert len(started) == 10
    assert all(understood(list(words)) for words in started)
