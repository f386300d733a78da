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
from watchkeeper_shared.allocation import share_one_heap
from watchkeeper_shared.eventlog.port import LogReader, Message, Record
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


def _poll(reader: LogReader, records: int, use: Callable[[Record], object]) -> None:
    """Read so many records from the beginning, and do one thing with each."""
    seen = 0
    while seen < records:
        poll = reader.poll(timedelta(seconds=1))
        for at in poll.assigned:
            reader.start(at, reader.beginning(at))
        for record in poll.records:
            use(record)
        seen += len(poll.records)


def _decode(record: Record) -> None:
    codec.decode(record.value, record.headers["content-type"])


def _joined(one: House, group: str) -> LogReader:
    """Return a reader that has read the one record that is there."""
    reader = one.log.reader(group, [PREDICTIONS.name])
    _poll(reader, 1, _decode)
    return reader


def _read(reader: LogReader, records: int, use: Callable[[Record], object]) -> Taken:
    taken = Taken.by(lambda: _poll(reader, records, use))
    reader.close()
    return taken


def _measured(name: str, one: House, messages: list[Message], rows: int) -> Iterator[Figure]:
    """Measure two that have joined and work already, on the same records."""
    first, *rest = messages
    one.feed([first])
    one.work_off()
    both, bare = _joined(one, "floor"), _joined(one, "poll")
    one.feed(rest)
    floor = _read(both, len(rest), _decode)
    polled = _read(bare, len(rest), lambda _: None)
    sent = [(message.value, message.headers["content-type"]) for message in rest]
    decoded = Taken.by(lambda: [codec.decode(*content) for content in sent])
    ours = Taken.by(one.work_off)
    rows = rows * len(rest) // len(messages)
    wall = ours.wall - POLL.total_seconds()  # the last poll waits for what never comes
    cpu = (
        f"CPU {ours.processor / rows * 1e6:.2f} us a row, of it {floor.processor / rows * 1e6:.2f}"
    )
    words = (
        f"polling and decoding alone: {rows / floor.wall:,.0f} rows/s (polling alone "
        f"{rows / polled.wall:,.0f}, decoding alone {rows / decoded.wall:,.0f}); {cpu}"
    )
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
    share_one_heap()  # as the command of the monitor does
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
