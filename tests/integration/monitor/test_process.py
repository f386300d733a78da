"""The process as it runs for real: threads, probes, metrics, an orderly end."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from watchkeeper_monitor.main import run
from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import tables
from watchkeeper_shared.settings import read


def until(happened: Any, seconds: float = 30) -> None:
    clock, wait = SystemClock(), threading.Event()
    end = clock.monotonic() + seconds
    while not happened():
        assert clock.monotonic() < end, "it did not happen in time"
        wait.wait(0.02)


def test_a_process_monitors_answers_probes_and_ends_in_order(
    referenced: Any, database_url: str, tmp_path: Path
) -> None:
    env = {
        "WATCHKEEPER_DATABASE_URL": database_url,
        "WATCHKEEPER_LOG_PATH": str(tmp_path / "log.db"),
        "WATCHKEEPER_FLUSH_INTERVAL": "1s",
        "WATCHKEEPER_EVIDENCE_REPORTS": "false",
    }
    stop, ready, urls = threading.Event(), threading.Event(), []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    settings = read(MonitorSettings, env)
    thread = threading.Thread(target=run, args=(settings, "127.0.0.1", 0, stop, on_ready))
    thread.start()
    try:
        assert ready.wait(30)
        referenced.predict(0)
        until(lambda: referenced.measured("volume", 0, current=True))
        health = httpx.get(f"{urls[0]}/healthz")
        working = httpx.get(f"{urls[0]}/readyz")
        page = httpx.get(f"{urls[0]}/metrics").text
    finally:
        stop.set()
        thread.join(timeout=30)

    assert not thread.is_alive()
    assert (health.status_code, working.status_code) == (200, 200)
    assert set(health.json()["checks"]) == {
        "monitor",
        "monitor-relay",
        "monitor-watchdog",
        "monitor-evidence",
    }
    assert 'watchkeeper_monitor_rows_total{kind="predictions"} 400.0' in page
    assert 'watchkeeper_kafka_consumer_lag_messages{partition="' in page
    assert referenced.all(tables.leases, name="judge/loans") == []


def test_a_bug_ends_the_process_loudly(referenced: Any) -> None:
    failed = threading.Event()
    monitor = referenced.new_monitor()

    def broken(_timeout: timedelta) -> bool:
        raise ZeroDivisionError

    monitor._worker.step = broken
    threading.excepthook, before = (lambda _args: None), threading.excepthook
    try:
        monitor.start(on_failure=failed.set)
        assert failed.wait(30)
        monitor.stop()
    finally:
        threading.excepthook = before

    assert isinstance(monitor.failure, ZeroDivisionError)
