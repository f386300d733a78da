"""Pages over real HTTP, and a server that lets requests in flight finish."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from watchkeeper_shared.errors import ConfigError, StoreUnavailable
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.pages import (
    probe_app,
    process_registry,
    serve,
    served,
)
from watchkeeper_shared.testing.clocks import ManualClock


def test_probes_answer_200_or_503_with_the_reason(clock: ManualClock) -> None:
    health = Health(clock)
    health.loop("intake", timedelta(seconds=30))
    away = [False]

    def database() -> None:
        if away[0]:
            raise StoreUnavailable("the disk is gone")

    health.check("database", database)
    with (
        served(probe_app(health, CollectorRegistry())) as at,
        httpx.Client(base_url=at.url) as http,
    ):
        assert http.get("/healthz").json() == {"ok": True, "checks": {"intake": "ok"}}
        assert http.get("/readyz").status_code == 200
        away[0] = True
        clock.advance(timedelta(seconds=2))
        unready = http.get("/readyz")
        assert unready.status_code == 503
        assert unready.json()["checks"]["database"] == "StoreUnavailable: the disk is gone"
        assert http.get("/healthz").status_code == 200
        clock.advance(timedelta(minutes=1))
        assert http.get("/healthz").status_code == 503


def test_metrics_come_in_the_form_that_is_asked_for(clock: ManualClock) -> None:
    registry = process_registry()
    Counter("watchkeeper_turns", "Turns.", registry=registry).inc()
    openmetrics = {"accept": "application/openmetrics-text; version=1.0.0"}
    with served(probe_app(Health(clock), registry)) as at:
        plain = httpx.get(f"{at.url}/metrics")
        modern = httpx.get(f"{at.url}/metrics", headers=openmetrics)

    assert "watchkeeper_turns_total 1.0" in plain.text
    assert "process_cpu_seconds_total" in plain.text
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


def test_the_page_passes_promtool(clock: ManualClock) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian has it in the package prometheus")
    with served(probe_app(Health(clock), process_registry())) as at:
        page = httpx.get(f"{at.url}/metrics").content

    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()


def slow_app(entered: threading.Event, go_on: threading.Event) -> FastAPI:
    app = FastAPI()

    @app.get("/slow")
    def slow() -> dict[str, bool]:
        entered.set()
        return {"finished": go_on.wait(timeout=30)}

    return app


def test_a_request_in_flight_is_finished_before_the_server_ends() -> None:
    entered, go_on, stop = threading.Event(), threading.Event(), threading.Event()
    urls: list[str] = []
    ready = threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        ready.set()

    with ThreadPoolExecutor(2) as threads:
        server = threads.submit(serve, slow_app(entered, go_on), "127.0.0.1", 0, stop, note)
        assert ready.wait(timeout=30)
        answer = threads.submit(httpx.get, f"{urls[0]}/slow", timeout=30)
        assert entered.wait(timeout=30)
        stop.set()
        refused = _refuses_new_connections(urls[0])
        go_on.set()
        assert answer.result(timeout=30).json() == {"finished": True}
        server.result(timeout=30)

    assert refused


def _refuses_new_connections(url: str) -> bool:
    """Ask until the listener is closed, at most a few hundred times a tick apart."""
    host, port = url.removeprefix("http://").split(":")
    pause = threading.Event()
    for _ in range(500):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return True
        pause.wait(0.02)
    return False


def test_a_taken_port_is_told_before_anything_starts(clock: ManualClock) -> None:
    app = probe_app(Health(clock), CollectorRegistry())
    with (
        served(app) as at,
        pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{at.port}"),
        served(app, port=at.port),
    ):
        pass


def test_an_error_in_the_block_is_the_one_that_comes_out(clock: ManualClock) -> None:
    app = probe_app(Health(clock), CollectorRegistry())
    with pytest.raises(ZeroDivisionError), served(app):
        _ = 1 / 0


_PROCESS = """
import sys, threading
from prometheus_client import CollectorRegistry
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.pages import probe_app, serve, stop_on_signals

stop = threading.Event()
stop_on_signals(stop)
app = probe_app(Health(SystemClock()), CollectorRegistry())
serve(app, "127.0.0.1", 0, stop, on_ready=lambda url: print("ready", url, flush=True))
print("drained", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_stop_drains_and_exits_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "process.py"
    script.write_text(_PROCESS)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        assert httpx.get(f"{url}/healthz").status_code == 200

        process.send_signal(number)

        assert process.stdout.read() == "drained\n"
        assert process.wait(timeout=30) == 0
