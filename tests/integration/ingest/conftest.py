"""One ingest service over a real SQLite database and the embedded log, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_ingest.wiring import MEMORY, Parts, create_app, opened
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys, Role, mint
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.tables import api_keys, objects
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import EventLog, Record
from watchkeeper_shared.events import codec
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.serving import served
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.testing.builders import NOON, SYSTEM, a_system
from watchkeeper_shared.topics import LABELS, PREDICTIONS


class NoonClock(SystemClock):
    """It is always noon of the day of the built events; durations are real."""

    def now(self) -> datetime:
        return NOON


@dataclass
class World:
    """What is around the service."""

    settings: IngestSettings
    database: Database
    log: EventLog
    metrics: CollectorRegistry

    def add_system(
        self,
        name: str = SYSTEM,
        spec: AISystem | None = None,
        revision: int = 1,
        withdrawn: str | None = None,
    ) -> None:
        """Store a revision of a system as the control plane does."""
        row = {
            "kind": "AISystem",
            "name": name,
            "revision": revision,
            "withdrawn": withdrawn,
            "current": True,
            "hash": name,
            "spec": msgspec.to_builtins(spec or a_system()),
            "author": "test",
            "applied_at": NOON,
        }
        with self.database.transaction() as c:
            c.execute(objects.update().where(objects.c.name == name).values(current=False))
            c.execute(objects.insert().values(row))

    def add_key(self, role: Role = Role.PUBLISHER, systems: tuple[str, ...] = ("*",)) -> str:
        minted = mint()
        row = {
            "id": minted.id,
            "name": f"key {minted.id}",
            "role": role.value,
            "systems": list(systems),
            "secret_hash": minted.secret_hash,
            "created_at": NOON,
        }
        with self.database.transaction() as c:
            c.execute(api_keys.insert().values(row))
        return minted.token

    def records(self, topic: str = PREDICTIONS.name) -> list[Record]:
        """Read everything that the log has."""
        reader = self.log.reader("test", [topic])
        found: list[Record] = []
        started = False
        try:
            while True:
                poll = reader.poll(timedelta(seconds=5 if not started else 0))
                for at in poll.assigned:
                    reader.start(at, reader.beginning(at))
                    started = True
                found.extend(poll.records)
                if started and not poll.assigned and not poll.records:
                    return found
        finally:
            reader.close()

    def rows(self, kind: Kind = Kind.PREDICTIONS) -> list[dict[str, Any]]:
        """Decode everything that the log has of one kind."""
        topic = PREDICTIONS if kind is Kind.PREDICTIONS else LABELS
        batches = [
            codec.decode(one.value, one.headers["content-type"], kind)
            for one in self.records(topic.name)
        ]
        return [row for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def world(tmp_path: Path, sqlite_url: str) -> Iterator[World]:
    database = Database(open_engine(sqlite_url))
    log = EmbeddedLog(tmp_path / "log.db", NoonClock())
    log.create_topics({PREDICTIONS.name: 2, LABELS.name: 1})
    settings = IngestSettings(database_url=sqlite_url, log_path=tmp_path / "log.db")
    made = World(settings, database, log, CollectorRegistry())
    made.add_system()
    yield made
    log.close()
    database.close()


@contextmanager
def serving(world: World, **changes: Any) -> Iterator[httpx.Client]:
    clock = NoonClock()
    parts = Parts(
        settings=replace(world.settings, **changes),
        clock=clock,
        log=world.log,
        registry=Registry(world.database, clock, MEMORY),
        keys=Keys(world.database, clock),
        health=Health(clock),
        metrics=world.metrics,
    )
    token = world.add_key()
    headers = {"Authorization": f"Bearer {token}"}
    with (
        opened(parts) as routes,
        served(create_app(parts, routes)) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=30) as client,
    ):
        yield client


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    with serving(world) as made:
        yield made


@pytest.fixture
def start(world: World) -> Callable[..., AbstractContextManager[httpx.Client]]:
    """Start the service with other settings or another log in the world."""
    return lambda **changes: serving(world, **changes)


def as_json(items: object) -> dict[str, Any]:
    """Return the arguments of a JSON request."""
    return {"content": json.dumps(items), "headers": {"Content-Type": codec.JSON}}


@pytest.fixture
def post(client: httpx.Client) -> Callable[..., httpx.Response]:
    """Send items as JSON."""
    return lambda items, path="/v1/predictions": client.post(path, **as_json(items))


@pytest.fixture
def stream() -> Callable[[pa.RecordBatch], bytes]:
    def write(batch: pa.RecordBatch) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue())

    return write
