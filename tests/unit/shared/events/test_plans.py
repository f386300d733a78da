"""A schema that was seen before says no more about a batch than one that is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.streams import read_stream

ROWS = pa.record_batch(
    {
        "id": ["a", "b", "c"],
        "system": ["s"] * 3,
        "time": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "score": pa.array([0.5, None, 0.25]),
        "features.kind": ["x", None, "y"],
        "features.none": pa.nulls(3, pa.float64()),
    }
)
READ = ROWS.drop_columns(["features.none"])


def stream(batches: Sequence[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def with_type(name: str, kind: pa.DataType) -> pa.RecordBatch:
    place = ROWS.schema.get_field_index(name)
    return ROWS.set_column(place, name, ROWS.column(name).cast(kind))


@pytest.mark.parametrize(
    "batches",
    [
        [ROWS],
        [ROWS.slice(0, 1), ROWS.slice(1)],
        [with_type("score", pa.float32())],
        [with_type("features.kind", pa.dictionary(pa.int8(), pa.string()))],
        [with_type("id", pa.large_string())],
        [ROWS.append_column("nobody.knows", ROWS.column("score"))],
        [ROWS.replace_schema_metadata({"written": "elsewhere"})],
    ],
    ids=["canonical", "two batches", "float32", "dictionary", "large", "unknown", "metadata"],
)
def test_the_same_rows_are_read_however_they_are_written(batches: list[pa.RecordBatch]) -> None:
    for _ in range(2):  # the second time the schema is known
        assert read_stream(stream(batches), Kind.PREDICTIONS).equals(READ, check_metadata=True)


def test_a_known_schema_is_still_validated_and_its_null_columns_left_out() -> None:
    other = ROWS.set_column(3, "score", pa.nulls(3, pa.float64()))
    broken = bytearray(stream([ROWS]))
    read_stream(bytes(broken), Kind.PREDICTIONS)
    broken[broken.rindex(b"abc")] = 0xFF

    assert "score" not in read_stream(stream([other]), Kind.PREDICTIONS).schema.names
    with pytest.raises(MalformedRecord, match="UTF8"):
        read_stream(bytes(broken), Kind.PREDICTIONS)


def test_what_a_schema_means_depends_on_what_the_stream_holds() -> None:
    value = stream([ROWS])

    assert "features.kind" in read_stream(value, Kind.PREDICTIONS).schema.names
    assert "features.kind" not in read_stream(value, Kind.LABELS).schema.names


def test_a_schema_with_a_column_twice_is_refused_every_time() -> None:
    twice = pa.RecordBatch.from_arrays([ROWS.column("id")] * 2, names=["id", "id"])

    for _ in range(2):
        with pytest.raises(MalformedRecord, match="comes twice"):
            read_stream(stream([twice]), Kind.PREDICTIONS)
