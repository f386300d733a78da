from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from watchkeeper.demo.dataset import Tables
from watchkeeper.demo.timeline import FEATURES, LABEL_DELAY_DAYS, Stream, reference_of, stream_of
from watchkeeper_shared.events.rows import Kind

ROWS_PER_YEAR = 400


def rows(years: tuple[int, ...], first_id: int) -> pa.Table:
    count = ROWS_PER_YEAR * len(years)
    columns = {
        "id": pa.array(range(first_id, first_id + count)),
        "year": pa.array([year for year in years for _ in range(ROWS_PER_YEAR)]),
        "prediction": pa.array([i % 2 for i in range(count)]),
        "predicted_probability": pa.array([0.25 + 0.5 * (i % 2) for i in range(count)]),
    }
    columns |= {
        name: pa.array([str(i % 3) for i in range(count)]).dictionary_encode() for name in FEATURES
    }
    return pa.table(columns)


@pytest.fixture(scope="module")
def tables() -> Tables:
    reference = rows((2015,), 0)
    analysis = rows((2016, 2017), ROWS_PER_YEAR)
    labels = pa.array([i % 2 for i in range(ROWS_PER_YEAR)])
    targets = pa.table({"id": analysis["id"], "employed": analysis["prediction"]})
    return Tables(reference.append_column("employed", labels), analysis, targets)


@pytest.fixture(scope="module")
def stream(tables: Tables) -> Stream:
    return stream_of(tables)


def test_every_row_lies_in_its_year_and_rows_are_evenly_spread(stream: Stream) -> None:
    times = stream.predictions["time"].to_pylist()
    gaps = {round((b - a) / timedelta(minutes=1)) for a, b in pairwise(times[:ROWS_PER_YEAR])}

    assert times == sorted(times)
    assert [one.year for one in times] == [2016] * ROWS_PER_YEAR + [2017] * ROWS_PER_YEAR
    assert times[0] > datetime(2016, 1, 1, tzinfo=UTC)
    assert max(gaps) - min(gaps) <= 1


def test_the_order_is_the_same_in_every_run(tables: Tables, stream: Stream) -> None:
    assert stream_of(tables).predictions.equals(stream.predictions)
    ids = [int(one) for one in stream.predictions["id"].to_pylist()]
    assert ids != sorted(ids)


def test_each_label_is_of_its_prediction_and_comes_weeks_later(stream: Stream) -> None:
    made = {one["id"]: one for one in stream.predictions.to_pylist()}
    low, high = (timedelta(days=days) for days in LABEL_DELAY_DAYS)

    for label in stream.labels.to_pylist():
        assert label["label"] == made[label["id"]]["prediction"]
        assert low <= label["time"] - made[label["id"]]["time"] <= high


def test_no_label_is_sent_before_the_predictions_have_reached_its_time(stream: Stream) -> None:
    newest = datetime.min.replace(tzinfo=UTC)
    sent = {Kind.PREDICTIONS: 0, Kind.LABELS: 0}
    waiting = stream.predictions.num_rows

    for part in stream.parts(50):
        sent[part.kind] += part.batch.num_rows
        if part.kind == Kind.PREDICTIONS:
            newest = part.batch.column("time")[-1].as_py()
            waiting -= part.batch.num_rows
        elif waiting:
            assert part.batch.column("time")[-1].as_py() <= newest
        assert part.batch.num_rows <= 50

    assert sent == {Kind.PREDICTIONS: 2 * ROWS_PER_YEAR, Kind.LABELS: 2 * ROWS_PER_YEAR}


def test_the_reference_has_labels_and_the_stream_has_none(tables: Tables, stream: Stream) -> None:
    assert reference_of(tables)["label"].null_count == 0
    assert "label" not in stream.predictions.schema.names
    assert "features.RELP" in stream.predictions.schema.names
    assert pa.types.is_string(stream.predictions["groups.SEX"].type)
