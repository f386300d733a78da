"""A batch as columns: one row per event, in the canonical types of `shapes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.classes import as_classes, class_name
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind, Row
from watchkeeper_shared.events.shapes import EXACT, INSTANT, MAX_CELLS, MAX_COLUMNS, MIXED

__all__ = [
    "as_classes",
    "concatenate",
    "distinct",
    "from_rows",
    "slices",
    "to_bytes",
    "values_column",
]

_REQUIRED_TYPES: dict[str, pa.DataType | None] = {
    "id": pa.string(),
    "system": pa.string(),
    "version": pa.string(),
    "time": INSTANT,
    "prediction": None,
    "label": None,
    "prediction_time": INSTANT,
    "seq": pa.int64(),
    "score": pa.float64(),
    "latency_ms": pa.float64(),
}

ANSWERS = ("prediction", "label")
"""What is a class in some systems and a number in others."""

_ORDER: dict[Kind, tuple[str, ...]] = {
    Kind.PREDICTIONS: (
        "id", "system", "version", "time", "prediction", "seq", "score", "latency_ms",
    ),
    Kind.LABELS: (
        "id", "system", "label", "time", "prediction", "score", "prediction_time", "version",
    ),
}  # fmt: skip


def from_rows(rows: Sequence[Row], kind: Kind) -> pa.RecordBatch:
    """Turn rows into columns; a field that no row has becomes no column."""
    columns: dict[str, pa.Array] = {}
    for name in _ORDER[kind]:
        values = [getattr(row, name) for row in rows]
        _put(columns, name, values, _REQUIRED_TYPES[name])
    if kind is Kind.PREDICTIONS:
        _spread(columns, "features", [getattr(row, "features") for row in rows], None)  # noqa: B009
    groups = [row.groups or {} for row in rows]
    for name in _names(groups):
        found = [one.get(name) for one in groups]
        texts = [None if value is None else class_name(value) for value in found]
        _put(columns, f"groups.{name}", texts, pa.string())
    _spread(columns, "scores", [row.scores for row in rows], pa.float64())
    if kind is Kind.PREDICTIONS:
        _spread_the_rest(columns, rows)
    return pa.RecordBatch.from_pydict(columns)


def _spread_the_rest(columns: dict[str, pa.Array], rows: Sequence[Row]) -> None:
    """Add what few senders send."""
    explanations = [getattr(row, "explanation") for row in rows]  # noqa: B009  nor has it one
    _spread(columns, "explanation", explanations, pa.float64())
    decisions = [getattr(row, "decision") for row in rows]  # noqa: B009  a label row has none
    if any(decision is not None for decision in decisions):
        outcomes = [None if one is None else one.outcome for one in decisions]
        critical = [None if one is None else one.critical for one in decisions]
        _put(columns, "decision.outcome", outcomes, pa.string())
        _put(columns, "decision.critical", critical, pa.bool_())


def _names(objects: Sequence[Mapping[str, object] | None]) -> dict[str, None]:
    """Return every name that one of the objects has, in order of first sight."""
    names = dict.fromkeys(chain.from_iterable(one for one in objects if one))
    # Rows that each name other fields would make a table of nulls that nobody can hold.
    if len(names) > MAX_COLUMNS or len(names) * len(objects) > MAX_CELLS:
        detail = f"{len(objects)} rows name {len(names)} different fields; send smaller batches"
        raise MalformedRecord(RejectCode.TOO_LONG, detail)
    return names


def _spread(
    columns: dict[str, pa.Array],
    prefix: str,
    objects: Sequence[Mapping[str, object] | None],
    kind: pa.DataType | None,
) -> None:
    """Add one column per name in the objects."""
    filled = [one or {} for one in objects]
    for name in _names(filled):
        _put(columns, f"{prefix}.{name}", [one.get(name) for one in filled], kind)


def _put(
    columns: dict[str, pa.Array], name: str, values: Sequence[object], kind: pa.DataType | None
) -> None:
    """Add a column unless every value is missing."""
    column = values_column(values) if kind is None else pa.array(values, kind)
    if column.null_count < len(column) or not len(column):
        columns[name] = column


def values_column(values: Sequence[object]) -> pa.Array:
    """Return numbers as numbers, texts as texts, and what is no column of one as a mixed one."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        numbers = [float(one) if isinstance(one, int | float) else None for one in values]
        whole = [one if isinstance(one, int) and abs(one) > EXACT else None for one in values]
        texts = [one if isinstance(one, str) else None for one in values]
    mask = pa.array([one is None for one in values])
    fields = [
        pa.array(part, field.type)
        for part, field in zip((numbers, whole, texts), MIXED, strict=True)
    ]
    return pa.StructArray.from_arrays(fields, fields=list(MIXED), mask=mask)


def to_bytes(batch: pa.RecordBatch) -> bytes:
    """Return the batch as an Arrow IPC stream, uncompressed: the log compresses."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def concatenate(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Join batches; what one of them has no column for is null in its rows.

    No value reads otherwise for what is beside it: whole numbers become floats next to floats,
    but for answers that would then no longer be told apart, which become texts. Those of a
    regression are floats already, see `validation`.

    Raises
    ------
    ValueError
        There is nothing to join.
    """
    if not batches:
        raise ValueError("there must be at least one batch to join")
    if len(batches) == 1:
        return batches[0]
    parts: dict[str, list[pa.Array]] = {}
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            parts.setdefault(name, []).append(column)
    schema = pa.schema([(name, _type_of(name, columns)) for name, columns in parts.items()])
    return pa.concat_batches([_widen(batch, schema) for batch in batches])


def _type_of(name: str, columns: Sequence[pa.Array]) -> pa.DataType:
    """Return the type that holds the values of all; of nothing but nulls any type would."""
    filled = [column for column in columns if column.null_count < len(column)] or columns[:1]
    types = {column.type for column in filled}
    if len(types) == 1:
        return filled[0].type
    if types != {pa.int64(), pa.float64()}:
        return pa.string()
    whole = (column for column in filled if pa.types.is_integer(column.type))
    return pa.string() if name in ANSWERS and any(map(_is_long, whole)) else pa.float64()


def _is_long(column: pa.Array) -> bool:
    ends = pc.min_max(column)
    return bool(ends["min"].as_py() < -EXACT or ends["max"].as_py() > EXACT)


def _widen(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    have = set(batch.schema.names)
    columns = [
        _cast(batch.column(field.name), field.type)
        if field.name in have
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), kind)
    return as_classes(column) if pa.types.is_string(kind) else column.cast(kind, safe=False)


def distinct(texts: pa.Array) -> list[str]:
    """Return each text of a column once, in the order in which they come; nulls are none.

    Mostly there is one, as of versions: comparing with the first takes a third of hashing all.

    Examples
    --------
    >>> distinct(pa.array(["b", None, "a", "b"])), distinct(pa.array(["b", "b"]))
    (['b', 'a'], ['b'])
    """
    if len(texts) and not texts.null_count and pc.all(pc.equal(texts, texts[0])).as_py():
        return [texts[0].as_py()]
    found: list[str] = texts.drop_null().unique().to_pylist()
    return found


def slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """Cut a batch into pieces of at most so many rows, without copying."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
