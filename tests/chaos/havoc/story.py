"""What is sent in a run: one system, hours of its predictions, and labels that come later.

Everything follows from the seed, so a run and its uninterrupted twin see the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import yaml

from watchkeeper_alerting.applying.application import apply
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.referencing import Upload, accept
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.specs import AISystem

SYSTEM, VERSION = "loans", "1"
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOSING_ROWS = 64
"""So many rows of a later hour end a run, each under a key of its own: all partitions get some."""

SECRET_VARIABLE = "HAVOC_SECRET"
_INSTANT = pa.timestamp("us", "UTC")
_HOUR_MICROS = 3_600_000_000

DOCUMENTS = """\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {name: loans}
spec:
  owner: {team: lending, contact: oncall@example.org}
  purpose: Says which loans will be paid back
  task: binary
  features: {AGE: numeric, PLAN: categorical}
  groups: {SEX: {reference: "1"}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "HOOK", secret_env: HAVOC_SECRET}
---
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {name: loans}
spec:
  systems: [loans]
  window: {size: 1h, lateness: 1h}
  alarm_budget: 100
  rules:
    - {id: drift, metric: psi, columns: ["*"], warn: 0.1, breach: 0.25, min_rows: 100,
       severity: critical}
    - {id: accuracy, metric: accuracy, below: true, breach: 0.6, min_rows: 100}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a run.

    Parameters
    ----------
    seed
        Of the rows, their order, the poison and the repetitions.
    hours, rows_per_hour
        How much is predicted.
    batch_rows
        How many rows stand in one record.
    partitions
        How many each topic has; the system's key is sharded over all of them.
    """

    seed: int
    hours: int = 12
    rows_per_hour: int = 480
    batch_rows: int = 40
    partitions: int = 4

    @property
    def rows(self) -> int:
        """How many predictions are sent, those that close the last window included."""
        return self.hours * self.rows_per_hour + CLOSING_ROWS

    @property
    def labels(self) -> int:
        """How many of them get a label."""
        return self.hours * self.rows_per_hour

    @property
    def end(self) -> datetime:
        """Where the story ends; windows after it are open and not looked at."""
        return BEGIN + self.hours * HOUR

    def is_drifted(self, hour: int) -> bool:
        """Whether older people ask for loans: twice, and the second time to the end."""
        return hour // max(1, self.hours // 6) in (2, 5)

    def is_wrong(self, hour: int) -> bool:
        """Whether the predictions turn out wrong, which only labels show."""
        return hour // max(1, self.hours // 6) == 3


def declare(database: Database, hook: str) -> None:
    """Apply the system, its policy and its channel, and put a reference in force."""
    now = SystemClock().now()
    declared = next(iter(yaml.safe_load_all(DOCUMENTS)))
    spec = msgspec.convert(declared["spec"], AISystem)
    rows = [_hour(hour, 500, seed=99) for hour in range(-10, 0)]
    reference = Reference.build(rows, spec, SYSTEM, VERSION)
    artifact = reference.to_bytes()
    with database.transaction() as c:
        apply(c, [SourceFile("havoc.yaml", DOCUMENTS.replace("HOOK", hook))], "havoc", now)
        accept(c, Upload(SYSTEM, VERSION, 5_000, artifact, reference.id), "havoc", now)


def hours(plan: Plan) -> list[pa.RecordBatch]:
    """Return the predictions of each hour, with what turns out to be true as `label`."""
    return [
        _hour(
            hour,
            plan.rows_per_hour,
            seed=plan.seed,
            is_drifted=plan.is_drifted(hour),
            is_wrong=plan.is_wrong(hour),
        )
        for hour in range(plan.hours)
    ]


def _hour(
    hour: int, n: int, *, seed: int, is_drifted: bool = False, is_wrong: bool = False
) -> pa.RecordBatch:
    rng = np.random.default_rng([seed, hour + 1000])
    start = int((BEGIN + hour * HOUR).timestamp() * 1e6)
    label = rng.integers(0, 2, n)
    prediction = np.where(rng.random(n) < (0.3 if is_wrong else 0.85), label, 1 - label)
    times = start + np.arange(n, dtype=np.int64) * (_HOUR_MICROS // n)
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array([f"{seed}-{hour}-{i}" for i in range(n)]),
            "system": pa.array([SYSTEM] * n),
            "version": pa.array([VERSION] * n),
            "time": pa.array(times).cast(_INSTANT),
            "prediction": pa.array(prediction),
            "score": pa.array(np.clip(prediction * 0.5 + rng.random(n) * 0.5, 0, 1)),
            "features.AGE": pa.array(rng.normal(60 if is_drifted else 40, 10, n)),
            "features.PLAN": pa.array(rng.choice(["a", "b", "c"], n).tolist()),
            "groups.SEX": pa.array(rng.choice(["1", "2"], n).tolist()),
            "label": pa.array(label),
        }
    )


def labels_of(batch: pa.RecordBatch, *, later: timedelta, turned: bool = False) -> pa.RecordBatch:
    """Return the labels of a batch, known `later`; `turned` says the opposite of the truth."""
    times = batch.column("time").cast(pa.int64()).to_numpy() + later // timedelta(microseconds=1)
    truth = batch.column("label").to_numpy()
    return pa.RecordBatch.from_pydict(
        {
            "id": batch.column("id"),
            "system": batch.column("system"),
            "label": pa.array(1 - truth if turned else truth),
            "time": pa.array(times).cast(_INSTANT),
        }
    )
