"""Whatever is sent: the encodings agree, and bytes never do anything but be refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.batches import concatenate, slices, to_bytes
from watchkeeper_shared.events.codec import ARROW, CONTENT_TYPES, JSON, NDJSON, decode
from watchkeeper_shared.events.rows import ROWS, Kind
from watchkeeper_shared.events.validation import check_labels, check_predictions
from watchkeeper_shared.testing.builders import NOON, SYSTEM, a_batch, a_prediction, a_system

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = NUMBERS | TEXTS
NAMES = st.sampled_from(["A", "B", "ünï", "with.dot"])
INSTANTS = st.datetimes(
    min_value=NOON.replace(tzinfo=None, year=1971), max_value=NOON.replace(tzinfo=None)
).map(lambda one: one.isoformat() + "Z")

PREDICTIONS = st.fixed_dictionaries(
    {"id": TEXTS, "system": TEXTS, "version": TEXTS, "time": INSTANTS, "prediction": VALUES},
    optional={
        "seq": st.integers(-(2**63), 2**63 - 1),
        "score": NUMBERS,
        "latency_ms": NUMBERS,
        "features": st.dictionaries(NAMES, VALUES | st.none(), max_size=3),
        "groups": st.dictionaries(NAMES, VALUES, max_size=3),
        "scores": st.dictionaries(NAMES, NUMBERS, max_size=2),
        "explanation": st.dictionaries(NAMES, NUMBERS, max_size=2),
        "decision": st.fixed_dictionaries(
            {}, optional={"outcome": TEXTS, "critical": st.booleans()}
        ),
    },
)


def as_columns(rows: list[dict[str, Any]]) -> bytes:
    """Write the rows as a columnar document, without help from the code under test."""
    flat = []
    for row in rows:
        cells: dict[str, Any] = {}
        for name, value in row.items():
            if isinstance(value, dict):
                cells |= {f"{name}.{inner}": leaf for inner, leaf in value.items()}
            else:
                cells[name] = value
        flat.append(cells)
    names = list(dict.fromkeys(name for cells in flat for name in cells))
    return json.dumps({"columns": {n: [cells.get(n) for cells in flat] for n in names}}).encode()


def by_name(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """Return the cells by column; a class or category by its name, as the monitor sees it."""
    groups = [name for name in batch.schema.names if name.startswith("groups.")]
    cells = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    for name in groups:
        cells[name] = ["·" if one is None else _group(one) for one in cells[name]]
    return cells


def _group(value: Any) -> str:
    if isinstance(value, dict):
        value = value["number"] if value["text"] is None else value["text"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


@given(st.lists(PREDICTIONS, min_size=1, max_size=5))
def test_rows_lines_columns_and_arrow_hold_the_same(rows: list[dict[str, Any]]) -> None:
    from_array = decode(json.dumps(rows).encode(), JSON)
    from_lines = decode(b"\n".join(json.dumps(row).encode() for row in rows), NDJSON)
    from_columns = decode(as_columns(rows), JSON)
    from_arrow = decode(to_bytes(from_array), ARROW)

    assert from_lines.equals(from_array)
    assert from_arrow.equals(from_array)
    assert by_name(from_columns) == by_name(from_array)


@given(st.lists(PREDICTIONS, min_size=1, max_size=6), st.integers(1, 4))
def test_cutting_and_joining_changes_nothing(rows: list[dict[str, Any]], size: int) -> None:
    batch = decode(json.dumps(rows).encode(), JSON)

    pieces = [decode(to_bytes(piece), ARROW) for piece in slices(batch, size)]

    assert concatenate(list(slices(batch, size))).equals(batch)
    assert sum(piece.num_rows for piece in pieces) == batch.num_rows
    assert [i for piece in pieces for i in piece.column("id").to_pylist()] == batch.column(
        "id"
    ).to_pylist()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def looked_at(value: bytes, content_type: str, kind: Kind) -> None:
    """Decode and check; a malformed record is the only thing that may come out."""
    try:
        batch = decode(value, content_type, kind)
    except MalformedRecord:
        return
    check = check_predictions if kind is Kind.PREDICTIONS else check_labels
    checked = check(batch, SYSTEM, a_system(), frozenset({"1"}), NOON)
    assert checked.batch.num_rows + len(checked.rejects) == batch.num_rows


@given(st.binary(max_size=200), st.sampled_from(CONTENT_TYPES), st.sampled_from(Kind))
@example(b"", JSON, Kind.LABELS)
def test_any_bytes_are_a_batch_or_a_malformed_record(
    value: bytes, content_type: str, kind: Kind
) -> None:
    looked_at(value, content_type, kind)


@given(st.dictionaries(st.sampled_from([*a_prediction(), "scores", "label"]), JSON_VALUES))
def test_any_json_under_known_names_is_a_batch_or_a_malformed_record(
    changes: dict[str, Any],
) -> None:
    for document in (changes, [a_prediction() | changes], {"columns": changes}):
        for kind in Kind:
            looked_at(json.dumps(document).encode("utf-8", "surrogatepass"), JSON, kind)


STREAM = to_bytes(a_batch(5))


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_arrow_stream_is_a_batch_or_a_malformed_record(
    damage: list[tuple[int, int]],
) -> None:
    broken = bytearray(STREAM)
    for at, byte in damage:
        broken[at] = byte

    looked_at(bytes(broken), ARROW, Kind.PREDICTIONS)


def test_an_arrow_stream_cut_anywhere_is_a_malformed_record() -> None:
    for length in range(len(STREAM)):
        with pytest.raises(MalformedRecord):
            decode(STREAM[:length], ARROW)


@given(st.lists(PREDICTIONS, min_size=1, max_size=4))
def test_the_struct_of_a_row_reads_what_the_builder_of_rows_writes(
    rows: list[dict[str, Any]],
) -> None:
    for row in rows:
        assert msgspec.convert(row, ROWS[Kind.PREDICTIONS]).id == row["id"]
