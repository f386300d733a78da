"""Rows per second of the whole monitor: read, decode, check, fold, store, judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import perf_counter

from benchmarks.figure import Figure
from benchmarks.house import House, arrow, house, singles
from benchmarks.stream import batch
from watchkeeper_shared.eventlog.port import EventLog, Message
from watchkeeper_shared.events import codec
from watchkeeper_shared.testing.servers.kafka_server import kafka_server
from watchkeeper_shared.testing.servers.postgres_server import fresh_database, postgres_server
from watchkeeper_shared.topics import PREDICTIONS

BATCH_ROWS, BATCHES, SINGLES = 1_000, 600, 20_000


def _polled_and_decoded(log: EventLog, records: int) -> float:
    """Return the seconds of only reading and decoding what the log holds: the floor."""
    reader = log.reader("floor", [PREDICTIONS.name])
    seen, start = 0, perf_counter()
    while seen < records:
        poll = reader.poll(timedelta(seconds=1))
        for at in poll.assigned:
            reader.start(at, reader.beginning(at))
        for record in poll.records:
            codec.decode(record.value, record.headers["content-type"])
        seen += len(poll.records)
    taken = perf_counter() - start
    reader.close()
    return taken


def _measured(name: str, one: House, messages: list[Message], rows: int) -> Iterator[Figure]:
    one.feed(messages)
    floor = _polled_and_decoded(one.log, len(messages))
    start = perf_counter()
    one.work_off()
    taken = perf_counter() - start
    words = f"{rows:,} rows; polling and decoding alone: {rows / floor:,.0f} rows/s"
    yield Figure(f"monitor_{name}_rows_per_s", rows / taken, "rows/s", words)
    yield Figure(f"monitor_vs_decode_{name}", floor / taken, "x", "share of the floor's rows/s")


def _arrow() -> list[Message]:
    return [arrow(batch(BATCH_ROWS, seed), f"a{seed}") for seed in range(BATCHES)]


def _all_on(kafka: str | None, log: str) -> Iterator[Figure]:
    feeds: dict[str, tuple[Callable[[], list[Message]], int]] = {
        "arrow": (
            _arrow,
            BATCH_ROWS * BATCHES,
        ),
        "json": (lambda: singles(batch(SINGLES, 7), "s"), SINGLES),
    }
    for encoding, (make, rows) in feeds.items():
        with house(kafka) as one:
            yield from _measured(f"{log}_{encoding}", one, make(), rows)


def figures() -> Iterator[Figure]:
    """Yield the figures of the embedded log, of PostgreSQL, and of a real Kafka of our own."""
    yield from _all_on(None, "embedded")
    with (
        postgres_server(os.environ) as server,  # noqa: TID251 - the edge of a command
        fresh_database(server) as url,
        house(None, url) as one,
    ):
        yield from _measured("postgres_arrow", one, _arrow(), BATCH_ROWS * BATCHES)
    for encoding in ("arrow", "json"):
        with kafka_server(os.environ) as bootstrap:  # noqa: TID251 - the edge of a command
            yield from _one_on_kafka(bootstrap, encoding)


def _one_on_kafka(bootstrap: str, encoding: str) -> Iterator[Figure]:
    """Measure one encoding on a broker that holds nothing else."""
    with house(bootstrap) as one:
        if encoding == "arrow":
            yield from _measured("kafka_arrow", one, _arrow(), BATCH_ROWS * BATCHES)
        else:
            yield from _measured("kafka_json", one, singles(batch(SINGLES, 7), "s"), SINGLES)
