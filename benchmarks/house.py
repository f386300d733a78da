"""A monitor with its database and log in a folder of its own, ready to be fed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import yaml
from prometheus_client import CollectorRegistry

from benchmarks.stream import SYSTEM, VERSION, batch, spec
from watchkeeper_alerting.applying.application import apply
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.referencing import Upload, accept
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.settings import EvidenceSettings, Pace
from watchkeeper_monitor.wiring import Monitor, build
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.eventlog.port import EventLog, Message
from watchkeeper_shared.events import batches, headers
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.topics import PREDICTIONS

DEADLINE = timedelta(minutes=10)
POLL = timedelta(milliseconds=200)
"""How long a service waits for records."""
CLOCK = SystemClock()
PACE = Pace()


@dataclass(frozen=True, slots=True)
class House:
    """What one measurement runs in."""

    log: EventLog
    monitor: Monitor

    def feed(self, messages: Iterable[Message]) -> None:
        """Append messages and wait until all are durable."""
        writer = self.log.writer()
        for promise in [writer.append(message) for message in messages]:
            promise.result(timeout=DEADLINE.total_seconds())
        writer.close()

    def work_off(self) -> None:
        """Read, store and judge everything that is in the log, at the pace of a service."""
        while self.monitor.step(POLL):
            pass
        if not self.monitor.run_until_idle(DEADLINE, CLOCK):
            raise TimeoutError(f"the monitor was not done after {DEADLINE}")


@contextmanager
def house(kafka: str | None, store: str | None = None, pace: Pace = PACE) -> Iterator[House]:
    """Yield a monitor that knows the system.

    Parameters
    ----------
    kafka
        Brokers to read from; left out: an embedded log.
    store
        URL of an empty database; left out: SQLite.
    pace
        How much is held in memory; left out: the defaults.
    """
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-") as name:
        folder = Path(name)
        engine = open_engine(store or f"sqlite:///{folder}/state.db")
        migrations.upgrade(engine)
        database = Database(engine)
        _declare(database)
        log = open_log(kafka, folder / "log.db", CLOCK)
        create_topics(log, 1)
        health, metrics = Health(CLOCK), CollectorRegistry()
        one = build(
            log=log,
            database=database,
            clock=CLOCK,
            health=health,
            metrics=metrics,
            pace=pace,
            evidence=EvidenceSettings(evidence_reports=False),
        )
        try:
            yield House(log, one)
        finally:
            one.stop()
            log.close()
            engine.dispose()


def _declare(database: Database) -> None:
    document = {
        "apiVersion": "watchkeeper/v1",
        "kind": "AISystem",
        "metadata": {"name": SYSTEM},
        "spec": msgspec.to_builtins(spec()),
    }
    reference = Reference.build([batch(10_000, 1, labels=True)], spec(), SYSTEM, VERSION)
    artifact = reference.to_bytes()
    with database.transaction() as c:
        apply(c, [SourceFile("bench.yaml", yaml.safe_dump(document))], "bench", CLOCK.now())
        accept(c, Upload(SYSTEM, VERSION, 10_000, artifact, reference.id), "bench", CLOCK.now())


def arrow(rows: pa.RecordBatch, name: str) -> Message:
    """Return one record that carries a whole batch."""
    meta = headers.build(rows, Kind.PREDICTIONS, batch_id=name, source="/bench", now=CLOCK.now())
    return Message(PREDICTIONS.name, SYSTEM, batches.to_bytes(rows), meta)


def singles(rows: pa.RecordBatch, name: str) -> list[Message]:
    """Return one JSON record per row, as an ML service without batching would send them."""
    return [
        Message(
            PREDICTIONS.name,
            SYSTEM,
            msgspec.json.encode(event(row)),
            {"content-type": "application/json", "ce_id": f"{name}-{place}"},
        )
        for place, row in enumerate(rows.to_pylist())
    ]


def event(row: dict[str, object]) -> dict[str, object]:
    """Return a row as the object that a sender would write."""
    nested: dict[str, object] = {}
    for column, value in row.items():
        outer, _, inner = column.partition(".")
        if inner:
            inside = nested.setdefault(outer, {})
            assert isinstance(inside, dict)
            inside[inner] = value
        else:
            nested[outer] = value
    return nested
