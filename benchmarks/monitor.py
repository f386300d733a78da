"""Rows per second of the whole monitor: read, decode, check, fold, store, judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter, process_time

from benchmarks.figure import Figure
from benchmarks.house import POLL, House, arrow, house, singles
from benchmarks.stream import batch
from watchkeeper_shared.eventlog.port import LogReader, Message
from watchkeeper_shared.events import codec
from watchkeeper_shared.testing.servers.kafka_server import kafka_server
from watchkeeper_shared.testing.servers.postgres_server import fresh_database, postgres_server
from watchkeeper_shared.topics import PREDICTIONS

BATCH_ROWS, BATCHES, SINGLES = 1_000, 600, 20_000


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds by the clock on the wall, and of this process on a processor."""

    wall: float
    processor: float

    @classmethod
    def by(cls, work: Callable[[], object]) -> Taken:
        """Return what some work takes."""
        wall, processor = perf_counter(), process_time()
        work()
        return cls(perf_counter() - wall, process_time() - processor)


def _poll_and_decode(reader: LogReader, records: int) -> None:
    """Only read and decode so many records: the floor."""
    seen = 0
    while seen < records:
        poll = reader.poll(timedelta(seconds=1))
        for at in poll.assigned:
            reader.start(at, reader.beginning(at))
        for record in poll.records:
            codec.decode(record.value, record.headers["content-type"])
        seen += len(poll.records)


def _measured(name: str, one: House, messages: list[Message], rows: int) -> Iterator[Figure]:
    """Measure two that have joined and work already, on the same records."""
    first, *rest = messages
    one.feed([first])
    one.work_off()
    reader = one.log.reader("floor", [PREDICTIONS.name])
    _poll_and_decode(reader, 1)
    one.feed(rest)
    floor = Taken.by(lambda: _poll_and_decode(reader, len(rest)))
    reader.close()
    ours = Taken.by(one.work_off)
    rows = rows * len(rest) // len(messages)
    wall = ours.wall - POLL.total_seconds()  # the last poll waits for what never comes
    cpu = (
        f"CPU {ours.processor / rows * 1e6:.2f} us a row, of it {floor.processor / rows * 1e6:.2f}"
    )
    words = f"polling and decoding alone: {rows / floor.wall:,.0f} rows/s; {cpu}"
    yield Figure(f"monitor_{name}_rows_per_s", rows / wall, "rows/s", words)
    yield Figure(f"monitor_vs_decode_{name}", floor.wall / wall, "x", "share of the floor's rows/s")
    share = floor.processor / ours.processor
    yield Figure(f"monitor_vs_decode_cpu_{name}", share, "x", "the same, by processor time")


def _feed(encoding: str) -> tuple[list[Message], int]:
    """Return the records of one encoding, and how many rows they hold."""
    if encoding == "json":
        return singles(batch(SINGLES, 7), "s"), SINGLES
    found = [arrow(batch(BATCH_ROWS, seed), f"a{seed}") for seed in range(BATCHES)]
    return found, BATCH_ROWS * BATCHES


def figures() -> Iterator[Figure]:
    """Yield the figures of the embedded log, of PostgreSQL, and of a real Kafka of our own.

    The names without a log are Kafka's.
    """
    for encoding in ("arrow", "json"):
        with house(None) as one:
            yield from _measured(f"embedded_{encoding}", one, *_feed(encoding))
    with (
        postgres_server(os.environ) as server,  # noqa: TID251 - the edge of a command
        fresh_database(server) as url,
        house(None, url) as one,
    ):
        yield from _measured("postgres_arrow", one, *_feed("arrow"))
    for encoding in ("arrow", "json"):
        # A broker that holds nothing else.
        with (
            kafka_server(os.environ) as bootstrap,  # noqa: TID251 - the edge of a command
            house(bootstrap) as one,
        ):
            yield from _measured(encoding, one, *_feed(encoding))
