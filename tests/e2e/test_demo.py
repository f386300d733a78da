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
    assert "on call is told (signature verified)" in told
    assert "SIGNATURE WRONG" not in told
    broken = int(_number(r"Rules that broke: (\d+)", told))
    # The survey's new code for "very old" is in the data; a flood of rules is not.
    assert 1 <= broken <= 3
    assert re.search(r"out-of-range: out_of_range_share of AGEP.*\n    broke    0\.00\d+ ", told)
    assert int(_number(r"Tickets that wait for a person: (\d+)", told)) == broken
    assert re.search(rf"The audit table holds \d+ acts: {broken} alert\.open", told)
    assert (tmp_path / "admin.token").exists()


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, text
    return found[1]
