"""The live /metrics pages against Prometheus' own linter."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.prometheus


def test_the_page_of_the_whole_process_passes_the_linter(
    tmp_path: Path, launch: Callable[..., Any], make_world: Callable[..., Any]
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; Debian has it in the package `prometheus`")
    data = tmp_path / "data"
    up = launch("up", "--data", data, "--port", "0", env={})
    world = make_world((data / "admin.token").read_text().strip(), up.url)
    world.declare(tmp_path)
    world.stream(range(3))
    world.expect("every prediction is in a window", world.hours_judged())

    page = world.expect("the exporter shows measurements", lambda: _page(world))
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _page(world: Any) -> str | None:
    text: str = world.alerting.send("GET", "/metrics").text
    return text if "watchkeeper_measurement" in text else None
