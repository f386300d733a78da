"""Whatever way rows come, what is published of them is what scikit-learn says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from watchkeeper_shared.db import tables
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events import batches
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.topics import LABELS, PREDICTIONS

ROWS = 600
HOUR = timedelta(hours=1)
_TOPICS = {Kind.PREDICTIONS: PREDICTIONS.name, Kind.LABELS: LABELS.name}
Way = Callable[[pa.RecordBatch], Iterator[tuple[bytes, str]]]


def nested(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        outer, dot, inner = name.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = value
        else:
            found[name] = value.isoformat() if name == "time" else value
    return found


def as_arrow(batch: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
    for piece in batches.slices(batch, 250):
        yield batches.to_bytes(piece), "application/vnd.apache.arrow.stream"


def one_by_one(batch: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
    for row in batch.to_pylist():
        yield json.dumps(nested(row)).encode(), "application/json"


def in_kinds_that_differ(batch: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
    """Classes come as whole numbers, floats and texts, in bodies of three."""
    rows = [nested(row) for row in batch.to_pylist()]
    for at, row in enumerate(rows):
        for name in {"prediction", "label"} & set(row):
            row[name] = [int, float, str][at % 3](row[name])
    for start in range(0, len(rows), 3):
        lines = [json.dumps(row) for row in rows[start : start + 3]]
        yield "\n".join(lines).encode(), "application/x-ndjson"


def as_columns(batch: pa.RecordBatch) -> Iterator[tuple[bytes, str]]:
    for piece in batches.slices(batch, 70):
        columns = piece.to_pydict()
        columns["time"] = [time.isoformat() for time in columns["time"]]
        yield json.dumps({"columns": columns}).encode(), "application/json"


def send(world: Any, batch: pa.RecordBatch, kind: Kind, way: Way) -> None:
    """Send a batch over both partitions, in another order than it has."""
    shuffled = batch.take(pa.array(np.random.default_rng(3).permutation(batch.num_rows)))
    promises = [
        world.writer.append(
            Message(_TOPICS[kind], f"loans|{at % 5}", value, {"content-type": content_type})
        )
        for at, (value, content_type) in enumerate(way(shuffled))
    ]
    for promise in promises:
        promise.result(timeout=30)


def labels_of(world: Any, batch: pa.RecordBatch, label: Any) -> pa.RecordBatch:
    time = pa.array([world.clock.now()] * batch.num_rows, batch.column("time").type)
    columns = {"id": batch["id"], "system": batch["system"], "label": pa.array(label), "time": time}
    return pa.RecordBatch.from_pydict(columns)


def selected(world: Any, group: str) -> float:
    found = world.all(
        tables.measurements, metric="selection_rate", segment=f"SEX={group}", current=True
    )
    return float(found[0].value)


@pytest.mark.parametrize("way", [as_arrow, one_by_one, in_kinds_that_differ, as_columns])
def test_the_numbers_are_those_of_the_raw_rows(referenced: Any, way: Way) -> None:
    rows = referenced.batch(0, ROWS)
    predicted, score = rows["prediction"].to_numpy(), rows["score"].to_numpy()
    rng = np.random.default_rng(11)
    first = (rng.uniform(size=ROWS) < score).astype(np.int64)
    label = np.where(np.arange(ROWS) < 100, 1 - first, first)
    send(referenced, rows, Kind.PREDICTIONS, way)
    send(referenced, rows.slice(0, 50), Kind.PREDICTIONS, way)  # again
    send(referenced, labels_of(referenced, rows, first), Kind.LABELS, way)
    referenced.settle()
    referenced.clock.advance(HOUR)
    send(referenced, labels_of(referenced, rows, label).slice(0, 100), Kind.LABELS, way)
    referenced.settle()

    def value(metric: str, column: str = "") -> Any:
        return referenced.now_measured(metric, 0, column)

    assert value("volume").value == ROWS
    assert value("label_coverage").value == 1.0
    assert value("accuracy").value == pytest.approx(sk.accuracy_score(label, predicted), abs=1e-12)
    assert value("mcc").value == pytest.approx(sk.matthews_corrcoef(label, predicted), abs=1e-12)
    assert value("brier").value == pytest.approx(sk.brier_score_loss(label, score), abs=1e-12)
    assert value("log_loss").value == pytest.approx(sk.log_loss(label, score), abs=1e-12)
    assert value("roc_auc").value == pytest.approx(sk.roc_auc_score(label, score), abs=2e-4)
    sex = rows["groups.SEX"].to_numpy(zero_copy_only=False)
    for group in "12":
        assert selected(referenced, group) == pytest.approx(predicted[sex == group].mean())
