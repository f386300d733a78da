from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from watchkeeper.direct import OntoLog
from watchkeeper.publishing import Answer, check_columns, publish, stamped
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.eventlog.port import LogReader, Record
from watchkeeper_shared.events import codec
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import a_batch
from watchkeeper_shared.testing.clocks import ManualClock
from watchkeeper_shared.topics import PREDICTIONS


class Answering:
    """A destination that refuses the first row of every batch."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send(self, batch: pa.RecordBatch, kind: Kind) -> Answer:
        self.sent.append(batch.num_rows)
        return Answer(batch.num_rows - 1, 0, 1, (f"item 0: too_long: {kind.value}",))


def test_the_answers_of_all_batches_add_up_and_the_first_rejects_are_kept() -> None:
    shown: list[int] = []
    to = Answering()

    outcome = publish([a_batch(10)] * 8, Kind.PREDICTIONS, to, shown.append)

    assert (outcome.accepted, outcome.rejected, outcome.rows) == (72, 8, 80)
    assert shown == [10, 20, 30, 40, 50, 60, 70, 80]
    assert outcome.rejects[:2] == [
        "batch at row 0: item 0: too_long: predictions",
        "batch at row 10: item 0: too_long: predictions",
    ]
    assert len(outcome.rejects) == 5


def test_a_table_without_a_required_column_is_refused_before_anything_is_sent() -> None:
    to = Answering()
    batch = a_batch(3).drop_columns(["time"])

    with pytest.raises(InvalidObject, match="--map time=COLUMN"):
        publish([batch], Kind.PREDICTIONS, to, lambda _: None)

    assert to.sent == []


def test_system_and_version_come_from_the_command_and_labels_stay_behind() -> None:
    batch = a_batch(3).append_column("label", pa.array([0, 1, 0]))

    predictions = stamped(batch, Kind.PREDICTIONS, "loans", "7")
    labels = stamped(batch, Kind.LABELS, "loans", "7")

    assert predictions.column("system").to_pylist() == ["loans"] * 3
    assert predictions.column("version").to_pylist() == ["7"] * 3
    assert "label" not in predictions.schema.names
    assert labels.column("label").to_pylist() == [0, 1, 0]
    check_columns(labels, Kind.LABELS)


def test_a_batch_sent_directly_can_be_read_from_the_topic(tmp_path: Path) -> None:
    clock = ManualClock()
    log = open_log(None, tmp_path / "log.db", clock)
    create_topics(log, 1)
    writer = log.writer()
    batch = a_batch(5)

    answer = OntoLog(writer, "employment-ma", clock).send(batch, Kind.PREDICTIONS)

    writer.close()
    reader = log.reader("test", [PREDICTIONS.name])
    (record,) = _read_one(reader)
    reader.close()
    log.close()
    assert answer == Answer(5)
    assert record.key == "employment-ma"
    assert codec.decode(record.value, record.headers["content-type"]).num_rows == 5


def _read_one(reader: LogReader) -> Sequence[Record]:
    for _ in range(100):
        polled = reader.poll(timedelta(milliseconds=50))
        for at in polled.assigned:
            reader.start(at, reader.beginning(at))
        if polled.records:
            return polled.records
    return []
