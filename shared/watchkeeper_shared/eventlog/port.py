"""The event log as the services see it: what is promised, and what may be raised.

Words
-----
A *position* is always the next offset to read, never the last one read. Positions live
with the state that was made from the records (see `db.positions`), not in the log, so a
reader delivers nothing from a partition until its caller says where to start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

MAX_RECORD_BYTES = 8 << 20
"""Key and value of one message together; every adapter takes this much and refuses more."""


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One ordered sequence of records."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Return what people call it."""
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Message:
    """A record that is about to be appended.

    Parameters
    ----------
    topic, key, value
        Where it goes, what orders it (same key, same partition), and its bytes.
    headers
        UTF-8 text by name; CloudEvents attributes in binary mode.
    """

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read back. `key` may be absent when others write the topic."""

    at: TopicPartition
    offset: int
    key: str | None
    value: bytes
    headers: Mapping[str, str]
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """Where an appended message ended up; its existence means it is durable."""

    at: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought.

    Parameters
    ----------
    records
        In order per partition; only of partitions that were started with `start`.
    assigned
        Partitions that became ours since the last poll and wait for `start`.
    lost
        Partitions that are no longer ours; drop what was read and not yet flushed. A
        partition in both was taken away and given back in between: first drop, then start.
    reached
        Where reading is, told of partitions that flow when nothing else is told. Between the
        last record and there is nothing that anybody is given, such as the end of a transaction.
    """

    records: Sequence[Record] = ()
    assigned: frozenset[TopicPartition] = frozenset()
    lost: frozenset[TopicPartition] = frozenset()
    reached: Mapping[TopicPartition, int] = field(default_factory=dict)


class LogWriter(Protocol):
    """Append messages. Safe to call from several threads."""

    def append(self, message: Message) -> Future[Position]:
        """Hand over one message; never blocks on the network.

        The future resolves once the message is durable (all in-sync replicas, or a
        synchronous commit of the embedded log). Messages of one key keep their order.
        The writer gives each message its own deadline: when it passes, the future fails
        with `LogUnavailable`, and the message may or may not be in the log. It fails with
        `LogUnavailable` too if the topic does not exist, if too many bytes wait already, or
        if the writer is closed; and with `PermanentError` over `MAX_RECORD_BYTES`.
        """
        ...

    def close(self) -> None:
        """Send what is buffered, within the deadline, and let go. Idempotent."""
        ...


class LogReader(Protocol):
    """Read topics as one member of a consumer group. One thread at a time.

    Every partition of the topics belongs to at most one live member, apart from short
    hand-overs, so what is made from the records must be fenced where it is stored.
    """

    def poll(self, timeout: timedelta) -> Poll:
        """Return what is there, waiting at most `timeout` for something.

        Raises
        ------
        LogUnavailable
            The log cannot be reached now. Positions are unchanged; close this reader
            and open another one after a pause.
        OffsetGone
            Retention overtook a partition. It delivers nothing until it is started again,
            the others go on; this reader stays usable.
        """
        ...

    def start(self, at: TopicPartition, offset: int) -> None:
        """Deliver `at` from `offset` on. Also moves a partition that already flows.

        Raises
        ------
        OffsetGone
            The log does not hold `offset`: it is before `beginning` (retention) or after
            `end` (another topic of that name). Nothing is delivered until a start succeeds.
        NotFound
            The partition is not assigned to this reader, or not any more.
        """
        ...

    def halt(self, at: TopicPartition) -> None:
        """Deliver nothing more of `at` until it is started again; it stays ours.

        Does nothing for a partition that is not ours. A poll that returned before may hold
        records of it.
        """
        ...

    def beginning(self, at: TopicPartition) -> int:
        """Return the oldest offset still kept; it moves with retention."""
        ...

    def end(self, at: TopicPartition) -> int:
        """Return the offset that the next appended record will get."""
        ...

    def topic_id(self, topic: str) -> str:
        """Return the identity of the topic; it differs after deletion and re-creation."""
        ...

    def report(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell lag tools how far we are. Best effort; never the truth, never raises."""
        ...

    def close(self) -> None:
        """Leave the group at once. Idempotent."""
        ...


class EventLog(Protocol):
    """A log: where writers and readers come from."""

    def writer(self, topics: Sequence[str] = ()) -> LogWriter:
        """Open a writer; what must be known to write `topics` is asked for at once.

        It is asked in the background, so that the first message need not wait for it.
        """
        ...

    def reader(self, group: str, topics: Sequence[str]) -> LogReader:
        """Join `group` and read `topics`."""
        ...

    def create_topics(self, partitions: Mapping[str, int], compacted: Collection[str] = ()) -> None:
        """Create the topics that are missing, with so many partitions each. Idempotent.

        Of those in `compacted` the newest record of each key is kept for good.
        """
        ...

    def ping(self) -> None:
        """Return if the log answers.

        Raises
        ------
        LogUnavailable
            It does not.
        """
        ...

    def close(self) -> None:
        """Let go of everything that was opened here. Idempotent."""
        ...
