"""The reading side of Kafka: one member of one consumer group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Lock

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, NotFound, OffsetGone
from watchkeeper_shared.eventlog.clients import Consumer
from watchkeeper_shared.eventlog.kafka_failures import Lost
from watchkeeper_shared.eventlog.kafka_watch import Watch
from watchkeeper_shared.eventlog.port import Poll, Record, TopicPartition

# How long a change of the assignment may wait for its poll to return.
SLICE_MS = 100


class Changes:
    """What the group gave and took since the last poll; written by the client's thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._assigned: set[TopicPartition] = set()
        self._lost: set[TopicPartition] = set()

    def given(self, partitions: frozenset[TopicPartition]) -> None:
        """Note new partitions."""
        with self._lock:
            self._assigned |= partitions

    def taken(self, partitions: frozenset[TopicPartition]) -> None:
        """Note partitions that went; what came and went between two polls is not told."""
        with self._lock:
            self._lost |= partitions
            self._assigned -= partitions

    def collect(self) -> tuple[frozenset[TopicPartition], frozenset[TopicPartition]]:
        """Return what was given and what was taken, and forget it."""
        with self._lock:
            answer = frozenset(self._assigned), frozenset(self._lost)
            self._assigned, self._lost = set(), set()
        return answer


class KafkaReader:
    """A `LogReader` on Kafka.

    Parameters
    ----------
    consumer
        The client; not subscribed yet.
    topics
        What to read.
    clock
        For the deadline of a poll.
    topic_id
        Looks up the identity of a topic.
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: Sequence[str],
        clock: Clock,
        topic_id: Callable[[str], str],
    ) -> None:
        self._consumer = consumer
        self._clock = clock
        self._topic_id = topic_id
        self._changes = Changes()
        self._ours: set[TopicPartition] = set()
        self._flowing: set[TopicPartition] = set()
        self._overtaken: dict[TopicPartition, int] = {}
        self._watch = Watch(consumer, clock)
        self.closed = False
        consumer.subscribe(topics, self._changes.given, self._changes.taken)

    def poll(self, timeout: timedelta) -> Poll:
        """Poll in slices, so that a new assignment does not wait for records."""
        until = self._clock.monotonic() + timeout.total_seconds()
        while True:
            left = until - self._clock.monotonic()
            records = self._take(max(0, min(SLICE_MS, round(left * 1000))))
            assigned, lost = self._changes.collect()
            self._ours = (self._ours - lost) | assigned
            self._flowing -= lost | assigned
            self._overtaken = {at: n for at, n in self._overtaken.items() if at not in lost}
            # What was fetched before a change of hands belongs to nobody here.
            records = [record for record in records if record.at in self._flowing]
            self._watch.polled(self._flowing, len(records))
            if records or assigned or lost:
                return Poll(tuple(records), assigned, lost)
            if left <= 0:
                return Poll(reached=self._reached())

    def _reached(self) -> dict[TopicPartition, int]:
        found = {at: self._consumer.position(at) for at in self._flowing}
        return {at: offset for at, offset in found.items() if offset is not None}

    def _take(self, milliseconds: int) -> list[Record]:
        if self._overtaken:
            raise self._gone(*self._overtaken.popitem())
        try:
            return self._consumer.poll(milliseconds)
        except Lost as lost:
            # The client would raise at every poll from now on. The first poll that has
            # nothing else to tell reports one of them.
            for at in lost.positions:
                self._flowing.discard(at)
                self._consumer.halt(at)
            self._overtaken.update(lost.positions)
            return []

    def _gone(self, at: TopicPartition, offset: int) -> OffsetGone:
        beginning, end = self._consumer.bounds(at)
        return OffsetGone(at.topic, at.partition, offset, beginning=beginning, end=end)

    def start(self, at: TopicPartition, offset: int) -> None:
        """Check the offset against what the broker holds, seek and let flow."""
        if at not in self._ours:
            raise NotFound(f"{at} is not assigned to this reader: start what a poll has assigned")
        beginning, end = self._consumer.bounds(at)
        if not beginning <= offset <= end:
            self._flowing.discard(at)
            self._consumer.halt(at)
            raise OffsetGone(at.topic, at.partition, offset, beginning=beginning, end=end)
        self._overtaken.pop(at, None)
        self._consumer.flow(at, offset)
        self._flowing.add(at)

    def halt(self, at: TopicPartition) -> None:
        """Pause it at the client, which then fetches nothing of it."""
        if at in self._flowing:
            self._flowing.discard(at)
            self._consumer.halt(at)

    def beginning(self, at: TopicPartition) -> int:
        """Ask the broker for the oldest offset."""
        return self._consumer.bounds(at)[0]

    def end(self, at: TopicPartition) -> int:
        """Ask the broker for the next offset."""
        return self._consumer.bounds(at)[1]

    def topic_id(self, topic: str) -> str:
        """Ask the broker for the topic's id."""
        return self._topic_id(topic)

    def report(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit to the group; an answer is not waited for, a failure not told."""
        # For lag tools only; the truth is stored with the state.
        with suppress(LogUnavailable):
            self._consumer.commit(positions)

    def close(self) -> None:
        """Leave the group."""
        if self.closed:
            return
        self.closed = True
        # The broker notices by itself that we are gone.
        with suppress(LogUnavailable):
            self._consumer.close()
