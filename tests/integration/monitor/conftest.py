"""A world: one system, a real log, a real database, a clock that tests move, one monitor."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from watchkeeper_monitor.references.reference import Reference
from watchkeeper_monitor.settings import EvidenceSettings, Pace, Retention
from watchkeeper_monitor.wiring import KEPT, Monitor, build
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import tables
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.eventlog.port import Message, Record
from watchkeeper_shared.events import batches, headers
from watchkeeper_shared.events.breaches import BreachEvent
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.specs import AISystem, OversightPolicy
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.topics import BREACHES, LABELS, PREDICTIONS

SYSTEM = "loans"
DAY = timedelta(days=1)
START = datetime(2026, 3, 2, tzinfo=UTC)
PACE = Pace(flush_interval=timedelta(0), judge_interval=timedelta(0), rejudge_interval=timedelta(0))
NO_REPORTS = EvidenceSettings(evidence_reports=False)

SPEC: dict[str, Any] = {
    "owner": {"team": "credit", "contact": "oncall@example.org"},
    "purpose": "Decides about loans",
    "task": "binary",
    "positive_label": 1,
    "features": {"AGE": "numeric", "JOB": "categorical"},
    "groups": {"SEX": {"reference": "1"}},
    "versions": {"1": {"features": {"AGE": "numeric", "JOB": "categorical"}}},
}
RULES: list[dict[str, Any]] = [
    {"id": "drift", "metric": "psi", "columns": ["*"], "breach": 0.25, "min_rows": 100},
    {
        "id": "accuracy",
        "metric": "accuracy",
        "below": True,
        "breach": 0.7,
        "severity": "critical",
        "min_rows": 50,
    },
]


class World:
    """Days of traffic in milliseconds."""

    def __init__(self, database: Database, clock: ManualClock, folder: Path) -> None:
        self.database = database
        self.clock = clock
        # The log's own time is real: its heartbeats and waits are not what is tested here.
        self.log = EmbeddedLog(folder / "log.db", SystemClock())
        create_topics(self.log, 2)
        self.writer = self.log.writer()
        self.metrics = CollectorRegistry()
        self._names = itertools.count()
        self.said: dict[str, int] = {}
        self._breaches = self.log.reader("people", [BREACHES.name])
        self.monitor = self.new_monitor()

    def new_monitor(
        self,
        pace: Pace = PACE,
        evidence: EvidenceSettings = NO_REPORTS,
        retention: Retention = KEPT,
    ) -> Monitor:
        self.metrics = CollectorRegistry()
        return build(
            log=self.log,
            database=self.database,
            clock=self.clock,
            health=Health(self.clock),
            metrics=self.metrics,
            pace=pace,
            evidence=evidence,
            retention=retention,
            owner=f"monitor-{next(self._names)}",
        )

    def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        text = json.dumps(spec, sort_keys=True)
        with self.database.transaction() as c:
            revision = c.execute(
                sa.select(sa.func.count()).where(
                    tables.objects.c.kind == kind, tables.objects.c.name == name
                )
            ).scalar_one()
            c.execute(
                sa.update(tables.objects)
                .where(tables.objects.c.kind == kind, tables.objects.c.name == name)
                .values(current=False)
            )
            c.execute(
                sa.insert(tables.objects).values(
                    kind=kind,
                    name=name,
                    revision=revision + 1,
                    current=True,
                    hash=hashlib.sha256(text.encode()).hexdigest(),
                    spec=spec,
                    author="test",
                    applied_at=self.clock.now(),
                )
            )

    def approve_reference(self, rows: int = 4000) -> str:
        spec = msgspec.convert(SPEC, AISystem)
        batch = predictions([f"ref-{n}" for n in range(rows)], START - DAY, seed=99)
        batch = batch.append_column("label", batch.column("prediction"))
        reference = Reference.build([batch], spec, SYSTEM, "1")
        with self.database.transaction() as c:
            c.execute(
                sa.insert(tables.references).values(
                    id=reference.id,
                    system=SYSTEM,
                    version="1",
                    current=True,
                    rows=rows,
                    artifact=reference.to_bytes(),
                    author="test",
                    applied_at=self.clock.now(),
                )
            )
        return reference.id

    def policy(self, rules: Sequence[dict[str, Any]] = tuple(RULES), **spec: Any) -> None:
        window = {"size": "1d", "lateness": "1h"}
        whole = {"systems": [SYSTEM], "window": window, "rules": list(rules)} | spec
        msgspec.convert(whole, OversightPolicy)
        self.apply("OversightPolicy", "loans", whole)

    def send(self, batch: pa.RecordBatch, kind: Kind = Kind.PREDICTIONS, key: str = SYSTEM) -> None:
        name = f"b{next(self._names)}"
        found = headers.build(batch, kind, batch_id=name, source="/test", now=self.clock.now())
        topic = (PREDICTIONS if kind is Kind.PREDICTIONS else LABELS).name
        self.send_raw(Message(topic, key, batches.to_bytes(batch), found))

    def send_raw(self, message: Message) -> None:
        self.writer.append(message).result(timeout=30)

    def batch(
        self, day: int, rows: int, *, drifted: bool = False, seed: int | None = None
    ) -> pa.RecordBatch:
        ids = [f"day{day}-{seed}-{number}" for number in range(rows)]
        chance = day if seed is None else seed
        return predictions(ids, START + day * DAY, drifted=drifted, seed=chance)

    @staticmethod
    def spec() -> dict[str, Any]:
        """A copy of what is declared of the system."""
        found: dict[str, Any] = json.loads(json.dumps(SPEC))
        return found

    def predict(
        self,
        day: int,
        rows: int = 400,
        *,
        drifted: bool = False,
        seed: int | None = None,
        without: Sequence[str] = (),
    ) -> list[str]:
        """Publish a day's predictions; return their ids."""
        batch = self.batch(day, rows, drifted=drifted, seed=seed)
        ids: list[str] = batch.column("id").to_pylist()
        self.said.update(zip(ids, batch.column("prediction").to_pylist(), strict=True))
        self.send(batch.drop_columns(list(without)))
        return ids

    def label(self, ids: Sequence[str], values: Sequence[str], days: float = 0) -> None:
        time = self.clock.now() + days * DAY
        self.send(labels(ids, values, time), Kind.LABELS)

    def go_to(self, day: float) -> None:
        self.clock.set(START + day * DAY)

    def settle(self, monitor: Monitor | None = None) -> None:
        """Let the monitor do all there is to do at this instant."""
        done = (monitor or self.monitor).run_until_idle(timedelta(seconds=60), SystemClock())
        assert done, "the monitor did not come to rest"

    def all(self, table: sa.Table, **where: Any) -> list[Any]:
        conditions = [table.c[name] == value for name, value in where.items()]
        with self.database.read() as c:
            return list(c.execute(sa.select(table).where(*conditions)).all())

    def measured(self, metric: str, day: int, column: str = "", **where: Any) -> list[Any]:
        found = self.all(
            tables.measurements,
            system=SYSTEM,
            metric=metric,
            column=column,
            segment="",
            window_start=START + day * DAY,
            **where,
        )
        return sorted(found, key=lambda row: row.revision)

    def now_measured(self, metric: str, day: int, column: str = "") -> Any:
        (row,) = self.measured(metric, day, column, current=True)
        return row

    def tally(self, name: str, system: str = SYSTEM) -> int:
        rows = self.all(tables.tallies, system=system, name=name)
        return rows[0].value if rows else 0

    def told(self) -> list[tuple[str, BreachEvent]]:
        """Everything on the breaches topic since it was last asked for."""
        found = []
        for record in self.records(self._breaches):
            envelope = json.loads(record.value)
            event = msgspec.convert(envelope["data"], BreachEvent)
            found.append((envelope["type"].rpartition(".")[2], event))
        return found

    def records(self, reader: Any) -> list[Record]:
        records: list[Record] = []
        while True:
            polled = reader.poll(timedelta(milliseconds=50))
            for at in polled.assigned:
                reader.start(at, reader.beginning(at))
            records += polled.records
            if not polled.records and not polled.assigned:
                return records

    def close(self) -> None:
        self.monitor.stop()
        self.log.close()


def predictions(
    ids: Sequence[str], day: datetime, *, drifted: bool = False, seed: int = 0
) -> pa.RecordBatch:
    rng = np.random.default_rng(seed)
    n = len(ids)
    age = rng.normal(60 if drifted else 40, 8, n)
    score = rng.uniform(0, 1, n)
    seconds = np.linspace(0, 86_000, n)
    times = [day + timedelta(seconds=float(second)) for second in seconds]
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(list(ids)),
            "system": pa.array([SYSTEM] * n),
            "version": pa.array(["1"] * n),
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "prediction": pa.array((score >= 0.5).astype(np.int64)),
            "score": pa.array(score),
            "features.AGE": pa.array(age),
            "features.JOB": pa.array(rng.choice(["a", "b", "c"], n).tolist()),
            "groups.SEX": pa.array(rng.choice(["1", "2"], n).tolist()),
        }
    )


def labels(ids: Sequence[str], values: Sequence[str], time: datetime) -> pa.RecordBatch:
    n = len(ids)
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(list(ids)),
            "system": pa.array([SYSTEM] * n),
            "label": pa.array(list(values)),
            "time": pa.array([time] * n, pa.timestamp("us", "UTC")),
        }
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + DAY)


@pytest.fixture
def world(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[World]:
    made = World(database, clock, tmp_path)
    made.apply("AISystem", SYSTEM, SPEC)
    made.policy()
    yield made
    made.close()


@pytest.fixture
def referenced(world: World) -> World:
    """The world with an approved reference."""
    world.approve_reference()
    return world
