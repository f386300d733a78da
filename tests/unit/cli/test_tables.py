from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from watchkeeper import tables
from watchkeeper_shared.errors import InvalidObject

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def parquet(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_csv_keeps_leading_zeros_of_ids_and_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,time,prediction,groups.SEX\n007,2026-11-23T12:00:00Z,1,02\n")

    (batch,) = tables.read(path, {}, 10)

    assert batch.to_pylist() == [
        {"id": "007", "time": NOON, "prediction": 1, "groups.SEX": "02"},
    ]


def test_ndjson_features_become_columns_and_offsets_become_utc(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    path.write_text(
        '{"id": "a", "time": "2026-11-23T13:00:00+01:00", "features": {"AGE": 1}}\n'
        '{"id": "b", "time": "2026-11-23T12:00:00Z", "features": {"AGE": 1.5}}\n'
    )

    first, second = tables.read(path, {}, 1)

    assert first.to_pylist() == [{"id": "a", "time": NOON, "features.AGE": 1}]
    assert second.to_pylist() == [{"id": "b", "time": NOON, "features.AGE": 1.5}]


def test_columns_are_renamed_and_what_no_field_names_is_left_out(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "rows.parquet",
        person=pa.array([1, 2]),
        yhat=pa.array([True, False]),
        notes=pa.array(["x", "y"]),
    )

    (batch,) = tables.read(path, {"id": "person", "prediction": "yhat"}, 10)

    assert batch.to_pydict() == {"id": ["1", "2"], "prediction": [1, 0]}


def test_batches_hold_at_most_so_many_rows_and_count_agrees(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.pq", id=pa.array([str(i) for i in range(25)]))

    sizes = [batch.num_rows for batch in tables.read(path, {}, 10)]

    assert sizes == [10, 10, 5]
    assert tables.count(path) == 25


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rows.txt", "", "no known kind of table"),
        ("rows.csv", "a,b\n1,2\n", "--map field=column"),
        ("rows.csv", "id,time\n1,2026-11-23T12:00:00\n", "zone"),
        ("rows.csv", "id,score\n1,high\n", "score"),
        ("rows.ndjson", '{"id": \n', "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(InvalidObject, match=says):
        list(tables.read(path, {}, 10))


def test_a_parquet_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.pq", time=pa.array([NOON.replace(tzinfo=None)]))

    with pytest.raises(InvalidObject, match="zone"):
        list(tables.read(path, {}, 10))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match="No such file"):
        list(tables.read(tmp_path / "none.parquet", {}, 10))


@pytest.mark.parametrize("pair", ["prediction", "=x", "yhat=prediction"])
def test_a_mapping_that_maps_nothing_is_refused(pair: str) -> None:
    with pytest.raises(InvalidObject, match="--map"):
        tables.parse_map([pair])
