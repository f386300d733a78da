"""The whole service as one process: from the log to the receiver, and its pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from watchkeeper_alerting import keys
from watchkeeper_alerting.main import run
from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_alerting.testing.builders import a_breach, a_record
from watchkeeper_alerting.testing.receivers import http_receiver
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.settings import read
from watchkeeper_shared.topics import BREACHES, CONTROL

CHANNEL = """\
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "%s/hook", secret_env: ONCALL_SECRET}
"""


@dataclass
class Process:
    url: str
    log: EmbeddedLog
    client: httpx.Client


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll until it holds; ten seconds are far more than it takes."""
    clock, pause = SystemClock(), threading.Event()
    deadline = clock.monotonic() + 10
    while not condition():
        assert clock.monotonic() < deadline, what
        pause.wait(0.05)


@contextmanager
def a_process(folder: Path) -> Iterator[Process]:
    clock = SystemClock()
    env = {
        "WATCHKEEPER_DATABASE_URL": f"sqlite:///{folder}/state.db",
        "WATCHKEEPER_LOG_PATH": str(folder / "log.db"),
        "WATCHKEEPER_PUBLIC_URL": "https://watch.example.org/",
    }
    engine = open_engine(env["WATCHKEEPER_DATABASE_URL"])
    migrations.upgrade(engine)
    log = EmbeddedLog(folder / "log.db", clock)
    create_topics(log, 2)
    with Database(engine).transaction() as c:
        token = keys.create(c, Role.ADMIN, "admin", actor="test", now=clock.now())
    stop, ready, urls = threading.Event(), threading.Event(), []

    def note(url: str) -> None:
        urls.append(url)
        ready.set()

    settings = read(AlertingSettings, env)
    arguments = (settings, "127.0.0.1", 0, stop, note, {"ONCALL_SECRET": "secret"})
    thread = threading.Thread(target=run, args=arguments)
    thread.start()
    try:
        assert ready.wait(15)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=urls[0], headers=headers, trust_env=False) as client:
            yield Process(urls[0], log, client)
    finally:
        stop.set()
        thread.join()
        log.close()
        engine.dispose()


def test_a_breach_on_the_log_reaches_the_receiver_signed(tmp_path: Path) -> None:
    with http_receiver() as receiver, a_process(tmp_path) as process:
        applied = process.client.post("/v1/apply", content=CHANNEL % receiver.url)
        assert applied.status_code == 200, applied.text
        writer = process.log.writer()

        writer.append(a_record(a_breach())).result(timeout=10)

        until(lambda: len(receiver.received) == 1, "nothing was delivered")
        writer.close()
        (alert,) = process.client.get("/v1/alerts").json()["alerts"]
        told = receiver.received[0]
        seen = process.client.get(f"/v1/alerts/{alert['id']}").json()["deliveries"]
        ready = process.client.get("/readyz")
    assert told.headers["webhook-signature"].startswith("v1,")
    assert json.loads(told.body)["data"]["alert_url"] == (
        f"https://watch.example.org/alerts/{alert['id']}"
    )
    assert [one["channel"] for one in seen] == ["oncall"]
    assert ready.json()["ok"] is True


def test_dead_letters_and_control_records_reach_the_log(tmp_path: Path) -> None:
    with a_process(tmp_path) as process:
        process.client.post("/v1/apply", content=CHANNEL % "http://127.0.0.1:9")
        writer = process.log.writer()
        record = a_record(a_breach())
        writer.append(type(record)(record.topic, record.key, b"poison", {})).result(timeout=10)

        reader = process.log.reader("people", [CONTROL.name, BREACHES.dead_letters])
        found: dict[str, bytes] = {}

        def both_came() -> bool:
            poll = reader.poll(timedelta(milliseconds=100))
            for at in poll.assigned:
                reader.start(at, 0)
            found.update({one.at.topic: one.value for one in poll.records})
            return len(found) == 2

        until(both_came, "the relay sent nothing")
        reader.close()
        writer.close()
    assert found[BREACHES.dead_letters] == b"poison"
    assert json.loads(found[CONTROL.name])["kind"] == "Channel"


def test_settings_that_cannot_work_are_told_at_once() -> None:
    env = {"WATCHKEEPER_PUBLIC_URL": "watch.example.org", "WATCHKEEPER_DELIVERY_THREADS": "0"}

    with pytest.raises(ConfigError, match="DATABASE_URL"):
        read(AlertingSettings, env)
    env |= {"WATCHKEEPER_DATABASE_URL": "sqlite:////x.db", "WATCHKEEPER_LOG_PATH": "/x"}
    with pytest.raises(ConfigError, match="PUBLIC_URL"):
        read(AlertingSettings, env)
