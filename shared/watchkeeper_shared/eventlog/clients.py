"""What our Kafka log needs of a client library."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, TypeAlias

from watchkeeper_shared.errors import WatchkeeperError
from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.port import Message, Position, Record, TopicPartition

KafkaClient: TypeAlias = Literal["kafka-python", "confluent"]

SESSION = timedelta(seconds=15)
"""How long a reader may be silent before others get its partitions, unless set."""

Told: TypeAlias = Callable[[frozenset[TopicPartition]], None]
"""Hears of partitions that were given or taken, perhaps on another thread."""


Outcome: TypeAlias = Callable[[Position | WatchkeeperError], None]
"""Hears where a message is, or why it is not there, perhaps on another thread."""


class Producer(Protocol):
    """Appends; dropped for good when a deadline passes."""

    def prime(self, topic: str) -> None:
        """Learn where a topic is; may block.

        Raises
        ------
        LogUnavailable
            It could not be learnt.
        """
        ...

    def send(self, message: Message, told: Outcome) -> None:
        """Hand one message to the client; may block on metadata.

        Raises
        ------
        LogUnavailable
            The client did not take it; `told` is not called.
        """
        ...

    def close(self, seconds: float) -> None:
        """Send what is there within so many seconds, then let go."""
        ...


class Consumer(Protocol):
    """Reads as one member of a group; every call raises `LogUnavailable` and no other."""

    def subscribe(self, topics: Sequence[str], given: Told, taken: Told) -> None:
        """Ask for a share of the topics; what is given does not flow before `flow`."""
        ...

    def poll(self, milliseconds: int) -> list[Record]:
        """Return what came; raise `Lost` for positions that the broker does not hold."""
        ...

    def flow(self, at: TopicPartition, offset: int) -> None:
        """Read on at this offset."""
        ...

    def halt(self, at: TopicPartition) -> None:
        """Read no more of this partition."""
        ...

    def bounds(self, at: TopicPartition) -> tuple[int, int]:
        """Return the oldest offset and the next one."""
        ...

    def standing(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return how far the client is and where the log ends, where both are known."""
        ...

    def position(self, at: TopicPartition) -> int | None:
        """Return what comes next of a partition that flows, past what is delivered to nobody."""
        ...

    def joined(self) -> bool:
        """Return whether the group has taken us in, and no rebalance is under way."""
        ...

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit for lag tools, without waiting for the answer."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class Admin(Protocol):
    """Asks about topics, creates and deletes them."""

    def topic_ids(self, topics: Sequence[str] | None = None) -> Mapping[str, str]:
        """Return the id of each topic that exists; the same text from every client."""
        ...

    def create(self, partitions: Mapping[str, int], configs: Mapping[str, str]) -> None:
        """Create topics; one that exists already stays as it is."""
        ...

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Clients:
    """What one library gives; each call connects.

    Parameters
    ----------
    producer, consumer, admin
        Raise `LogRefused` where the brokers refuse us and `LogUnavailable` where they are away.
    """

    producer: Callable[[Access], Producer]
    consumer: Callable[[Access, str, timedelta], Consumer]
    admin: Callable[[Access], Admin]
