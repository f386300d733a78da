"""The live /metrics pages against Prometheus' own linter."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.programs import find_program
from watchkeeper_shared.testing.servers.unavailable import skip

pytestmark = pytest.mark.prometheus

Launch = Callable[..., Any]
MakeWorld = Callable[..., Any]


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return find_program("promtool", "prometheus")
    except ServerUnavailable as reason:
        skip(reason)


def complaints(promtool: Path, page: str) -> tuple[int, str]:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def page_of(url: str) -> str:
    answer = httpx.get(f"{url}/metrics", trust_env=False, timeout=30)
    assert answer.status_code == 200
    return answer.text


def test_the_page_of_the_whole_process_passes_the_linter(
    tmp_path: Path, launch: Launch, make_world: MakeWorld, promtool: Path
) -> None:
    data = tmp_path / "data"
    up = launch("up", "--data", data, "--port", "0", env={})
    world = make_world((data / "admin.token").read_text().strip(), up.url)
    world.declare(tmp_path)
    world.stream(range(2))
    world.stream(range(2, 4), drifted=True)
    world.expect("every prediction is in a window", world.hours_judged())
    world.expect("an alert", world.alerts)

    page = world.expect("the exporter shows all of it", lambda: _whole(page_of(up.url)))

    assert complaints(promtool, page) == (0, "")


def _whole(page: str) -> str | None:
    wanted = (
        "watchkeeper_predictions_ingested_total{",
        "watchkeeper_monitor_windows_judged_total{",
        "watchkeeper_drift_score{",
        "watchkeeper_alerts_open{",
        "watchkeeper_review_tickets_open{",
    )
    return page if all(name in page for name in wanted) else None


@pytest.fixture
def services(tmp_path: Path, launch: Any, sqlite_url: str) -> dict[str, str]:
    env = {
        "WATCHKEEPER_DATABASE_URL": sqlite_url,
        "WATCHKEEPER_LOG_PATH": str(tmp_path / "log.db"),
    }
    launch.run("topics", "create", env=env)
    names = ("ingest", "monitor", "alerting")
    return {name: launch(name, "--port", "0", env=env).url for name in names}


def test_each_service_has_probes_and_a_page_that_passes_the_linter(
    services: dict[str, str], promtool: Path
) -> None:
    for name, url in services.items():
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200, name
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200, name
        assert complaints(promtool, page_of(url)) == (0, ""), name
