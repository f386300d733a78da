"""A clock that is wrong, and then corrected, changes no count: event time comes with the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from havoc.ground import Servers, ground
from havoc.outcome import Outcome, outcome_of
from havoc.story import Plan, declare
from havoc.traffic import traffic
from havoc.verdict import miscounted
from watchkeeper_monitor.settings import EvidenceSettings, Pace
from watchkeeper_monitor.wiring import build
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.testing.clocks import ManualClock

pytestmark = pytest.mark.chaos

PLAN = Plan(seed=30, hours=6, rows_per_hour=120, partitions=2)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
AT_ONCE = Pace(
    flush_interval=timedelta(0),
    judge_interval=timedelta(0),
    rejudge_interval=timedelta(0),
    idle_timeout=timedelta(days=90),
)
STEADY = [timedelta(seconds=1)] * 6
WILD = [timedelta(days=days) for days in (3, -40, 30, -0.5, 20, -7)]


def watched(folder: Path, jumps: list[timedelta]) -> Outcome:
    """Let one monitor read the traffic piece by piece, while its clock goes where it likes."""
    folder.mkdir()
    clock, messages = ManualClock(NOW), traffic(PLAN).messages
    with ground("clock", folder, Servers()) as stage:
        database = Database(open_engine(stage.url))
        declare(database, "http://127.0.0.1:9/nobody")
        log = EmbeddedLog(folder / "log.db", SystemClock())
        create_topics(log, PLAN.partitions)
        monitor = build(
            log=log,
            database=database,
            clock=clock,
            health=Health(clock),
            metrics=CollectorRegistry(),
            pace=AT_ONCE,
            evidence=EvidenceSettings(evidence_reports=False),
        )
        writer, size = log.writer(), len(messages) // len(jumps) + 1
        for nth, jump in enumerate(jumps):
            for message in messages[nth * size : (nth + 1) * size]:
                writer.append(message).result(30)
            clock.set(clock.now() + jump)
            assert monitor.run_until_idle(timedelta(seconds=60), SystemClock())
        monitor.stop()
        log.close()
        found = outcome_of(PLAN, stage, database, [])
        database.close()
    return found


def test_clock_jumps_lose_and_double_nothing(tmp_path: Path) -> None:
    twin = watched(tmp_path / "steady", STEADY)

    found = watched(tmp_path / "wild", WILD)

    assert miscounted(PLAN, traffic(PLAN).poison, found, twin) == []
    assert len(found.episodes) == len(twin.episodes) > 0
