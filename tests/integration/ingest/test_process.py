"""A whole process that is stopped or killed under load: what it acknowledged is in the log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from watchkeeper_shared.events import codec
from watchkeeper_shared.testing.builders import a_prediction

PROGRAM = """
import sys, threading
from watchkeeper_ingest.main import run
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.observability.serving import stop_on_signals
from watchkeeper_shared.settings import environment, read
stop = threading.Event()
stop_on_signals(stop)
settings = read(IngestSettings, environment())
run(settings, "127.0.0.1", 0, stop, lambda url: print(url, flush=True))
"""


@contextmanager
def process(world: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    env = {
        **os.environ,  # noqa: TID251 - the child needs the path of this environment
        "WATCHKEEPER_DATABASE_URL": world.settings.database_url,
        "WATCHKEEPER_LOG_PATH": str(world.settings.log_path),
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


def publish_until_gone(url: str, token: str, first: int) -> list[str]:
    """Send single events until nobody answers; return the ids that were acknowledged."""
    acknowledged: list[str] = []
    headers = {"Authorization": f"Bearer {token}", "Content-Type": codec.JSON}
    with httpx.Client(base_url=url, headers=headers) as client:
        for number in range(first, first + 10_000):
            item = a_prediction(number, time="2026-01-01T00:00:00Z")
            try:
                answer = client.post("/v1/predictions", content=json.dumps(item))
            except httpx.TransportError:
                break
            if answer.status_code != 202:
                break
            acknowledged.append(item["id"])
    return acknowledged


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_what_was_acknowledged_survives_the_process(number: int, code: int, world: Any) -> None:
    token = world.add_key()
    with process(world) as (child, url), ThreadPoolExecutor(4) as threads:
        senders = [
            threads.submit(publish_until_gone, url, token, 10_000 * sender) for sender in range(4)
        ]
        while len(world.records()) < 10:
            assert child.poll() is None
        child.send_signal(number)
        acknowledged = {one for sender in senders for one in sender.result(30)}

        assert child.wait(30) == code
    kept = {row["id"] for row in world.rows()}
    assert acknowledged
    assert acknowledged <= kept
