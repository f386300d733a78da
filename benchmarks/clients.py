"""The two Kafka clients side by side, both through our port and on the same broker."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from statistics import median
from time import perf_counter

from benchmarks.figure import Figure
from benchmarks.stream import batch
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.clients import KafkaClient
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import EventLog, Message, Position
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.testing.servers.kafka_server import kafka_server

CLIENTS: tuple[KafkaClient, KafkaClient] = ("confluent", "kafka-python")
ROUNDS, PARTITIONS, UNDER_WAY = 3, 2, 2_000
SINGLES, BATCHES, BATCH_ROWS = 10_000, 300, 200


def _produced(log: EventLog, messages: Sequence[Message]) -> float:
    """Return the seconds until all is durable, with so many under way as ingest allows."""
    writer = log.writer()
    writer.append(messages[0]).result()  # connected, and the topic known
    waiting: deque[Future[Position]] = deque()
    start = perf_counter()
    for message in messages:
        waiting.append(writer.append(message))
        if len(waiting) >= UNDER_WAY:
            waiting.popleft().result()
    for future in waiting:
        future.result()
    taken = perf_counter() - start
    writer.close()
    return taken


def _consumed(log: EventLog, topic: str, records: int) -> float:
    """Return the seconds from the first record to the last one."""
    reader = log.reader(f"bench-{topic}", [topic])
    seen, start = 0, 0.0
    while seen < records:
        poll = reader.poll(timedelta(seconds=1))
        for at in poll.assigned:
            reader.start(at, reader.beginning(at))
            start = start or perf_counter()
        seen += len(poll.records)
    taken = perf_counter() - start
    reader.close()
    return taken


def _values() -> Iterator[tuple[str, list[bytes], int]]:
    """Yield the encodings: their name, the values, and the rows in each."""
    row = {"id": "0" * 36, "system": "bench", "version": "1", "prediction": 1, "score": 0.5}
    row |= {"features": {f"f{i}": i / 7 for i in range(12)}}
    yield "json", [json.dumps(row | {"seq": i}).encode() for i in range(SINGLES)], 1
    packed = to_bytes(batch(BATCH_ROWS, 5))
    yield "arrow", [packed] * BATCHES, BATCH_ROWS


def figures() -> Iterator[Figure]:
    """Yield how many times as fast the optional client is, at each task."""
    with kafka_server(os.environ) as bootstrap:  # noqa: TID251 - the edge of a command
        logs = {name: KafkaLog(bootstrap, SystemClock(), client=name) for name in CLIENTS}
        for encoding, values, rows in _values():
            yield from _compared(logs, encoding, values, rows)
        for log in logs.values():
            log.close()


def _compared(
    logs: dict[KafkaClient, KafkaLog], encoding: str, values: list[bytes], rows: int
) -> Iterator[Figure]:
    """Measure both in turns, so that a noisy minute hits both."""
    wrote: dict[KafkaClient, list[float]] = {name: [] for name in CLIENTS}
    read: dict[KafkaClient, list[float]] = {name: [] for name in CLIENTS}
    for turn in range(ROUNDS):
        for name in CLIENTS:
            topic = f"{encoding}-{name}-{turn}"
            logs[name].create_topics({topic: PARTITIONS})
            messages = [Message(topic, f"k{i % 50}", one) for i, one in enumerate(values)]
            wrote[name].append(_produced(logs[name], messages))
            read[name].append(_consumed(logs[name], topic, len(values) + 1))
    for task, taken in (("produce", wrote), ("consume", read)):
        mine, theirs = (median(taken[name]) for name in CLIENTS)
        total = rows * len(values)
        words = (
            f"{total / mine:,.0f} against {total / theirs:,.0f} rows/s of kafka-python;"
            f" {len(values):,} records of {len(values[0]):,} bytes"
        )
        yield Figure(f"confluent_vs_kafka_python_{task}_{encoding}", theirs / mine, "x", words)
