"""The same life over a real Kafka and a real PostgreSQL, each service in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from watchkeeper_shared.testing.servers.postgres_server import fresh_database

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
def env(kafka_bootstrap: str, postgres_url: str) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {
            "WATCHKEEPER_KAFKA_BOOTSTRAP": kafka_bootstrap,
            "WATCHKEEPER_DATABASE_URL": stack.enter_context(fresh_database(postgres_url)),
            "WATCHKEEPER_REJUDGE_INTERVAL": "1s",
        }


def test_a_drifted_system_pages_once_over_kafka_and_postgresql(
    env: dict[str, str], tmp_path: Path, launch: Any, make_world: Callable[..., Any]
) -> None:
    launch.run("db", "upgrade", env=env)
    launch.run("topics", "create", "--partitions", 3, env=env)
    made = launch.run("key", "create", "--role", "admin", "--name", "ops", env=env)
    token = made.split()[-1]
    services = {
        name: launch(name, "--port", "0", env=env) for name in ("ingest", "monitor", "alerting")
    }
    world = make_world(token, services["alerting"].url, services["ingest"].url)
    world.declare(tmp_path)

    world.stream(range(3))
    world.stream(range(3, 5), drifted=True)
    world.stream(range(5, 8))

    world.expect("every prediction is in a window", world.hours_judged())
    (alert,) = world.expect("one alert, resolved", lambda: _resolved(world.alerts()))
    received = world.expect("two notifications", lambda: _two(world))
    (ticket,) = world.tickets()
    assert [one.genuine for one in received] == [True, True]
    assert alert["breach"]["rule"] == "drift"
    psi = world.values("psi", "AGE")
    assert (ticket["frozen"]["value"], ticket["frozen"]["n"]) == (psi[3]["value"], 600)
    assert {"apply", "reference", "key.create"} <= set(world.acts())


def _resolved(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return alerts if alerts and all(one["state"] == "resolved" for one in alerts) else []


def _two(world: Any) -> list[Any]:
    received = list(world.receiver.received)
    return received if len(received) >= 2 else []
