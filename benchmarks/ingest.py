"""What ingest keeps of the throughput of the least that an ingest can do, body by body.

Both are the same FastAPI and uvicorn in a process of their own, on one Kafka, in turns. The
other one (`benchmarks/plain_ingest.py`) only decodes, validates and waits for the bare client.
The sender writes bytes that were made before, so that nearly all time is the servers'.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec
import pyarrow as pa

from benchmarks.figure import Figure
from benchmarks.house import event
from benchmarks.loading import named
from benchmarks.plant import LOADED, Plant, plant
from benchmarks.stream import batch
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.events.codec import ARROW, JSON, NDJSON

ROUNDS, WARM_SECONDS, SECONDS = 3, 0.5, 2.0
_TICKS = os.sysconf("SC_CLK_TCK")

OURS: tuple[str, ...] = ("watchkeeper", "ingest")
PLAIN: tuple[str, ...] = ("benchmarks.plain_ingest",)


@dataclass(frozen=True, slots=True)
class Body:
    """One kind of request.

    Parameters
    ----------
    content_type, encode
        What it is, and how rows become one.
    rows
        How many events are in a request.
    clients
        How many connections send at once; enough for the slower side to be busy throughout.
    """

    content_type: str
    encode: Callable[[pa.RecordBatch], bytes]
    rows: int
    clients: int


def _single(rows: pa.RecordBatch) -> bytes:
    return msgspec.json.encode(event(rows.to_pylist()[0]))


def _array(rows: pa.RecordBatch) -> bytes:
    return msgspec.json.encode([event(row) for row in rows.to_pylist()])


def _lines(rows: pa.RecordBatch) -> bytes:
    return b"\n".join(msgspec.json.encode(event(row)) for row in rows.to_pylist())


BODIES = {
    "single": Body(JSON, _single, 1, 64),
    "array": Body(JSON, _array, 100, 16),
    "lines": Body(NDJSON, _lines, 1_000, 4),
    "arrow": Body(ARROW, to_bytes, 1_000, 4),
}


@dataclass(slots=True)
class Side:
    """What one of the two did with one kind of body: rows per second, CPU seconds per row."""

    rates: list[float]
    costs: list[float]


def figures() -> Iterator[Figure]:
    """Yield the ratio for each kind of body."""
    with plant(2) as one:
        for name, body in BODIES.items():
            yield from _compared(one, name, body)


def _compared(one: Plant, name: str, body: Body) -> Iterator[Figure]:
    sides = {command: Side([], []) for command in (OURS, PLAIN)}
    # Different ids in what is under way at once, as from real senders.
    made = [
        body.encode(named(batch(body.rows, number), system=LOADED[number % len(LOADED)]))
        for number in range(max(len(LOADED), 2 * body.clients))
    ]
    for _ in range(ROUNDS):
        for command, side in sides.items():
            url, pid = one.start(*command)
            _flood(url, one.token, body, made, WARM_SECONDS)
            before = _cpu(pid)
            rate, rows = _flood(url, one.token, body, made, SECONDS)
            side.rates.append(rate)
            side.costs.append((_cpu(pid) - before) / rows)
            one.stop()
    ours, plain = sides[OURS], sides[PLAIN]
    words = (
        f"{median(ours.rates):,.0f} against {median(plain.rates):,.0f} rows/s of an app that only"
        f" validates and sends; {body.rows:,} rows a request from {body.clients} connections"
    )
    yield Figure(f"ingest_{name}_vs_plain", median(ours.rates) / median(plain.rates), "x", words)
    mine, theirs = median(ours.costs), median(plain.costs)
    words = f"CPU seconds per million rows: {1e6 * mine:,.1f} against {1e6 * theirs:,.1f}"
    yield Figure(f"ingest_{name}_cpu_vs_plain", theirs / mine, "x", words)


def _flood(
    url: str, token: str, body: Body, made: list[bytes], seconds: float
) -> tuple[float, int]:
    """Send as fast as the answers come; return rows per second, and how many rows."""
    head = {"Authorization": f"Bearer {token}", "Content-Type": body.content_type}
    began = perf_counter()

    def until_the_end(first: int) -> int:
        sent = 0
        with closing(HTTPConnection(url.removeprefix("http://"))) as connection:
            while perf_counter() < began + seconds:
                one = made[(first + sent * body.clients) % len(made)]
                connection.request("POST", "/v1/predictions", one, head)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status != 202:
                    raise RuntimeError(f"{answer.status}: {said[:300]!r}")
                sent += 1
        return sent

    with ThreadPoolExecutor(body.clients) as pool:
        rows = sum(pool.map(until_the_end, range(body.clients))) * body.rows
    return rows / (perf_counter() - began), rows


def _cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS
