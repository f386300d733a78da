"""The first thing that anybody runs: the demo, whole, on the real data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from watchkeeper.demo import dataset
from watchkeeper_shared.errors import ReceiverUnavailable
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.unavailable import skip


@pytest.fixture(scope="module")
def cache() -> Path:
    folder = dataset.default_cache()
    try:
        dataset.fetch(folder)
    except ReceiverUnavailable as error:
        skip(ServerUnavailable(f"the demo's data set: {error}"))
    return folder


@pytest.mark.timeout(400)
def test_without_a_terminal_the_demo_tells_its_story_and_ends(cache: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "watchkeeper", "demo", "--cache", cache, "--data", tmp_path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        env={"PATH": os.defpath},
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    assert "417,784 of 417,784" in told
    assert "208,892 of 208,892" in told
    assert told.count("signature verified") == 3
    assert "Rules that broke: 2" in told
    assert re.search(r"out-of-range: .*\n    broke    0\.006231 \(limit 0\.005, ", told)
    assert re.search(r"impact-ratio-race: .*RAC1P=9.*\n    broke    0\.7172 \(limit 0\.8, ", told)
    assert "now      resolved; 0.8148" in told
    assert "Tickets that wait for a person: 2" in told
    assert re.search(r"The audit table holds \d+ acts: 2 alert\.open", told)
    assert (tmp_path / "admin.token").exists()
