"""A whole process that is stopped or killed under load: what it acknowledged is in the log."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from watchkeeper_shared.clock import SystemClock
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


def test_a_full_disk_is_not_ready_until_there_is_room_and_loses_nothing(world: Any) -> None:
    headers = {"Authorization": f"Bearer {world.add_key()}", "Content-Type": codec.JSON}
    some, many = a_few(0, 1), a_few(1, 10_000)
    with process(world) as (child, url), httpx.Client(base_url=url, headers=headers) as client:

        def send(items: list[dict[str, Any]]) -> int:
            return client.post("/v1/predictions", content=json.dumps(items)).status_code

        def ready() -> int:
            return client.get("/readyz").status_code

        assert (send(some), ready()) == (202, 200)

        # What is there can be read and a little can be written, as on any full disk.
        _limit_files(child.pid, 200_000)
        assert send(many) == 503
        _until(lambda: ready() == 503)
        told = client.get("/readyz").json()["checks"]["event log"]
        assert "cannot write to the event log" in told
        assert "check the disk's free space" in told

        # Nobody sends to a service that is not ready: it finds out by itself.
        _limit_files(child.pid, resource.RLIM_INFINITY)
        _until(lambda: ready() == 200)
        _until(lambda: send(many) == 202)

    kept = [row["id"] for row in world.rows()]
    assert sorted(kept) == sorted(one["id"] for one in [*some, *many])


def a_few(first: int, count: int) -> list[dict[str, Any]]:
    return [a_prediction(n, time="2026-01-01T00:00:00Z") for n in range(first, first + count)]


def _limit_files(pid: int, size: int) -> None:
    """Let the system refuse a process to write files beyond a size, as a full disk does."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _until(is_so: Callable[[], bool]) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + 30
    while not is_so():
        assert clock.monotonic() < deadline
