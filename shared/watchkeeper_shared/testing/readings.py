"""Reading an event log in tests the way the services do: with positions of one's own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.port import EventLog, Record, TopicPartition

PATIENCE = 30.0
SLICE = timedelta(seconds=0.2)


def fresh(word: str) -> str:
    """Return a name that no other test uses."""
    return f"{word}-{secrets.token_hex(4)}"


class Reading:
    """A reader with a caller that keeps positions, as the services do.

    A group may rebalance at any time, so partitions that come back start where they were.

    Parameters
    ----------
    log, topics
        What is read, in a group that nobody else is in.
    offset
        Where each partition starts; its beginning if left out.
    """

    def __init__(self, log: EventLog, *topics: str, offset: int | None = None) -> None:
        self.reader = log.reader(fresh("group"), topics)
        self.positions: dict[TopicPartition, int] = {}
        self.ours: set[TopicPartition] = set()
        self.halted: set[TopicPartition] = set()
        self._offset = offset
        self._early: list[Record] = []

    def poll(self) -> Sequence[Record]:
        poll = self.reader.poll(SLICE)
        self.ours = (self.ours - poll.lost) | poll.assigned
        for at in poll.assigned - self.halted:
            first = self.reader.beginning(at) if self._offset is None else self._offset
            self.start(at, self.positions.get(at, first))
        for record in poll.records:
            self.positions[record.at] = record.offset + 1
        self.positions.update(poll.reached)
        return poll.records

    def halt(self, at: TopicPartition) -> None:
        """Stop a partition, also over a rebalance, until it is started again."""
        self.halted.add(at)
        self.reader.halt(at)

    def start(self, at: TopicPartition, offset: int) -> None:
        self.halted.discard(at)
        self.positions[at] = offset
        self.reader.start(at, offset)

    def begin(self, count: int) -> set[TopicPartition]:
        """Poll until so many partitions flow."""
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        while len(self.ours) != count:
            assert clock.monotonic() < until, f"assigned: {self.ours}, not {count}"
            self._early += self.poll()
        return self.ours

    def drain(self, count: int) -> list[Record]:
        """Poll until so many records came."""
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        records, self._early = self._early, []
        while len(records) < count:
            assert clock.monotonic() < until, f"{len(records)} records came, not {count}"
            records += self.poll()
        return records
