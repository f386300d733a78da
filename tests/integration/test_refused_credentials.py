"""Every service says within seconds that the brokers refuse it, and hides the password."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.kafka.secure import SecureNode
from watchkeeper_shared.testing.servers.unavailable import skip

pytestmark = pytest.mark.kafka

SERVICES = ("ingest", "monitor", "alerting")
WRONG = "wrong-horse-battery"
SAID = "SCRAM-SHA-512 authentication of user watch refused"
SECONDS = 20.0
"""Far less than the clients' own patience, far more than a busy machine needs."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        folder = tmp_path_factory.mktemp("guarded")
        node = SecureNode(folder, dict(os.environ), {"watch": "right"})  # noqa: TID251
        node.format()
        node.start()
    except ServerUnavailable as reason:
        skip(reason)
    log = KafkaLog(node.bootstrap, SystemClock())
    create_topics(log, 1)
    log.close()
    yield node.address["scram"]
    node.stop()


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_password_is_named_by_the_probe(service: str, guarded: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    engine = open_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
    env = dict(os.environ) | {  # noqa: TID251 - the process needs the paths of this one
        "WATCHKEEPER_DATABASE_URL": url,
        "WATCHKEEPER_KAFKA_BOOTSTRAP": guarded,
        "WATCHKEEPER_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "WATCHKEEPER_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "WATCHKEEPER_KAFKA_SASL_USERNAME": "watch",
        "WATCHKEEPER_KAFKA_SASL_PASSWORD": WRONG,
    }
    command = [sys.executable, "-m", "watchkeeper", service, "--port", "0"]
    said = tmp_path / "said"
    with said.open("w") as errors:
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("ready ").strip()
        assert SAID in _until_named(address)
        assert httpx.get(f"{address}/healthz").status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert WRONG not in said.read_text()


def _until_named(address: str) -> str:
    """Ask whether the service can work until it says why not; return its last answer."""
    clock = SystemClock()
    end = clock.monotonic() + SECONDS
    answer = httpx.get(f"{address}/readyz", timeout=SECONDS)
    while SAID not in answer.text and clock.monotonic() < end:
        answer = httpx.get(f"{address}/readyz", timeout=SECONDS)
    assert answer.status_code == 503
    return answer.text
