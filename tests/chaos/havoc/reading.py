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


class Reading:
    """A group of our own that reads some topics from the beginning to where they end now."""

    def __init__(self, reader: LogReader, topics: Sequence[str]) -> None:
        self._reader = reader
        self._topics = set(topics)
        self._next: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.records: list[Record] = []

    def join(self) -> None:
        """Wait for our share, which is everything.

        Raises
        ------
        TimeoutError
            It does not come.
        """
        clock = SystemClock()
        until = clock.monotonic() + _SECONDS
        while {at.topic for at in self.ends} != self._topics:
            if clock.monotonic() > until:
                raise TimeoutError(f"no share of {self._topics}, only {self.ends}")
            self.turn()

    def turn(self) -> None:
        """Poll once; a partition that is given again goes on where it was."""
        polled = self._reader.poll(timedelta(milliseconds=200))
        for at in sorted(polled.assigned):
            self._next.setdefault(at, self._reader.beginning(at))
            self.ends[at] = self._reader.end(at)
            self._reader.start(at, self._next[at])
        for record in polled.records:
            if record.offset >= self._next[record.at]:
                self.records.append(record)
                self._next[record.at] = record.offset + 1

    @property
    def is_done(self) -> bool:
        """Whether all is read."""
        return all(self._next[at] >= end for at, end in self.ends.items())


@contextmanager
def _reading(ground: Ground, topics: Sequence[str]) -> Iterator[Reading]:
    settings, clock = read(LogSettings, ground.env), SystemClock()
    log = open_log(settings.kafka_bootstrap, settings.log_path, clock)
    try:
        found = Reading(log.reader(f"havoc-{uuid.uuid4().hex}", topics), topics)
        found.join()
        yield found
    finally:
        log.close()


def ends(ground: Ground, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """Return where every partition of some topics ends."""
    with _reading(ground, topics) as found:
        return dict(found.ends)


def records(ground: Ground, topics: Sequence[str]) -> list[Record]:
    """Return everything in some topics, in order per partition."""
    with _reading(ground, topics) as found:
        while not found.is_done:
            found.turn()
        return found.records
