"""The home of kafka-python: its types, its calls, its errors.

The client has traps that were reproduced against a real broker; each detour here names the
one it avoids. How its clients are built is in `kafka_network`, with what settings in
`kafka_settings`; what is done with them in `kafka_reader`, `kafka_writer` and `kafka_log`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import kafka
from kafka import errors as refusals
from kafka.codec import has_lz4, has_zstd
from kafka.coordinator.base import MemberState
from kafka.record import util as record_util

from watchkeeper_shared.errors import ConfigError, PermanentError, WatchkeeperError
from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.clients import Outcome
from watchkeeper_shared.eventlog.instants import nearest
from watchkeeper_shared.eventlog.kafka_bombs import defuse
from watchkeeper_shared.eventlog.kafka_failures import Lost, translated, unavailable
from watchkeeper_shared.eventlog.kafka_headers import tolerate
from watchkeeper_shared.eventlog.kafka_joining import hold_answers, keep_joining
from watchkeeper_shared.eventlog.kafka_network import built
from watchkeeper_shared.eventlog.kafka_settings import CONSUMER, PRODUCER, REQUEST_MS, silence
from watchkeeper_shared.eventlog.port import Message, Position, Record, TopicPartition


def require_codecs() -> None:
    """Refuse to run where a record could not be read, or only at a tenth of the speed.

    Raises
    ------
    ConfigError
        A compression or checksum package is missing.
    """
    present = {"crc32c": record_util.crc32c_c is not None, "lz4": has_lz4(), "zstd": has_zstd()}
    missing = sorted(name for name, there in present.items() if not there)
    if missing:
        raise ConfigError(
            f"kafka-python lacks {', '.join(missing)}: install kafka-python[crc32c,lz4,zstd]"
        )


def theirs(at: TopicPartition) -> Any:
    """Return the client's name of a partition."""
    return kafka.TopicPartition(at.topic, at.partition)


def ours(at: Any) -> TopicPartition:
    """Return our name of a partition."""
    return TopicPartition(at.topic, at.partition)


class Producer:
    """A client that appends; it is dropped for good when a deadline passes.

    After an outage longer than its delivery timeout the idempotent producer of kafka-python
    3.0 never sends again, and what it holds never expires.
    """

    def __init__(self, access: Access) -> None:
        self._bootstrap = access.bootstrap
        self._client = built(kafka.KafkaProducer, access, **PRODUCER)

    def prime(self, topic: str) -> None:
        """Let the client look for a topic."""
        with translated(self._bootstrap, f"say where {topic} is"):
            self._client.partitions_for(topic)

    def send(self, message: Message, told: Outcome) -> None:
        """Hand one message to the client; may block on metadata, so call it on a thread."""
        with translated(self._bootstrap, f"append to {message.topic}"):
            headers = [(name, text.encode()) for name, text in message.headers.items()]
            future = self._client.send(
                message.topic, key=message.key.encode(), value=message.value, headers=headers
            )
        # One object for each message: there are many, and the garbage collector walks them all.
        future.add_both(partial(self._settle, message.topic, len(message.value), told))

    def _settle(self, topic: str, size: int, told: Outcome, answer: Any) -> None:
        if isinstance(answer, BaseException):
            told(self._judge(topic, size, answer))
        else:
            told(Position(ours(answer), answer.offset))

    def close(self, seconds: float) -> None:
        """Send what is there within so many seconds, then stop the client's thread."""
        try:
            self._client.flush(timeout=seconds)
        except refusals.KafkaTimeoutError:
            # A wedged producer ends only by force, which the client's close() does not
            # reach: it gives up in flush().
            self._client._sender.force_close()  # noqa: SLF001
        self._client.close(timeout=REQUEST_MS / 1000)

    def _judge(self, topic: str, size: int, error: BaseException) -> WatchkeeperError:
        too_large = (refusals.MessageSizeTooLargeError, refusals.RecordListTooLargeError)
        if isinstance(error, too_large):
            return PermanentError(
                f"the broker refuses a record of {size} bytes on {topic}:"
                " raise max.message.bytes of the topic or send smaller batches"
            )
        return unavailable(self._bootstrap, f"append to {topic}", error)


class _Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what changed, on the client's I/O thread, where nothing may block."""

    def __init__(
        self,
        consumer: Any,
        given: Callable[[frozenset[TopicPartition]], None],
        taken: Callable[[frozenset[TopicPartition]], None],
    ) -> None:
        self._consumer = consumer
        self._given = given
        self._taken = taken

    def on_partitions_assigned(self, assigned: Any) -> None:
        # Paused at a made-up position: without one the client would look for a committed
        # offset and raise, and without the pause it would deliver before `start`.
        self._consumer.pause(*assigned)
        for at in assigned:
            self._consumer.seek(at, 0)
        self._given(frozenset(map(ours, assigned)))

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._taken(frozenset(map(ours, revoked)))


class Consumer:
    """A client that reads as one member of a group."""

    def __init__(self, access: Access, group: str, session: timedelta) -> None:
        self._bootstrap = access.bootstrap
        settings = CONSUMER | silence(session)
        defuse()
        tolerate()
        self._client = built(kafka.KafkaConsumer, access, **settings, group_id=group)
        hold_answers(self._client._coordinator)  # noqa: SLF001 - no public way

    def subscribe(
        self,
        topics: Sequence[str],
        given: Callable[[frozenset[TopicPartition]], None],
        taken: Callable[[frozenset[TopicPartition]], None],
    ) -> None:
        """Ask for a share of the topics; `given` and `taken` hear of it on another thread."""
        with translated(self._bootstrap, "join a group"):
            # A member that leads the group before it knows the topics assigns nothing, and
            # does not notice until its metadata is METADATA_MS old.
            for topic in topics:
                self._client.partitions_for_topic(topic)
            self._client.subscribe(list(topics), listener=_Listener(self._client, given, taken))

    def poll(self, milliseconds: int) -> list[Record]:
        """Return what came; raise `Lost` for positions that the broker does not hold."""
        with translated(self._bootstrap, "be read"):
            keep_joining(self._client._coordinator)  # noqa: SLF001 - no public way
            try:
                batches = self._client.poll(timeout_ms=milliseconds)
            except refusals.OffsetOutOfRangeError as gone:
                asked = next(arg for arg in gone.args if isinstance(arg, dict))
                raise Lost({ours(at): offset for at, offset in asked.items()}) from gone
            except refusals.LogTruncationError as gone:
                asked = {at: self._client.position(at) for at in gone.divergent_offsets}
                raise Lost({ours(at): offset for at, offset in asked.items()}) from gone
            return [_record(raw) for batch in batches.values() for raw in batch]

    def flow(self, at: TopicPartition, offset: int) -> None:
        """Read on at this offset."""
        with translated(self._bootstrap, f"start {at}"):
            self._client.seek(theirs(at), offset)
            self._client.resume(theirs(at))

    def halt(self, at: TopicPartition) -> None:
        """Read no more of this partition."""
        with translated(self._bootstrap, f"pause {at}"):
            self._client.pause(theirs(at))

    def bounds(self, at: TopicPartition) -> tuple[int, int]:
        """Return the oldest offset and the next one."""
        name = theirs(at)
        with translated(self._bootstrap, f"say what {at} holds"):
            first = self._client.beginning_offsets([name], timeout_ms=REQUEST_MS)[name]
            end = self._client.end_offsets([name], timeout_ms=REQUEST_MS)[name]
        return first, end

    def standing(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return how far the client is and where the log ends."""
        names = [theirs(at) for at in partitions]
        if not names:
            return {}
        with translated(self._bootstrap, "say where its log ends"):
            ends = self._client.end_offsets(names, timeout_ms=REQUEST_MS)
            found = {name: self._client.position(name, timeout_ms=REQUEST_MS) for name in names}
        return {ours(at): (n, ends[at]) for at, n in found.items() if n is not None}

    def position(self, at: TopicPartition) -> int | None:
        """Return what the client would deliver next."""
        # The public way may ask the broker, and raises while partitions change hands.
        state = self._client._subscription.assignment.get(theirs(at))  # noqa: SLF001
        return None if state is None or state.position is None else int(state.position.offset)

    def joined(self) -> bool:
        """Return whether we are in the group, as the client knows."""
        return self._client.group_metadata().state is MemberState.STABLE

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit for lag tools, without waiting for the answer."""
        offsets = {
            theirs(at): kafka.OffsetAndMetadata(offset, "", -1) for at, offset in positions.items()
        }
        with translated(self._bootstrap, "take a commit"):
            self._client.commit_async(offsets)

    def close(self) -> None:
        """Leave the group."""
        with translated(self._bootstrap, "close a reader"):
            self._client.close(autocommit=False, timeout_ms=REQUEST_MS)


class Admin:
    """A client for topics."""

    def __init__(self, access: Access) -> None:
        self._bootstrap = access.bootstrap
        self._client = built(kafka.KafkaAdminClient, access)

    def topic_ids(self, topics: Sequence[str] | None = None) -> Mapping[str, str]:
        """Return the id of each topic that exists."""
        with translated(self._bootstrap, "describe topics"):
            described = self._client.describe_topics(None if topics is None else list(topics))
        return {
            topic["name"]: str(topic["topic_id"]) for topic in described if not topic["error_code"]
        }

    def create(self, partitions: Mapping[str, int], configs: Mapping[str, str]) -> None:
        """Create topics, one by one: another process may have been quicker with some."""
        for topic, count in partitions.items():
            wanted = {topic: {"num_partitions": count, "configs": dict(configs)}}
            with (
                translated(self._bootstrap, f"create {topic}"),
                suppress(refusals.TopicAlreadyExistsError),
            ):
                self._client.create_topics(wanted, timeout_ms=REQUEST_MS, wait_for_metadata=True)

    def delete(self, topic: str) -> None:
        """Delete a topic."""
        with translated(self._bootstrap, f"delete {topic}"):
            self._client.delete_topics([topic], timeout_ms=REQUEST_MS)

    def close(self) -> None:
        """Close the connections."""
        with translated(self._bootstrap, "close"):
            self._client.close()


def _record(raw: Any) -> Record:
    return Record(
        ours(raw),
        raw.offset,
        None if raw.key is None else raw.key.decode(errors="replace"),
        raw.value or b"",
        {name: (value or b"").decode(errors="replace") for name, value in raw.headers},
        nearest(raw.timestamp),
    )
