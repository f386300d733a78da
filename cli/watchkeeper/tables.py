"""Rows of a file, Parquet, CSV or NDJSON, as batches in the log's canonical columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from watchkeeper_shared.errors import InvalidObject, MalformedRecord
from watchkeeper_shared.events.classes import as_classes
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import Shape, fit, is_number, shape_of

_INSTANTS = ("time", "prediction_time")
_TEXTS = ("id", "system", "version", *_INSTANTS)
_PARQUET = (".parquet", ".pq")
_NDJSON = (".ndjson", ".jsonl")


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """Read `--map field=column` options.

    Raises
    ------
    InvalidObject
        A pair has no `=`, or names a field that no record has.

    Examples
    --------
    >>> parse_map(["prediction=yhat", "features.AGE=age"])
    {'prediction': 'yhat', 'features.AGE': 'age'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        field, separator, column = pair.partition("=")
        if not (field and separator and column):
            raise InvalidObject(f"--map takes field=column, such as prediction=yhat; got {pair!r}")
        if shape(field) is None:
            raise InvalidObject(
                f"--map {pair}: there is no field {field!r}; fields are id, version, time, "
                "prediction, score, label, features.NAME, groups.NAME and so on"
            )
        found[field] = column
    return found


def shape(field: str) -> Shape | None:
    """Return what a field of a prediction or of a label holds, None if there is none."""
    return shape_of(field, Kind.PREDICTIONS) or shape_of(field, Kind.LABELS)


def read(path: Path, renamed: Mapping[str, str], rows: int) -> Iterator[pa.RecordBatch]:
    """Read a file in batches of canonical columns; unknown columns are left out.

    Parameters
    ----------
    path
        Ends with `.parquet`, `.pq`, `.csv`, `.ndjson` or `.jsonl`.
    renamed
        Column of the file by field, as `parse_map` returns it.
    rows
        The most rows in one batch.

    Raises
    ------
    InvalidObject
        The file cannot be read, or a column cannot be what its field needs.
    """
    with _reading(path):
        for raw in _open(path, rows):
            for start in range(0, raw.num_rows, rows):
                yield canonical(raw.slice(start, rows), renamed, path.name)


def count(path: Path) -> int:
    """Return how many rows the file has, for the progress bar.

    Raises
    ------
    InvalidObject
        The file cannot be read.
    """
    with _reading(path):
        if path.suffix.lower() in _PARQUET:
            return int(pq.read_metadata(path).num_rows)
        with path.open("rb") as file:
            lines = sum(1 for line in file if line.strip())
        return lines - (path.suffix.lower() == ".csv")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidObject(f"{path} cannot be read: {error.strerror or error}") from error
    except pa.ArrowException as error:
        raise InvalidObject(f"{path} cannot be read: {error}") from error


def _open(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=rows)
    elif suffix == ".csv":
        # Read whole: a type that is guessed from the first block breaks on the second.
        yield from pyarrow.csv.read_csv(path, convert_options=_csv_types(path)).to_batches()
    elif suffix in _NDJSON:
        with path.open("rb") as file:
            while chunk := b"".join(islice(file, rows)):
                yield _json_rows(chunk)
    else:
        raise InvalidObject(
            f"{path}: {suffix or 'no ending'} is no known kind of table; "
            "give a file that ends with .parquet, .pq, .csv, .ndjson or .jsonl"
        )


def _csv_types(path: Path) -> pyarrow.csv.ConvertOptions:
    """Keep ids, groups and instants as they are written: `007` is not 7."""
    with path.open("rb") as file:
        header = file.readline().decode("utf-8-sig").strip().split(",")
    names = [name.strip().strip('"') for name in header]
    texts = {name: pa.string() for name in names if name in _TEXTS or name.startswith("groups.")}
    return pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=True)


def _json_rows(lines: bytes) -> pa.RecordBatch:
    """Flatten one level, so that `{"features": {"AGE": 1}}` becomes `features.AGE`."""
    # Left alone, Arrow reads instants as local times and loses their zone.
    as_text = pa.schema([(name, pa.string()) for name in _INSTANTS])
    options = pyarrow.json.ParseOptions(explicit_schema=as_text)
    table = pyarrow.json.read_json(io.BytesIO(lines), parse_options=options).flatten()
    absent = [name for name in _INSTANTS if table[name].null_count == table.num_rows]
    return table.drop_columns(absent).combine_chunks().to_batches()[0]


def canonical(batch: pa.RecordBatch, renamed: Mapping[str, str], source: str) -> pa.RecordBatch:
    """Give the columns the names and types that the log's batches have.

    Raises
    ------
    InvalidObject
        A mapped column is missing, or a column cannot be what its field needs.
    """
    missing = sorted(set(renamed.values()) - set(batch.schema.names))
    if missing:
        have = ", ".join(batch.schema.names)
        raise InvalidObject(f"{source} has no column {', '.join(missing)}; it has {have}")
    chosen = {name: name for name in batch.schema.names} | dict(renamed)
    columns = {
        field: _typed(field, batch.column(column), f"{source}, column {column}")
        for field, column in chosen.items()
        if shape(field) is not None
    }
    if not columns:
        raise InvalidObject(
            f"{source} has no column of a prediction or a label; name them with --map field=column"
        )
    return pa.RecordBatch.from_pydict(columns)


def _typed(field: str, column: pa.Array, where: str) -> pa.Array:
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    wanted = shape(field) or Shape.VALUE
    if pa.types.is_null(plain.type):
        plain = plain.cast(pa.string())
    if pa.types.is_boolean(plain.type) and wanted in {Shape.VALUE, Shape.CATEGORY, Shape.NUMBER}:
        # A table's boolean is a 0/1 column; JSON's `true` on the wire is a mistake.
        plain = plain.cast(pa.int8())
    try:
        if wanted is Shape.TEXT and is_number(plain.type):
            plain = as_classes(fit(field, plain, Shape.VALUE))
        return fit(field, plain, wanted)
    except MalformedRecord as error:
        raise InvalidObject(f"{where}: {error.detail}") from error
