"""The Alertmanager channel against a real Alertmanager: it takes, keeps and resolves."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper_alerting.channels.alertmanager import Alertmanager
from watchkeeper_alerting.notices import Notice
from watchkeeper_alerting.testing.contract import a_notice
from watchkeeper_alerting.testing.receivers import HttpReceiver, http_receiver
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import ReceiverUnavailable
from watchkeeper_shared.testing.servers.programs import find_program
from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable, skip

pytestmark = pytest.mark.prometheus

CONFIG = """\
route: {receiver: hook, group_by: ["..."], group_wait: 0s, group_interval: 1s}
receivers:
  - name: hook
    webhook_configs: [{url: "%s/hook", send_resolved: true}]
"""


@dataclass
class Running:
    """An Alertmanager, and the receiver that it notifies."""

    url: str
    hook: HttpReceiver
    client: httpx.Client

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"{self.url}/api/v2/alerts").json()
        return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll until it holds, or fail after fifteen seconds."""
    clock, pause = SystemClock(), threading.Event()
    deadline = clock.monotonic() + 15
    while not condition():
        assert clock.monotonic() < deadline, what
        pause.wait(0.05)


def is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Running]:
    try:
        program = find_program("prometheus-alertmanager", "prometheus-alertmanager")
    except ServerUnavailable as error:
        skip(error)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with http_receiver() as hook, httpx.Client(trust_env=False) as client:
        (tmp_path / "am.yaml").write_text(CONFIG % hook.url)
        command: list[str | Path] = [
            program,
            f"--config.file={tmp_path}/am.yaml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://{address}"
                until(lambda: is_ready(client, url), "Alertmanager did not become ready")
                yield Running(url, hook, client)
            finally:
                process.terminate()


def send(alertmanager: Running, notice: Notice) -> None:
    channel = Alertmanager(alertmanager.client, alertmanager.url, timedelta(minutes=1))
    channel.send("msg_1", notice, SystemClock().now())


def test_a_firing_alert_is_one_alert_however_often_it_is_told(alertmanager: Running) -> None:
    for _ in range(3):
        send(alertmanager, a_notice())

    (alert,) = alertmanager.alerts()
    assert alert["labels"] == {
        "alertname": "WatchkeeperBreach",
        "metric": "accuracy",
        "policy": "employment-ma",
        "rule": "accuracy",
        "severity": "critical",
        "system": "employment-ma",
        "team": "labour-models",
        "version": "1",
    }
    assert "0.7712" in alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"] == "https://runbooks.example.org/accuracy"
    assert alert["generatorURL"] == "https://watch.example.org/alerts/a-1"
    until(lambda: len(alertmanager.hook.received) == 1, "nobody was notified")


def test_a_resolved_alert_is_told_to_people_once(alertmanager: Running) -> None:
    send(alertmanager, a_notice())
    until(lambda: len(alertmanager.hook.received) == 1, "nobody was notified")

    for _ in range(2):
        send(alertmanager, a_notice("resolved"))

    until(lambda: len(alertmanager.hook.received) == 2, "the end was not told")
    assert b'"status":"resolved"' in alertmanager.hook.received[1].body
    assert alertmanager.alerts() == []


def test_hostile_labels_are_taken_as_words(alertmanager: Running) -> None:
    hostile = 'x"}\n</a><script>alert(1)</script>☃'

    send(alertmanager, a_notice(column=hostile, note=hostile))

    assert alertmanager.alerts()[0]["labels"]["column"] == hostile


def test_an_alertmanager_that_is_gone_means_again(alertmanager: Running) -> None:
    gone = Running("http://127.0.0.1:9", alertmanager.hook, alertmanager.client)

    with pytest.raises(ReceiverUnavailable):
        send(gone, a_notice())
