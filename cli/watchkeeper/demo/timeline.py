"""When each row happened: the data say the year, the rest is decided here and said aloud.

The rows carry a year and nothing finer. Their order in the file is no time either: in
2015 and 2016 people in group quarters (dormitories, care homes, prisons) are spread over
the file, in 2017 they stand at its end and in 2018 at its beginning. Read as time, that
would be a year without them and then three months of nobody else: a flood of alarms about
the way a file was sorted. So the rows of a year are put in a random order with a fixed
seed, evenly from its first to its last instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from watchkeeper.demo.dataset import Tables
from watchkeeper_shared.events.rows import Kind

SYSTEM = "employment-ma"
VERSION = "1"
FEATURES = (
    "AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY",
    "DEAR", "DEYE", "DREM", "SEX", "RAC1P",
)  # fmt: skip
GROUPS = ("SEX", "RAC1P")
ORDER_SEED = 2015
LABEL_DELAY_DAYS = (60, 90)
_DAY = np.timedelta64(1, "D").astype("timedelta64[us]").astype(np.int64)
_UTC = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Part:
    """One request's worth of the stream."""

    kind: Kind
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Stream:
    """Predictions and labels, each in the order of their times."""

    predictions: pa.Table
    labels: pa.Table

    def parts(self, rows: int) -> Iterator[Part]:
        """Interleave both: a label comes once the predictions have reached its time.

        Parameters
        ----------
        rows
            The most rows of predictions in one part.
        """
        label_times = _micros(self.labels)
        sent = 0
        for batch in self.predictions.combine_chunks().to_batches(max_chunksize=rows):
            yield Part(Kind.PREDICTIONS, batch)
            newest = _micros(batch)[-1]
            due = int(np.searchsorted(label_times, newest, side="right"))
            if due - sent >= rows:
                yield from _label_parts(self.labels.slice(sent, due - sent), rows)
                sent = due
        yield from _label_parts(self.labels.slice(sent), rows)


def _label_parts(labels: pa.Table, rows: int) -> Iterator[Part]:
    for batch in labels.combine_chunks().to_batches(max_chunksize=rows):
        yield Part(Kind.LABELS, batch)


def _micros(rows: pa.Table | pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    column = rows.column("time").cast(pa.int64())
    return np.asarray(column.to_numpy(), dtype=np.int64)


def spread(years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each row an instant inside its year: evenly, in a random order.

    Parameters
    ----------
    years
        The year of each row.
    rng
        The source of the order.

    Returns
    -------
    numpy.ndarray
        Microseconds since 1970, UTC, in the order of `years`.

    Examples
    --------
    >>> times = spread(np.array([2016, 2016]), np.random.default_rng(0))
    >>> sorted(times.astype("datetime64[us]").astype("datetime64[D]").astype(str).tolist())
    ['2016-04-01', '2016-10-01']
    """
    times = np.empty(len(years), dtype=np.int64)
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        start, end = (
            np.datetime64(str(one), "us").astype(np.int64) for one in (int(year), int(year) + 1)
        )
        places = (rng.permutation(len(rows)) + 0.5) / len(rows)
        times[rows] = start + (places * (end - start)).astype(np.int64)
    return times


def stream_of(tables: Tables) -> Stream:
    """Lay the predictions of 2016 to 2018 and their labels out in time."""
    rng = np.random.default_rng(ORDER_SEED)
    times = spread(tables.analysis["year"].to_numpy(), rng)
    low, high = LABEL_DELAY_DAYS
    known = times + (rng.uniform(low, high, len(times)) * _DAY).astype(np.int64)
    predictions = _predictions(tables.analysis, times)
    labels = pa.table(
        {
            "id": tables.targets["id"].cast(pa.string()),
            "system": pa.array([SYSTEM] * len(known)),
            "label": tables.targets["employed"],
            "time": pa.array(known, pa.int64()).cast(_UTC),
        }
    )
    return Stream(predictions.sort_by("time"), labels.sort_by("time"))


def reference_of(tables: Tables) -> pa.Table:
    """Return the rows of 2015, with labels, as a table that `reference build` takes."""
    times = spread(tables.reference["year"].to_numpy(), np.random.default_rng(ORDER_SEED))
    rows = _predictions(tables.reference, times)
    return rows.append_column("label", tables.reference["employed"])


def _predictions(rows: pa.Table, times: np.ndarray) -> pa.Table:
    plain = {name: _plain(rows[name]) for name in FEATURES}
    columns = {
        "id": rows["id"].cast(pa.string()),
        "system": pa.array([SYSTEM] * rows.num_rows),
        "version": pa.array([VERSION] * rows.num_rows),
        "time": pa.array(times, pa.int64()).cast(_UTC),
        "prediction": rows["prediction"],
        "score": rows["predicted_probability"],
    }
    columns |= {f"features.{name}": values for name, values in plain.items()}
    columns |= {f"groups.{name}": plain[name] for name in GROUPS}
    return pa.table(columns)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
