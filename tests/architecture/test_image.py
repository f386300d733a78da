"""The container image: what can be known of it without an engine."""

import re
from pathlib import Path

import yaml

from watchkeeper_shared.testing.charts import HelmEnvironment
from watchkeeper_shared.testing.servers.programs import run_program

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_INSTRUCTION = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)


def instructions(name: str) -> list[str]:
    found = _INSTRUCTION.findall(DOCKERFILE.read_text(encoding="utf-8"))
    return [rest for word, rest in found if word == name]


def test_hadolint_finds_nothing(helm: HelmEnvironment) -> None:
    status, said = run_program([helm.program("hadolint"), DOCKERFILE])

    assert status == 0, said


def test_both_stages_stand_on_one_pinned_base() -> None:
    assert instructions("ARG")[0] == "BASE=python:3.11-slim-bookworm"
    assert instructions("FROM") == ["${BASE} AS build", "${BASE}"]


def test_it_runs_as_a_number_that_is_not_root() -> None:
    (user,) = instructions("USER")

    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user)


def test_it_starts_the_command_without_a_shell() -> None:
    assert instructions("ENTRYPOINT") == ['["watchkeeper"]']
    (health,) = instructions("HEALTHCHECK")
    assert "urllib" in health
    assert "/healthz" in health


def test_versions_come_from_the_constraints() -> None:
    assert any("--constraint constraints.txt" in run for run in instructions("RUN"))


def test_nothing_calls_home_and_no_secret_is_baked_in() -> None:
    (environment, *_) = [text for text in instructions("ENV") if "PATH=" in text]

    assert re.search(r"\bDO_NOT_TRACK=1\b", environment)
    given = " ".join(instructions("ENV") + instructions("ARG"))
    assert not re.search(r"PASSWORD|SECRET|TOKEN|DATABASE_URL", given, re.IGNORECASE)


def test_only_what_is_installed_enters_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {line[1:] for line in rules if line.startswith("!")} == {
        *("LICENSE", "README.md", "constraints.txt", "pyproject.toml"),
        *("shared", "services", "cli"),
    }


def test_the_chart_runs_the_user_that_the_image_has() -> None:
    (user,) = instructions("USER")
    helpers = (ROOT / "helm/watchkeeper/templates/_helpers.tpl").read_text(encoding="utf-8")

    assert f"runAsUser: {user.partition(':')[0]}\n" in helpers


def test_compose_builds_the_version_that_the_project_has() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    image = compose["services"]["ingest"]["image"]

    assert f'version = "{image.rpartition(":")[2]}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"VERSION={image.rpartition(':')[2]}" in instructions("ARG")
