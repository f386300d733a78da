"""The short form of `make chaos`: real processes are killed, frozen and cut off.

Afterwards every accepted prediction is in exactly one pane, and profiles, measurements,
breaches, alerts, tickets and dead letters are those of a run that was left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from havoc.ground import Ground, Servers, ground, servers
from havoc.outcome import Outcome
from havoc.run import Result, run
from havoc.schedule import Act, Step, kills_only
from havoc.story import Plan
from havoc.traffic import traffic
from havoc.verdict import differences
from watchkeeper_shared.testing.servers import ServerUnavailable
from watchkeeper_shared.testing.servers.unavailable import skip

pytestmark = pytest.mark.chaos

PLAN = Plan(seed=20, hours=6, rows_per_hour=240)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What is left when nothing happens."""
    folder = tmp_path_factory.mktemp("quiet")
    with ground("quiet", folder, Servers()) as still:
        return run(PLAN, still, folder, workers=1).outcome


@pytest.fixture(scope="module")
def real() -> Iterator[Servers]:
    """A Kafka and a PostgreSQL of our own, which we may stop."""
    try:
        env = os.environ  # noqa: TID251 - the edge of the test run
        with servers(env, kafka=True, postgres=True) as both:
            yield both
    except ServerUnavailable as missing:
        skip(missing)


def survive(shaky: Ground, folder: Path, steps: Sequence[Step], twin: Outcome) -> Result:
    result = run(PLAN, shaky, folder, steps)
    assert differences(PLAN, traffic(PLAN).poison, result.outcome, twin) == []
    return result


def test_a_quiet_run_is_what_was_sent(twin: Outcome) -> None:
    assert differences(PLAN, traffic(PLAN).poison, twin, twin) == []
    assert len(twin.episodes) == 3, "two of drift and one of accuracy"
    assert (twin.withdrawn, twin.duplicates > 0) == (0, True)


def test_killed_and_frozen_processes_lose_and_double_nothing(tmp_path: Path, twin: Outcome) -> None:
    steps = [*kills_only(PLAN.seed, 3), Step(Act.FREEZE, 0.5, 7.0, 0.8), Step(Act.FULL, 0.5, 2.0)]

    with ground("embedded", tmp_path, Servers()) as shaky:
        result = survive(shaky, tmp_path, steps, twin)

    assert result.counts["kill rounds"] == 3
    assert result.faults == []


@pytest.mark.kafka
@pytest.mark.postgres
def test_killed_servers_and_cut_connections_lose_and_double_nothing(
    tmp_path: Path, real: Servers, twin: Outcome
) -> None:
    steps = [
        Step(Act.KILL, 1.0, dice=0.3),
        Step(Act.GROUND, 0.5, 0.0, fault="connections cut"),
        Step(Act.GROUND, 0.5, 1.0, fault="broker killed"),
        Step(Act.GROUND, 0.5, 2.0, fault="database killed"),
        Step(Act.KILL, 0.5, dice=0.8),
    ]

    with ground("real", tmp_path, real) as shaky:
        result = survive(shaky, tmp_path, steps, twin)

    assert result.faults == []
