"""The records of a run in the order in which they are sent: late, early, twice, and broken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from havoc.story import BEGIN, CLOSING_ROWS, SYSTEM, Plan, hours, labels_of
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events import batches, headers
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.topics import LABELS, PREDICTIONS

DAY = timedelta(days=1)
_DISPLACED = 12.0
"""How many records a record may come too early or too late, as a standard deviation."""


@dataclass(slots=True)
class Traffic:
    """What will be sent.

    Parameters
    ----------
    messages
        In order.
    poison
        How many of them nobody can read.
    repeated
        How many batches are among them a second time.
    """

    messages: list[Message] = field(default_factory=list)
    poison: int = 0
    repeated: int = 0


def traffic(plan: Plan) -> Traffic:
    """Make the records: shuffled, some twice, some poison; the same for the same plan."""
    rng = np.random.default_rng([plan.seed, 7])
    made = Traffic()
    placed: list[tuple[float, Message]] = []
    for hour, rows in enumerate(hours(plan)):
        for nth, batch in enumerate(_cut(rows, plan.batch_rows)):
            at = len(placed)
            where = at + rng.normal(0, _DISPLACED)
            for place, message in _of_batch(plan, batch, f"{plan.seed}-{hour}-{nth}", rng, made):
                placed.append((where + place, message))
    for _ in range(max(2, len(placed) // 60)):
        placed.append((rng.uniform(0, len(placed)), _poison(rng, plan)))
        made.poison += 1
    placed.sort(key=lambda one: one[0])
    made.messages = [message for _, message in placed] + _closing(plan)
    return made


def _closing(plan: Plan) -> list[Message]:
    """Return rows of a later hour on every partition: no window waits for silence to end."""
    rows = hours(replace(plan, hours=plan.hours + 3, rows_per_hour=CLOSING_ROWS))[-1]
    plain = rows.drop_columns(["label"])
    return [
        _keyed(plain.slice(n, 1), Kind.PREDICTIONS, f"end-{n}", f"{SYSTEM}|{n}")
        for n in range(CLOSING_ROWS)
    ]


def _cut(rows: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [rows.slice(start, size) for start in range(0, rows.num_rows, size)]


def _of_batch(
    plan: Plan, batch: pa.RecordBatch, name: str, rng: np.random.Generator, made: Traffic
) -> list[tuple[float, Message]]:
    """Return a batch, its labels and their corrections, and some of it again; with places."""
    plain = batch.drop_columns(["label"])
    message = _message(plan, plain, Kind.PREDICTIONS, f"p-{name}", rng)
    found = [(0.0, message)]
    if rng.random() < 0.1:  # a retry by somebody who got no answer: the very same record
        found.append((rng.exponential(8), message))
        made.repeated += 1
    if rng.random() < 0.1:  # the same predictions in another batch, on any partition
        part = plain.slice(0, plan.batch_rows // 2)
        found.append((rng.normal(0, 20), _message(plan, part, Kind.PREDICTIONS, f"r-{name}", rng)))
        made.repeated += 1
    labels = labels_of(batch, later=DAY)
    # On average a little later than the predictions; many come before them.
    found.append((rng.normal(5, 15), _message(plan, labels, Kind.LABELS, f"l-{name}", rng)))
    if rng.random() < 0.2:  # said wrong, corrected and said again: the newest holds
        some = batch.slice(0, 10)
        wrong = labels_of(some, later=2 * DAY, turned=True)
        right = labels_of(some, later=3 * DAY)
        found.append((rng.normal(10, 20), _message(plan, wrong, Kind.LABELS, f"w-{name}", rng)))
        found.append((rng.normal(10, 20), _message(plan, right, Kind.LABELS, f"c-{name}", rng)))
    if rng.random() < 0.1:
        some = batch.slice(10, 10)
        wrong = labels_of(some, later=4 * DAY, turned=True)
        found.append((rng.normal(10, 20), _message(plan, wrong, Kind.LABELS, f"v-{name}", rng)))
    return found


def _message(
    plan: Plan, batch: pa.RecordBatch, kind: Kind, name: str, rng: np.random.Generator
) -> Message:
    return _keyed(batch, kind, name, f"{SYSTEM}|{rng.integers(0, 4 * plan.partitions)}")


def _keyed(batch: pa.RecordBatch, kind: Kind, name: str, key: str) -> Message:
    meta = headers.build(batch, kind, batch_id=name, source="/havoc", now=BEGIN)
    topic = PREDICTIONS if kind is Kind.PREDICTIONS else LABELS
    return Message(topic.name, key, batches.to_bytes(batch), meta)


def _poison(rng: np.random.Generator, plan: Plan) -> Message:
    key = f"{SYSTEM}|{rng.integers(0, 4 * plan.partitions)}"
    kind = {"content-type": "application/vnd.apache.arrow.stream"}
    if rng.random() < 0.5:
        return Message(PREDICTIONS.name, key, rng.bytes(200), kind)
    nobody = b'{"id": "1", "system": "nobody", "version": "1", "time": "2026-03-02T00:00:00Z"}'
    return Message(LABELS.name, "nobody", nobody, {"content-type": "application/json"})
