"""The Compose file, the Prometheus configuration beside it and the rules."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.counters import DELIVERY_OUTCOMES, EVENT_OUTCOMES
from watchkeeper_alerting.exposition import STATUSES
from watchkeeper_ingest.metrics import IngestMetrics
from watchkeeper_monitor.meters import Meters
from watchkeeper_shared.testing.servers.programs import find_program, run_program
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
OURS = ("ingest", "monitor", "alerting")
FINISHED = "service_completed_successfully"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return loaded


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def test_the_stack_is_whole(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {
        *("kafka", "postgres", "prometheus", "migrate", "topics"),
        *OURS,
    }
    assert "name" not in compose  # docker-compose 1.29 refuses it


def test_what_a_service_waits_for_exists_and_can_get_there(compose: dict[str, Any]) -> None:
    services = compose["services"]

    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            waited = services[other]
            if how["condition"] == "service_healthy":
                assert "test" in waited["healthcheck"], f"{name} waits for the health of {other}"
            else:
                assert how["condition"] == FINISHED
                assert waited["restart"] == "no", f"{name} waits for the end of {other}"


@pytest.mark.parametrize("name", OURS)
def test_a_service_starts_on_a_prepared_database_and_log(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    waits = {other: how["condition"] for other, how in service["depends_on"].items()}

    assert waits["migrate"] == waits["topics"] == FINISHED
    assert service["command"][0] == name
    assert "/readyz" in service["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", [*OURS, "migrate", "topics", "prometheus"])
def test_what_we_run_has_no_rights_it_does_not_need(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_password_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))

    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == asked
    assert re.findall(r"^\w+=.+", example, re.MULTILINE) == []
    assert re.findall(r"\$\{\w*PASSWORD:?-", text) == []
    assert len(re.findall(r"\$\{POSTGRES_PASSWORD:\?", text)) == 2


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d", tag), f"{name}: {service['image']}"


def test_only_this_machine_reaches_the_ports(compose: dict[str, Any]) -> None:
    published = [port for one in compose["services"].values() for port in one.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_scrapes_each_service_under_the_name_that_the_rules_use() -> None:
    page = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in page["scrape_configs"]}

    assert jobs == {f"watchkeeper-{name}": [name] for name in OURS}
    text = RULES.read_text(encoding="utf-8")
    for name in OURS:
        assert f'absent(up{{job="watchkeeper-{name}"}})' in text


def test_docker_compose_understands_it(tmp_path: Path) -> None:
    try:
        program = find_program("docker-compose", "docker-compose")
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    filled = tmp_path / "filled.env"
    filled.write_text("POSTGRES_PASSWORD=letters\nONCALL_SECRET=\n", encoding="utf-8")
    page = DEPLOY / "compose.yaml"

    status, said = run_program([program, "--env-file", filled, "-f", page, "config", "-q"])
    assert status == 0, said

    if "POSTGRES_PASSWORD" not in os.environ:  # noqa: TID251 - what the program will see
        filled.write_text("ONCALL_SECRET=\n", encoding="utf-8")
        status, said = run_program([program, "--env-file", filled, "-f", page, "config", "-q"])
        assert status != 0
        assert "deploy/.env.example" in said


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return find_program("promtool", "prometheus")
    except ServerUnavailable as reason:
        skip(reason)


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "services_test.yml"),
        ("test", "rules", "oversight_test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_configuration_and_rules(
    promtool: Path, command: tuple[str, str, str]
) -> None:
    *verb, page = command

    status, said = run_program([promtool, *verb, DEPLOY / "prometheus" / page])

    assert status == 0, said


def test_each_alert_has_a_test_a_runbook_and_a_second_breath() -> None:
    tests = "".join(
        (DEPLOY / "prometheus" / page).read_text(encoding="utf-8")
        for page in ("services_test.yml", "oversight_test.yml")
    )
    found = list(rules())

    assert len(found) >= 10
    for rule in found:
        name = rule["alert"]
        runbook = ROOT / rule["annotations"]["runbook_url"]
        assert runbook == ROOT / "docs" / "runbooks" / f"{name}.md"
        assert runbook.read_text(encoding="utf-8").startswith(f"# {name}\n")
        assert f"Severity: {rule['labels']['severity']}." in runbook.read_text(encoding="utf-8")
        assert rule["keep_firing_for"]
        assert f"docs/runbooks/{name}.md" in tests, f"no rule test in which {name} fires"


def test_no_runbook_is_left_over() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}

    assert pages == {rule["alert"] for rule in rules()}


def exported() -> set[str]:
    """The names on the pages of ingest and monitor, and those in alerting's code."""
    registry = CollectorRegistry()
    IngestMetrics(registry)
    Meters(registry)
    described = {f"{one.name}_total" if one.type == "counter" else one.name
                 for one in registry.collect()}  # fmt: skip
    code = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "services" / "alerting").rglob("*.py")
    )
    written = set(re.findall(r"""["'](watchkeeper_[a-z_]+)["']""", code))
    return described | written | {f"{name}_total" for name in written}


def test_the_rules_ask_only_for_metrics_that_the_services_export() -> None:
    asked = set(re.findall(r"\bwatchkeeper_[a-z_]+", RULES.read_text(encoding="utf-8")))

    assert len(asked) >= 10
    assert asked - exported() == set()


def test_the_rules_ask_only_for_label_values_that_exist() -> None:
    text = RULES.read_text(encoding="utf-8")
    statuses = "|".join(re.findall(r'status=~?"([^"]+)"', text)).split("|")
    outcomes = set(re.findall(r'outcome="([^"]+)"', text))

    assert {"error", "insufficient_data", "no_data"} == set(statuses)
    assert set(statuses) <= set(STATUSES.values())
    assert outcomes == {*DELIVERY_OUTCOMES, "dead_letter"}
    assert "dead_letter" in EVENT_OUTCOMES
