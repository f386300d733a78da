"""A small world: one system, its policy, its traffic, and somebody on call."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.client import Client
from watchkeeper.commands.apply import apply_files
from watchkeeper.commands.reference import upload
from watchkeeper.demo.receiver import Received, Receiver, new_secret
from watchkeeper.publishing import OverHTTP
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.events.rows import Kind

VERSION = "1"
SECRET_VARIABLE = "LOANS_SECRET"
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
ROWS_PER_HOUR = 600
_DEADLINE = timedelta(seconds=90)
_INSTANT = pa.timestamp("us", "UTC")

SPECS = """\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {{name: {system}}}
spec:
  owner: {{team: lending, contact: oncall@example.org}}
  purpose: Says which loans will be paid back
  task: binary
  features: {{AGE: numeric, PLAN: categorical}}
  groups: {{SEX: {{reference: "1"}}}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: oncall}}
spec: {{type: webhook, url: "{hook}", secret_env: LOANS_SECRET}}
---
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {{name: {system}}}
spec:
  systems: [{system}]
  window: {{size: 1h, lateness: 5m}}
  alarm_budget: 100
  rules:
    - {{id: drift, metric: psi, columns: ["*"], warn: 0.1, breach: 0.25, min_rows: 200,
       severity: critical, controls: ["ISO42001:A.6.2.6"]}}
    - {{id: accuracy, metric: accuracy, below: true, breach: 0.6, min_rows: 200}}
"""


def rows(system: str, hours: range, *, drifted: bool = False) -> pa.RecordBatch:
    """The predictions of some hours, 600 in each; the same whenever they are made."""
    parts = [_one_hour(system, hour, drifted=drifted) for hour in hours]
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _one_hour(system: str, hour: int, *, drifted: bool) -> pa.RecordBatch:
    rng = np.random.default_rng([hour + 1000, drifted])
    n = ROWS_PER_HOUR
    start = int((BEGIN + timedelta(hours=hour)).timestamp() * 1e6)
    times = start + np.arange(n, dtype=np.int64) * (3_600_000_000 // n)
    label = rng.integers(0, 2, n)
    right = rng.random(n) < 0.8
    prediction = np.where(right, label, 1 - label)
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array([f"{hour}-{i}" for i in range(n)]),
            "system": pa.array([system] * n),
            "version": pa.array([VERSION] * n),
            "time": pa.array(times).cast(_INSTANT),
            "prediction": pa.array(prediction),
            "score": pa.array(np.clip(prediction * 0.5 + rng.random(n) * 0.5, 0, 1)),
            "features.AGE": pa.array(rng.normal(60 if drifted else 40, 10, n)),
            "features.PLAN": pa.array(rng.choice(["a", "b", "c"], n).tolist()),
            "groups.SEX": pa.array(rng.choice(["1", "2"], n).tolist()),
            "label": pa.array(label),
        }
    )


@dataclass
class World:
    """What happens outside: traffic comes, somebody is paged, people look and act.

    Parameters
    ----------
    ingest, alerting
        Where predictions go, and where everything else is asked.
    receiver
        Who is on call.
    system
        What is watched; a name of its own in each test, because a real log is shared.
    """

    ingest: Client
    alerting: Client
    receiver: Receiver
    system: str
    sent: int = 0
    _pause: threading.Event = field(default_factory=threading.Event)

    def declare(self, folder: Path) -> None:
        """Apply the system, its policy and its channel, and put a reference in force."""
        path = folder / "loans.yaml"
        path.write_text(SPECS.format(hook=self.receiver.url, system=self.system))
        apply_files(self.alerting, (path,))
        upload(self.alerting, rows(self.system, range(-20, 0)), self.system, VERSION)

    def stream(self, hours: range, *, drifted: bool = False) -> None:
        """Publish the predictions of some hours, and return once all is acknowledged."""
        batch = rows(self.system, hours, drifted=drifted)
        answer = OverHTTP(self.ingest).send(batch.drop_columns(["label"]), Kind.PREDICTIONS)
        assert (answer.accepted, answer.rejected) == (batch.num_rows, 0)
        self.sent += batch.num_rows

    def label(self, hours: range, *, drifted: bool = False) -> None:
        """Publish the labels of some hours, a day later."""
        batch = rows(self.system, hours, drifted=drifted)
        later = pa.array(batch.column("time").cast(pa.int64()).to_numpy() + 86_400_000_000)
        labels = batch.select(["id", "system", "label"]).append_column("time", later.cast(_INSTANT))
        assert OverHTTP(self.ingest).send(labels, Kind.LABELS).accepted == batch.num_rows

    def expect(self, what: str, holds: Callable[[], Any]) -> Any:
        """Ask again and again until it holds, and return what it returned."""
        clock = SystemClock()
        began = clock.monotonic()
        while not (found := holds()):
            waited = clock.monotonic() - began
            assert waited < _DEADLINE.total_seconds(), f"not in {waited:.0f} s: {what}"
            self._pause.wait(0.2)
        return found

    def values(self, metric: str, column: str = "") -> dict[int, dict[str, Any]]:
        """The newest measurement of each window, by its hour."""
        query = {"system": self.system, "metric": metric} | ({"column": column} if column else {})
        found = self.alerting.get("/v1/measurements", **query)["measurements"]
        return {_hour(one["window"]["start"]): one for one in found}

    def hours_judged(self) -> Callable[[], bool]:
        """Whether the windows hold every prediction that was sent, each once."""
        return lambda: sum(one["value"] or 0 for one in self.values("volume").values()) == self.sent

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert there is."""
        found: list[dict[str, Any]] = self.alerting.get("/v1/alerts")["alerts"]
        return found

    def tickets(self) -> list[dict[str, Any]]:
        """Every ticket there is."""
        found: list[dict[str, Any]] = self.alerting.get("/v1/tickets")["tickets"]
        return found

    def acts(self) -> list[str]:
        """What the audit table holds, in order: the acts by name."""
        entries: Sequence[dict[str, Any]] = self.alerting.get("/v1/audit")["entries"]
        return [one["act"] for one in entries]


def _hour(start: str) -> int:
    return (datetime.fromisoformat(start) - BEGIN) // timedelta(hours=1)


SECRET = new_secret(bytes(range(32)))
"""What notifications to the person on call are signed with."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody on call."""
    told: list[Received] = []
    with Receiver(SECRET, told.append) as one:
        yield one


@pytest.fixture
def system() -> str:
    """The system that this test watches."""
    return f"loans-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_world(receiver: Receiver, system: str) -> Iterator[Callable[..., World]]:
    """Open the world around a Watchkeeper that serves at some address."""
    with ExitStack() as stack:

        def make(token: str, alerting: str, ingest: str | None = None) -> World:
            asked = stack.enter_context(Client(alerting, token))
            taking = stack.enter_context(Client(ingest or alerting, token))
            return World(taking, asked, receiver, system)

        yield make


@dataclass
class Launched:
    """A running `watchkeeper` process."""

    process: subprocess.Popen[str]
    url: str

    def end(self, how: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


@dataclass
class Launcher:
    """Starts `watchkeeper` processes and ends those that are still there."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *words: object, env: Mapping[str, str]) -> Launched:
        """Start a command that serves, and wait until it is ready."""
        log = (self.folder / f"process-{len(self.started)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                _command(words), env=_env(env), stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.started.append(process)
        line = process.stdout.readline() if process.stdout else ""
        assert line.startswith("ready "), Path(log.name).read_text()
        return Launched(process, line.removeprefix("ready ").strip())

    def end_all(self) -> None:
        """End what still runs, before the servers that it uses go away."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self.started.clear()

    def run(self, *words: object, env: Mapping[str, str]) -> str:
        """Run a command to its good end, and return what it printed."""
        code, printed, said = _run(words, env)
        assert code == 0, said
        return printed

    def failing(self, *words: object) -> tuple[int, str]:
        """Run a command to its bad end, and return its code and what it said."""
        code, _, said = _run(words, {})
        return code, said


def _run(words: Sequence[object], env: Mapping[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        _command(words), env=_env(env), capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def _command(words: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "watchkeeper", *map(str, words)]


def _env(env: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.defpath, SECRET_VARIABLE: SECRET, **env}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    """Start `watchkeeper` processes; all of them end with the test."""
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.end_all()


@pytest.fixture
def hours(system: str) -> Callable[..., pa.RecordBatch]:
    """The traffic as `World.stream` sends it, for tests that write it into files."""
    return functools.partial(rows, system)
