"""One canonical form, whatever the encoding; anything else is a malformed record."""

from __future__ import annotations

import json
import math
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events import codec
from watchkeeper_shared.events.batches import concatenate, from_rows, slices, to_bytes
from watchkeeper_shared.events.codec import ARROW, JSON, NDJSON, decode, decode_items
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import MIXED
from watchkeeper_shared.testing.builders import a_batch, a_label, a_prediction


def as_stream(columns: dict[str, Any], **options: Any) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def columns_of(rows: int = 3) -> dict[str, pa.Array]:
    batch = a_batch(rows)
    return {name: batch.column(name) for name in batch.schema.names}


def refused(value: bytes, content_type: str, kind: Kind = Kind.PREDICTIONS) -> MalformedRecord:
    with pytest.raises(MalformedRecord) as caught:
        decode(value, content_type, kind)
    return caught.value


def test_the_canonical_types_are_these() -> None:
    row = a_prediction(
        1,
        latency_ms=12,
        scores={"a": 1, "b": 0.0},
        decision={"outcome": "decline", "critical": False},
        explanation={"AGEP": 0.31},
    )

    schema = decode(json.dumps(row).encode(), JSON).schema

    assert {field.name: str(field.type) for field in schema} == {
        "id": "string",
        "system": "string",
        "version": "string",
        "time": "timestamp[us, tz=UTC]",
        "prediction": "int64",
        "seq": "int64",
        "score": "double",
        "latency_ms": "double",
        "features.AGEP": "int64",
        "features.RELP": "string",
        "groups.SEX": "string",
        "groups.RAC1P": "string",
        "scores.a": "double",
        "scores.b": "double",
        "explanation.AGEP": "double",
        "decision.outcome": "string",
        "decision.critical": "bool",
    }


def test_labels_have_their_own_columns() -> None:
    rows = [a_label(1), a_label(2, label=0.5, score=0.5, groups={"SEX": 2})]

    batch = decode(json.dumps(rows).encode(), JSON, Kind.LABELS)

    assert batch.column("label").to_pylist() == [1.0, 0.5]
    assert batch.column("groups.SEX").to_pylist() == [None, "2"]


def test_a_feature_that_a_row_does_not_have_is_null() -> None:
    rows = [a_prediction(1, features={"A": 1}), a_prediction(2, features={"B": None, "C": "x"})]

    batch = decode(json.dumps(rows).encode(), JSON)

    assert batch.column("features.A").to_pylist() == [1, None]
    assert batch.column("features.C").to_pylist() == [None, "x"]
    assert "features.B" not in batch.schema.names


def test_numbers_and_texts_under_one_name_stay_apart_until_validation() -> None:
    rows = [a_prediction(n, features={"A": value}) for n, value in enumerate([1, "x", None, 0.5])]

    column = decode(json.dumps(rows).encode(), JSON).column("features.A")

    assert column.type == MIXED
    assert column.to_pylist() == [
        {"number": 1.0, "whole": None, "text": None},
        {"number": None, "whole": None, "text": "x"},
        None,
        {"number": 0.5, "whole": None, "text": None},
    ]


@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
def test_compressed_arrow_is_read(compression: str | None) -> None:
    stream = as_stream(columns_of(500), compression=compression)

    assert decode(stream, ARROW).equals(a_batch(500))


def test_a_stream_of_several_batches_is_one_batch() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, a_batch(1).schema) as stream:
        for piece in slices(a_batch(10), 3):
            stream.write_batch(piece)

    assert decode(bytes(sink.getvalue()), ARROW).equals(a_batch(10))


def test_unknown_columns_are_ignored_and_columns_of_nulls_count_as_missing() -> None:
    columns = columns_of() | {
        "shap.values": pa.array([[1], [2], [3]]),
        "features.X": pa.nulls(3),
        "latency_ms": pa.nulls(3, pa.float64()),
    }

    assert decode(as_stream(columns), ARROW).equals(a_batch(3))


@pytest.mark.parametrize(
    ("name", "column", "code"),
    [
        ("id", pa.array([1, 2, 3]), "wrong_type"),
        ("score", pa.array(["1", "2", "3"]), "wrong_type"),
        ("prediction", pa.array([True, False, True]), "wrong_type"),
        ("features.AGEP", pa.array([[1], [2], [3]]), "wrong_type"),
        ("time", pa.array([1, 2, 3]), "wrong_type"),
        ("time", pa.array([1, 2, 3], pa.timestamp("ms")), "time_without_zone"),
        ("time", pa.array([2**62] * 3, pa.timestamp("s", "UTC")), "out_of_range"),
        ("prediction", pa.array([2**63] * 3, pa.uint64()), "out_of_range"),
        ("id", pa.array([b"a", b"b", b"c"]), "wrong_type"),
    ],
)
def test_a_column_of_another_kind_is_refused_by_name(
    name: str, column: pa.Array, code: str
) -> None:
    error = refused(as_stream(columns_of() | {name: column}), ARROW)

    assert error.code == code
    assert name in error.detail


def of_months(stream: bytes, name: str) -> bytes:
    """Change the unit of an interval in a schema, of which pyarrow can only write one."""
    for at in (place for place, byte in enumerate(stream) if byte == 2):
        changed = stream[:at] + b"\0" + stream[at + 1 :]
        with suppress(pa.ArrowException, OSError):
            if str(pa.ipc.open_stream(changed).schema.field(name).type) == "month_interval":
                return changed
    pytest.fail("there is no interval in the stream")


def test_a_type_of_which_pyarrow_has_no_arrays_is_refused_by_name() -> None:
    column = pa.array([(1, 2, 3)] * 3, pa.month_day_nano_interval())
    stream = of_months(as_stream(columns_of() | {"score": column}), "score")

    error = refused(stream, ARROW)

    assert error.code == "wrong_type"
    assert "column score is of type month_interval" in error.detail


@pytest.mark.parametrize("names", [[], ["other"], ["id"]])
def test_rows_of_which_no_column_says_anything_are_refused(names: list[str]) -> None:
    nothing = pa.RecordBatch.from_struct_array(pa.array([dict.fromkeys(names)] * 2))

    error = refused(to_bytes(nothing), ARROW)

    assert (error.code, "no column" in error.detail) == ("missing_field", True)


def test_two_columns_of_one_name_are_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["id", "id"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)

    assert "column id comes twice" in refused(bytes(sink.getvalue()), ARROW).detail


def test_a_few_bytes_that_unpack_to_many_are_refused_unread() -> None:
    stream = as_stream({"id": pa.array(["x" * (300 << 20)])}, compression="zstd")

    assert len(stream) < 1 << 20
    assert refused(stream, ARROW).code == "too_long"


def test_a_dictionary_whose_long_text_repeats_is_refused() -> None:
    indices = pa.array(np.zeros(100_000, dtype=np.int8))
    words = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 10_000]))

    error = refused(as_stream({"id": words}), ARROW)

    assert error.code == "too_long"


def test_more_rows_than_bytes_are_refused() -> None:
    stream = as_stream({"id": pa.nulls(10), "system": pa.nulls(10)})
    huge = stream.replace(struct.pack("<q", 10), struct.pack("<q", 2**40))

    assert huge != stream
    assert refused(huge, ARROW).code in ("too_long", "malformed")


def test_columns_of_different_lengths_are_refused() -> None:
    body = b'{"columns": {"id": ["a", "b"], "system": ["s"]}}'

    assert "lengths 1, 2" in refused(body, JSON).detail


def test_a_columnar_document_is_refused_row_by_row() -> None:
    columns = {
        "id": ["a", "b"],
        "system": ["s", "s"],
        "version": ["1", "1"],
        "time": ["2026-11-23T06:00:00Z", "2026-11-23T06:00:00"],
        "prediction": [1, 0],
        "features.AGEP": [1, 2],
    }

    decoded = decode_items(json.dumps({"columns": columns}).encode(), JSON)

    assert decoded.batch.column("features.AGEP").to_pylist() == [1]
    assert [(one.index, one.code) for one in decoded.rejects] == [(1, "time_without_zone")]


def test_rows_that_all_name_other_fields_are_refused() -> None:
    rows = [
        a_prediction(n, features={f"{n}-{field}": 1 for field in range(10)}) for n in range(500)
    ]

    assert refused(json.dumps(rows).encode(), JSON).code == "too_long"


def test_a_column_under_the_name_of_a_nested_field_says_nothing() -> None:
    columns = {
        "id": ["a", "b"],
        "system": ["s", "s"],
        "version": ["1", "1"],
        "time": ["2026-11-23T06:00:00Z"] * 2,
        "prediction": [1, 0],
        "features": [None, 1],
        "features.AGEP": [40, 50],
    }

    for score, kept in ((0.5, [40, 50]), ("high", [40])):
        body = json.dumps({"columns": {**columns, "score": [0.5, score]}}).encode()
        batch = decode_items(body, JSON).batch
        assert batch.column("features.AGEP").to_pylist() == kept
        assert "features" not in batch.schema.names


def test_a_reason_never_holds_half_of_a_surrogate_pair_itself() -> None:
    body = json.dumps([a_prediction(0) | {"\ud800": math.inf}]).encode()

    (found,) = decode_items(body, JSON).rejects

    assert found.detail.encode().decode() == found.detail


@pytest.mark.parametrize("odd", [{}, {"features": {}}, [1], None])
def test_half_a_surrogate_pair_in_a_name_is_refused_whatever_it_names(odd: object) -> None:
    body = json.dumps([a_prediction(0), a_prediction(1) | {"\ud800": odd}]).encode()

    decoded = decode_items(body, JSON)

    assert [(one.index, one.code) for one in decoded.rejects] == [(1, "malformed")]
    assert "surrogate" in decoded.rejects[0].detail


def test_half_a_surrogate_pair_is_refused_and_named() -> None:
    body = json.dumps([a_prediction(1), a_prediction(2, id="\ud800")]).encode()

    decoded = decode_items(body, JSON)

    assert decoded.positions.tolist() == [0]
    assert decoded.rejects[0].code == "malformed"
    assert "surrogate" in decoded.rejects[0].detail


def test_one_bad_row_refuses_the_whole_record_where_all_or_nothing_is_asked() -> None:
    body = json.dumps([a_prediction(1), a_prediction(2, id=None)]).encode()

    error = refused(body, NDJSON if body.startswith(b"{") else JSON)

    assert str(error) == "missing_field: row 1: id is missing"


def test_lines_may_be_blank_and_end_without_a_newline() -> None:
    lines = b"\n".join([json.dumps(a_prediction(n)).encode() for n in range(3)]) + b"\n\n"

    assert decode(lines, NDJSON).num_rows == 3


def test_batches_with_other_columns_are_joined_with_nulls() -> None:
    one = decode(json.dumps([a_prediction(1, features={"A": 1}, prediction=1)]).encode(), JSON)
    two = decode(json.dumps([a_prediction(2, features={"B": "x"}, prediction=0.5)]).encode(), JSON)
    three = decode(json.dumps([a_prediction(3, features={"A": "t"})]).encode(), JSON)

    joined = concatenate([one, two, three])

    assert joined.column("features.A").to_pylist() == ["1", None, "t"]
    assert joined.column("features.B").to_pylist() == [None, "x", None]
    assert joined.column("prediction").to_pylist() == [1.0, 0.5, 1.0]
    assert decode(to_bytes(joined), ARROW).equals(joined)


def test_no_rows_are_a_batch_of_none() -> None:
    assert from_rows([], Kind.LABELS).num_rows == 0
    assert decode(b"[]", JSON).num_rows == 0
    assert codec.CONTENT_TYPES == (ARROW, JSON, NDJSON)
