"""What is in the log, read by the driver itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from havoc.ground import Ground
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.opening import open_log
from watchkeeper_shared.eventlog.port import LogReader, Record, TopicPartition
from watchkeeper_shared.settings import LogSettings, read

_SECONDS = 30.0


@contextmanager
def _reader(
    ground: Ground, topics: Sequence[str]
) -> Iterator[tuple[LogReader, dict[TopicPartition, int]]]:
    """Join a group of our own, and yield the reader with the end of each partition."""
    settings, clock = read(LogSettings, ground.env), SystemClock()
    log = open_log(settings.kafka_bootstrap, settings.log_path, clock)
    try:
        reader = log.reader(f"havoc-{uuid.uuid4().hex}", topics)
        ours: set[TopicPartition] = set()
        until = clock.monotonic() + _SECONDS
        while {at.topic for at in ours} != set(topics):
            if clock.monotonic() > until:
                raise TimeoutError(f"no share of {topics} within {_SECONDS} s, only {ours}")
            polled = reader.poll(timedelta(milliseconds=200))
            ours = (ours - polled.lost) | polled.assigned
        yield reader, {at: reader.end(at) for at in sorted(ours)}
        reader.close()
    finally:
        log.close()


def ends(ground: Ground, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """Return where every partition of some topics ends."""
    with _reader(ground, topics) as (_, found):
        return found


def records(ground: Ground, topics: Sequence[str]) -> list[Record]:
    """Return everything in some topics, in order per partition."""
    found: list[Record] = []
    with _reader(ground, topics) as (reader, to):
        for at in to:
            reader.start(at, reader.beginning(at))
        left = sum(to.values()) - sum(reader.beginning(at) for at in to)
        while len(found) < left:
            found += reader.poll(timedelta(seconds=1)).records
    return found
