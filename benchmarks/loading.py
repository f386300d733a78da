"""What the load benchmark sends, and how it sees when that was measured and told."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import perf_counter

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from benchmarks.plant import LOADED, PROBES, Plant
from benchmarks.stream import batch
from watchkeeper.client import Client
from watchkeeper.publishing import OverHTTP
from watchkeeper_shared.db import tables
from watchkeeper_shared.events.rows import Kind

BATCH_ROWS, CLIENTS = 1_000, 4
_WAIT = Event()
_NUMBERS = itertools.count(1)
_HOUR = timedelta(hours=1) // timedelta(microseconds=1)


def named(rows: pa.RecordBatch, **columns: object) -> pa.RecordBatch:
    """Return the rows with some columns replaced by one value or by an array."""
    for name, value in columns.items():
        array = value if isinstance(value, pa.Array) else pa.array([value] * rows.num_rows)
        rows = rows.set_column(rows.schema.get_field_index(name), name, array)
    return rows


class Sender:
    """A client that sends whole batches over HTTP and knows when each was accepted."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        rows = batch(BATCH_ROWS, 3)
        self._templates = [named(rows, system=name) for name in LOADED]
        self.accepted: list[tuple[float, int]] = []

    def burst(self, seconds: float) -> float:
        """Send as fast as the answers come, from several clients; return rows per second."""
        began = perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            rows = sum(pool.map(self._until, [began + seconds] * CLIENTS))
        return rows / (perf_counter() - began)

    def _until(self, end: float) -> int:
        rows = 0
        with Client(self.url, self.token) as client:
            way = OverHTTP(client)
            while perf_counter() < end:
                rows += self._send(way)
        return rows

    def steady(self, seconds: float, rate: float) -> None:
        """Send at so many rows per second, or as fast as one client can."""
        with Client(self.url, self.token) as client:
            way, began = OverHTTP(client), perf_counter()
            for number in range(int(seconds * rate / BATCH_ROWS)):
                _WAIT.wait(max(0.0, began + number * BATCH_ROWS / rate - perf_counter()))
                self._send(way)

    def _send(self, way: OverHTTP) -> int:
        number = next(_NUMBERS)
        ids = pa.array([f"{number:09d}-{place:04d}" for place in range(BATCH_ROWS)])
        fresh = named(self._templates[number % len(LOADED)], id=ids)
        answer = way.send(fresh, Kind.PREDICTIONS)
        self.accepted.append((perf_counter(), answer.accepted))
        return answer.accepted


class Watcher:
    """Asks the database how many rows are in judged windows, and notes when."""

    def __init__(self, one: Plant) -> None:
        self._database = one.database
        windows = tables.windows
        self._query = sa.select(sa.func.coalesce(sa.func.sum(windows.c.rows), 0)).where(
            windows.c.system.in_(LOADED)
        )
        self._stored = sa.select(sa.func.coalesce(sa.func.sum(tables.progress.c.rows), 0)).where(
            tables.progress.c.system.in_(LOADED)
        )
        self.seen: list[tuple[float, int]] = []

    def stored(self) -> int:
        """Return how many rows are counted in profiles."""
        with self._database.read() as c:
            return int(c.execute(self._stored).scalar_one())

    def note(self) -> int:
        """Note how many rows are in judged windows now."""
        with self._database.read() as c:
            measured = int(c.execute(self._query).scalar_one())
        self.seen.append((perf_counter(), measured))
        return measured

    def until(self, rows: int, *, measured: bool) -> float:
        """Wait until so many rows are stored, or measured; return when that was."""
        end = perf_counter() + 180
        while (self.note() if measured else self.stored()) < rows:
            if perf_counter() > end:
                raise TimeoutError(f"not {rows:,} rows within 180 seconds")
            _WAIT.wait(0.05)
        return perf_counter()

    def latencies(self, sender: Sender, first: int) -> np.ndarray:
        """Return the seconds from acceptance to measurement of each batch from `first` on.

        Rows are measured in about the order in which they were accepted, so a batch counts as
        measured when as many rows are as were accepted up to it.
        """
        when, rows = zip(*sorted(sender.accepted), strict=True)
        due = np.cumsum(rows)
        times, counts = np.array([at for at, _ in self.seen]), [n for _, n in self.seen]
        at = np.searchsorted(counts, due[first:])
        return np.asarray(times[np.minimum(at, len(times) - 1)] - np.array(when)[first:])


class Probes:
    """Windows with drift that are closed one by one, each of a system of its own."""

    def __init__(self, sender: Sender, one: Plant) -> None:
        self._sender = sender
        self._plant = one
        self._closed: dict[str, float] = {}

    def close_windows(self, seconds: float) -> None:
        """Send a drifted hour for each system, then close each hour with a row much later."""
        pause = seconds / (2 * len(PROBES))
        with Client(self._sender.url, self._sender.token) as client:
            way = OverHTTP(client)
            for name in PROBES:
                _WAIT.wait(pause)
                way.send(_drifted(name), Kind.PREDICTIONS)
            for name in PROBES:
                _WAIT.wait(pause)
                way.send(_later(name), Kind.PREDICTIONS)
                self._closed[name] = perf_counter()

    def delays(self, seconds: float = 60) -> list[float]:
        """Wait for the notifications; return the seconds from each close to its arrival."""
        end = perf_counter() + seconds
        while len(found := self._found()) < len(PROBES) and perf_counter() < end:
            _WAIT.wait(0.1)
        return sorted(found.values())

    def _found(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for at, one in self._plant.told:
            name = str(one.body["data"]["identity"]["system"])
            if name in self._closed:
                found.setdefault(name, at - self._closed[name])
        return found


def _drifted(name: str) -> pa.RecordBatch:
    rows = batch(600, 5)
    shifted = pa.array(rows.column("features.n0").to_numpy() + 3)
    ids = pa.array([f"{name}-{place}" for place in range(rows.num_rows)])
    return named(rows, **{"system": name, "id": ids, "features.n0": shifted})


def _later(name: str) -> pa.RecordBatch:
    rows = batch(1, 6)
    time = pa.array(rows.column("time").cast(pa.int64()).to_numpy() + 3 * _HOUR)
    return named(rows, system=name, id=f"{name}-end", time=time.cast(pa.timestamp("us", "UTC")))
