"""A whole Watchkeeper for the load benchmark: real processes on a real Kafka and PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import msgspec
import yaml

from benchmarks.stream import VERSION, batch, spec
from watchkeeper.demo.receiver import Received, Receiver, new_secret
from watchkeeper_alerting import keys
from watchkeeper_alerting.applying.application import apply
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.referencing import Upload, accept
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.opening import create_topics
from watchkeeper_shared.testing.servers.kafka_server import kafka_server
from watchkeeper_shared.testing.servers.postgres_server import fresh_database, postgres_server

LOADED = tuple(f"load-{number}" for number in range(8))
"""The systems that carry the load: a system is on one partition, so one alone has one worker."""

PROBES = tuple(f"probe-{number}" for number in range(30))
"""Systems of which one window each is drifted, to time the way to the person on call."""

_SECRET_VARIABLE, _SECRET = "LOAD_SECRET", new_secret(bytes(range(32)))
_CLOCK = SystemClock()


@dataclass(slots=True)
class Plant:
    """What one measurement runs in.

    Parameters
    ----------
    env
        The settings of every process.
    database
        The driver's own way to the state.
    token
        Of a publisher.
    told
        What reached the webhook, with the instant.
    """

    env: Mapping[str, str]
    database: Database
    token: str
    told: list[tuple[float, Received]]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str) -> tuple[str, int]:
        """Start a service and return its URL and process id once it is ready."""
        paths = os.pathsep.join(path for path in sys.path if path)
        # A file and no pipe: nobody reads what a process says of itself unless it fails.
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", *words, "--port", "0"],
                env={
                    "PATH": os.defpath,
                    "PYTHONPATH": paths,
                    _SECRET_VARIABLE: _SECRET,
                    **self.env,
                },
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
            self.started.append(process)
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("ready "):
                said.seek(0)
                raise RuntimeError(f"{' '.join(words)} did not start: {said.read()[-2000:]}")
        return line.removeprefix("ready ").strip(), process.pid

    def stop(self) -> None:
        """Let every process end in order."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(60)
            if process.stdout:
                process.stdout.close()
        self.started.clear()


@contextmanager
def plant(partitions: int) -> Iterator[Plant]:
    """Yield a Kafka with so many partitions and a PostgreSQL that knows the systems."""
    env = os.environ  # noqa: TID251 - the edge of a command
    told: list[tuple[float, Received]] = []
    with ExitStack() as stack:
        kafka = stack.enter_context(kafka_server(env))
        url = stack.enter_context(fresh_database(stack.enter_context(postgres_server(env))))
        receiver = Receiver(_SECRET, lambda one: told.append((_CLOCK.monotonic(), one)))
        stack.enter_context(receiver)
        engine = open_engine(url)
        migrations.upgrade(engine)
        database = Database(engine)
        stack.callback(database.close)
        log = KafkaLog(kafka, _CLOCK)
        create_topics(log, partitions)
        log.close()
        with database.transaction() as c:
            token = keys.create(
                c, Role.PUBLISHER, "load", keys.EVERY_SYSTEM, actor="bench", now=_CLOCK.now()
            )
        _declare(database, receiver.url)
        settings = {
            "WATCHKEEPER_KAFKA_BOOTSTRAP": kafka,
            "WATCHKEEPER_DATABASE_URL": url,
            "WATCHKEEPER_EVIDENCE_REPORTS": "false",
        }
        one = Plant(settings, database, token, told)
        stack.callback(one.stop)
        yield one


def _declare(database: Database, hook: str) -> None:
    channel = {"type": "webhook", "url": hook, "secret_env": _SECRET_VARIABLE}
    policy = {
        "systems": list(PROBES),
        "window": {"size": "1h", "lateness": "1m"},
        "rules": [{"id": "drift", "metric": "psi", "columns": ["n0"], "breach": 0.25}],
    }
    systems = {name: msgspec.to_builtins(spec()) for name in (*LOADED, *PROBES)}
    objects = [("AISystem", name, declared) for name, declared in systems.items()]
    objects += [("Channel", "oncall", channel), ("OversightPolicy", "probes", policy)]
    rows = [batch(2_000, 1, labels=True)]
    references = {name: Reference.build(rows, spec(), name, VERSION) for name in systems}
    with database.transaction() as c:
        apply(c, [SourceFile("load.yaml", _documents(objects))], "bench", _CLOCK.now())
        for name, one in references.items():
            accept(c, Upload(name, VERSION, 2_000, one.to_bytes(), one.id), "bench", _CLOCK.now())


def _documents(objects: Sequence[tuple[str, str, object]]) -> str:
    return yaml.safe_dump_all(
        {"apiVersion": "watchkeeper/v1", "kind": kind, "metadata": {"name": name}, "spec": declared}
        for kind, name, declared in objects
    )
