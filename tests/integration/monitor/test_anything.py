"""Whatever is on the topics: nothing stops the monitor, and what is good is counted once."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa
from prometheus_client import generate_latest
from tests.integration.monitor.conftest import DAY, PACE, START, labels, predictions

from watchkeeper_alerting import reading
from watchkeeper_alerting.store import measurements
from watchkeeper_alerting.store.measurements import Filter, Measurement
from watchkeeper_monitor.references.reference import Reference
from watchkeeper_shared.db import tables
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events import batches
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.shapes import MIXED
from watchkeeper_shared.metric_names import METRIC_NAMES
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.topics import LABELS, PREDICTIONS

LONG = ("S" * 128, "𝔘" * 128)


def crossed(world: Any) -> None:
    """Declare an intersection whose groups are as long as groups may be."""
    spec = world.spec()
    one, other = (f"{name}{'_' * 60}" for name in "AB")
    spec["groups"] = {
        one: {"reference": "1"},
        other: {"reference": "1"},
        f"{one}&{other}": {"reference": "1&1"},
    }
    world.apply("AISystem", "loans", spec)
    half = world.batch(0, 400)
    columns = dict(zip(half.schema.names, half.columns, strict=True))
    columns |= {f"groups.{one}": pa.array([LONG[0], "1"] * 200)}
    columns |= {f"groups.{other}": pa.array([LONG[1], LONG[1], "1", "1"] * 100)}
    rows = pa.RecordBatch.from_pydict({**columns, "label": columns["prediction"]})
    reference = Reference.build([rows], msgspec.convert(spec, AISystem), "loans", "1")
    with world.database.transaction() as c:
        c.execute(
            sa.insert(tables.references).values(
                id=reference.id,
                system="loans",
                version="1",
                current=True,
                rows=400,
                artifact=reference.to_bytes(),
                author="test",
                applied_at=world.clock.now(),
            )
        )
    world.send(pa.RecordBatch.from_pydict(columns))


def test_groups_of_an_intersection_may_be_as_long_as_groups_may_be(world: Any) -> None:
    crossed(world)
    rule = {
        "id": "fair",
        "metric": "demographic_parity_ratio",
        "below": True,
        "breach": 0.1,
        "min_rows": 1,
    }
    world.policy([rule])
    world.go_to(2)
    world.settle()

    found = world.all(tables.measurements, metric="selection_rate", current=True)
    both = [one.segment for one in found if all(group in one.segment for group in LONG)]

    assert len(both) == 1
    assert len(both[0]) > 255


TEXTS = (
    "",
    "a",
    "1",
    "a" * 129,
    "a&b=c|%\n",
    "\u202eאב",
    "e\u0301",
    "\ud800",
    "a\0b",
    "__key",
    "nan",
)
NUMBERS = (0, -1, 2**53 + 1, 2**63, 10**400, -0.0, 5e-324, 1e308, math.nan, math.inf, True, None)
VALUES: tuple[Any, ...] = (*TEXTS, *NUMBERS, [], {"a": 1})
TIMES = (
    "2026-03-02T11:00:00Z",
    "2026-03-02T11:00:00",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "2262-05-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "",
)
COLUMNS: tuple[tuple[str, Any], ...] = (
    ("features.AGE", pa.float64()),
    ("features.AGE", pa.string_view()),
    ("features.JOB", pa.dictionary(pa.int8(), pa.string())),
    ("features.a\0b", pa.list_(pa.int64())),
    ("prediction", MIXED),
    ("prediction", pa.bool_()),
    ("groups.SEX", pa.decimal128(9, 2)),
    ("score", pa.float16()),
    ("time", pa.timestamp("ns", "Europe/Berlin")),
    ("time", pa.int64()),
    ("id", pa.large_string()),
    ("seq", pa.uint64()),
    ("__key", pa.int64()),
    ("", pa.null()),
)
KEYS = ("loans", "loans", "loans", "loans|x", "", "ghost", "k" * 600, "a\0b")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"ce_id": "é" * 300, "rows": "²"},
    {"ce_time": "\0"},
    {"\0": "x"},
)
BROKEN = (
    b"",
    b"{}",
    b"[null]",
    b"\xff",
    b"[" * 3000,
    b"\0",
    b'{"columns": {"features": [null], "features.a": [1], "id": ["\\ud800"]}}',
)


class Odd:
    """Seeded records of which some pass the first checks, and some none."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._ids: list[str] = []

    def message(self, number: int) -> Message:
        topic = self._rng.choice([PREDICTIONS.name, PREDICTIONS.name, LABELS.name])
        make = self._rng.choice([self._json, self._json, self._arrow, self._broken])
        value, content_type = make(f"odd-{number}", labels=topic == LABELS.name)
        headers = {"content-type": content_type, **self._rng.choice(HEADERS)}
        return Message(topic, self._rng.choice(KEYS), value, headers)

    def _json(self, name: str, *, labels: bool) -> tuple[bytes, str]:
        row: dict[str, Any] = {"id": name, "system": "loans", "time": TIMES[0]}
        if labels:
            row |= {"id": self._rng.choice([name, *self._ids]), "label": 1}
        else:
            self._ids.append(name)
            row |= {"version": "1", "prediction": 1, "features": {"AGE": 4}, "groups": {"SEX": "1"}}
        for _ in range(self._rng.randrange(3)):
            field = self._rng.choice([*row, "score", "scores", "decision", "explanation", "seq"])
            row[field] = self._odd(field)
        rows = [row] * self._rng.choice([1, 1, 3])
        lines = self._rng.random() < 0.3
        text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
        return text.encode(), "application/x-ndjson" if lines else "application/json"

    def _odd(self, field: str) -> Any:
        if field in ("features", "groups", "scores", "explanation", "decision"):
            names = ("AGE", "JOB", "SEX", "1", "outcome", *TEXTS)
            return {self._rng.choice(names): self._rng.choice(VALUES) for _ in range(2)}
        return self._rng.choice(TIMES if "time" in field else VALUES)

    def _arrow(self, name: str, *, labels: bool) -> tuple[bytes, str]:
        whole = self._labels(name) if labels else predictions([name, f"{name}-2"], START)
        columns = dict(zip(whole.schema.names, whole.columns, strict=True))
        for field, kind in self._rng.sample(COLUMNS, self._rng.randrange(3)):
            columns[field] = self._cells(kind)
        batch = pa.RecordBatch.from_pydict(columns)
        value = bytearray(batches.to_bytes(batch))
        if self._rng.random() < 0.1:
            value[self._rng.randrange(len(value))] ^= 0xFF
        return bytes(value), "application/vnd.apache.arrow.stream"

    def _labels(self, name: str) -> pa.RecordBatch:
        return labels([self._rng.choice([name, *self._ids]), name], ["1", "0"], START)

    def _cells(self, kind: Any) -> Any:
        if kind == MIXED:
            return pa.array([None, {"number": math.nan, "whole": 3, "text": "q"}], MIXED)
        for cells in ([1, 0], ["1", "x"], [[1], []], [START, START]):
            try:
                return pa.array(cells, kind)
            except (pa.ArrowException, TypeError, ValueError):
                continue
        return pa.nulls(2, kind)

    def _broken(self, name: str, *, labels: bool) -> tuple[bytes, str]:
        return self._rng.choice(BROKEN), self._rng.choice(["application/json", "text/html"])


def good(number: int) -> Message:
    row = {"id": f"good-{number}", "system": "loans", "version": "good", "time": TIMES[0]}
    value = json.dumps([{**row, "prediction": 1}]).encode()
    return Message(PREDICTIONS.name, "loans", value, {"content-type": "application/json"})


def test_what_is_good_is_counted_once_whatever_is_beside_it(world: Any) -> None:
    spec = world.spec()
    spec["versions"]["good"] = spec["versions"]["1"]
    world.apply("AISystem", "loans", spec)
    names = enumerate(METRIC_NAMES)
    world.policy([{"id": f"r{at}", "metric": name, "breach": 0.1} for at, name in names])
    world.monitor._worker.finish()
    world.monitor = world.new_monitor(replace(PACE, dead_letter_in_a_row=0))
    odd = Odd(7)
    for number in range(150):
        world.send_raw(odd.message(number))
        if number % 10 == 0:
            world.send_raw(good(number % 100))
    world.settle()
    world.go_to(2)
    world.settle()

    counted = world.all(tables.measurements, version="good", metric="volume", current=True)
    shown = [reading.measurement_json(one) for one in read_back(world)]

    assert [one.value for one in counted if one.window_start == START] == [10]
    assert {one.code for one in world.all(tables.dead_letters)} <= set(RejectCode)
    assert all(one.detail for one in world.all(tables.dead_letters))
    assert [one.refused for one in world.all(tables.outbox) if one.refused] == []
    assert len(json.dumps(shown, default=str, allow_nan=False)) > 1000
    assert generate_latest(world.metrics).decode()


def test_rows_each_in_a_pane_of_its_own_are_progress_one_by_one(world: Any) -> None:
    told: list[int] = []
    world.monitor._worker._committer._flusher._progressed = lambda: told.append(1)
    batch = world.batch(0, 40)
    days = pa.array([START - at * DAY for at in range(40)], pa.timestamp("us", "UTC"))
    world.send(batch.set_column(batch.schema.get_field_index("time"), "time", days))
    world.settle()

    assert len(world.all(tables.panes)) == len(told) == 40


def read_back(world: Any) -> list[Measurement]:
    with world.database.read() as c:
        return measurements.select(c, Filter(system="loans"), 20_000)
