"""The home of confluent-kafka, an option: producer and consumer on librdkafka.

With small records it is several times as fast as kafka-python. A process may change from one
to the other, so both send a key to the same partition. Topics are asked about and made by
kafka-python in either case: that is rare, and the ids of topics are the same text.

What a batch unpacks to cannot be bounded here: librdkafka unpacks before it hands anything out,
and none of its settings counts unpacked bytes, but for zstd `receive.message.max.bytes` (100 MB),
past which the partition stands still. Where writers are not trusted, stay with kafka-python.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import Any

import confluent_kafka as confluent

from watchkeeper_shared.errors import PermanentError, WatchkeeperError
from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.clients import Outcome, Told
from watchkeeper_shared.eventlog.confluent_records import record_of
from watchkeeper_shared.eventlog.confluent_settings import CONSUMER, PRODUCER, common
from watchkeeper_shared.eventlog.kafka_failures import Lost, translated, unavailable
from watchkeeper_shared.eventlog.kafka_handshake import knock
from watchkeeper_shared.eventlog.kafka_settings import REQUEST_MS, silence
from watchkeeper_shared.eventlog.port import Message, Position, Record, TopicPartition

Code = confluent.KafkaError

REQUEST_SECONDS = REQUEST_MS / 1000
_PAUSE_SECONDS = 0.01
_POLL_SECONDS = 0.1
_MOST = 500
"""Records of one poll."""

# What passes by itself, or is told by the assignment: no reason to give a reader up.
_PASSING = {Code._ALL_BROKERS_DOWN, Code._TRANSPORT, Code._TIMED_OUT, Code.UNKNOWN_TOPIC_OR_PART}  # noqa: SLF001

_REFUSALS = {Code._AUTHENTICATION, Code._SSL}  # noqa: SLF001


def built(
    make: Callable[..., Any],
    access: Access,
    settings: Mapping[str, Any],
    told: Callable[[Any], None],
) -> Any:
    """Build a client; librdkafka would try for ever and tell nobody why.

    `told` hears of errors that belong to no message.
    """
    whole = common(access) | dict(settings) | {"error_cb": told}
    whole["logger"] = logging.getLogger("confluent_kafka")
    tokens = access.tokens
    if tokens is not None:

        def ask(_config: str) -> tuple[str, float]:
            token = tokens.token()
            return token.text, token.expires

        whole["oauth_cb"] = ask
    with translated(access.bootstrap, "be reached"):
        knock(access)
        return make(whole)


def _leave_to_messages(_error: Any) -> None:
    """Do nothing: each message that the error hits fails by itself, and the logger has it."""


def theirs(at: TopicPartition, offset: int = confluent.OFFSET_INVALID) -> Any:
    """Return the client's name of a partition."""
    return confluent.TopicPartition(at.topic, at.partition, offset)


def ours(at: Any) -> TopicPartition:
    """Return our name of a partition."""
    return TopicPartition(at.topic, at.partition)


class Producer:
    """A client that appends; its callbacks come from a thread of ours."""

    def __init__(self, access: Access) -> None:
        self._bootstrap = access.bootstrap
        self._client = built(confluent.Producer, access, PRODUCER, _leave_to_messages)
        self._ended = Event()
        self._thread = Thread(target=self._serve, name="eventlog-callbacks", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self._client.poll(_POLL_SECONDS)
            except confluent.KafkaException:
                # A fatal error, told once more at each poll; every message fails by itself.
                self._ended.wait(_POLL_SECONDS)

    def prime(self, topic: str) -> None:
        """Let the client look for a topic."""
        with translated(self._bootstrap, f"say where {topic} is"):
            self._client.list_topics(topic, timeout=REQUEST_SECONDS)

    def send(self, message: Message, told: Outcome) -> None:
        """Hand one message to the client; a full client fails the message, it never waits."""
        heard = partial(self._settle, message.topic, len(message.value), told)
        with translated(self._bootstrap, f"append to {message.topic}"):
            try:
                self._client.produce(
                    message.topic,
                    value=message.value,
                    key=message.key.encode(),
                    headers=[(name, text.encode()) for name, text in message.headers.items()],
                    on_delivery=heard,
                )
            except confluent.KafkaException as refused:
                # Refused before anything was queued, and nothing else is in doubt.
                heard(refused.args[0], None)

    def _settle(self, topic: str, size: int, told: Outcome, error: Any, done: Any) -> None:
        if error is None:
            told(Position(TopicPartition(done.topic(), done.partition()), done.offset()))
        else:
            told(self._judge(topic, size, error))

    def close(self, seconds: float) -> None:
        """Send what is there within so many seconds, drop the rest, stop the thread."""
        # After a fatal error it raises instead, and has failed everything already.
        with suppress(confluent.KafkaException):
            if self._client.flush(seconds):
                self._client.purge()
                self._client.flush(seconds)
        self._ended.set()
        self._thread.join()

    def _judge(self, topic: str, size: int, error: Any) -> WatchkeeperError:
        if error.code() in (Code.MSG_SIZE_TOO_LARGE, Code.RECORD_LIST_TOO_LARGE):
            return PermanentError(
                f"the broker refuses a record of {size} bytes on {topic}:"
                " raise max.message.bytes of the topic or send smaller batches"
            )
        return unavailable(self._bootstrap, f"append to {topic}", confluent.KafkaException(error))


class Consumer:
    """A client that reads as one member of a group; its callbacks come out of `poll`."""

    def __init__(self, access: Access, group: str, session: timedelta) -> None:
        self._bootstrap = access.bootstrap
        self._refusals: list[Any] = []
        quiet = {name.replace("_", "."): ms for name, ms in silence(session).items()}
        settings = CONSUMER | quiet | {"group.id": group}
        self._client = built(confluent.Consumer, access, settings, self._note)
        self._next: dict[TopicPartition, int] = {}
        self._flowing: set[TopicPartition] = set()
        self._stuck: set[TopicPartition] = set()

    def _note(self, error: Any) -> None:
        if error.fatal() or error.code() in _REFUSALS:
            self._refusals.append(error)

    def subscribe(self, topics: Sequence[str], given: Told, taken: Told) -> None:
        """Ask for a share of the topics."""

        def assigned(client: Any, partitions: Sequence[Any]) -> None:
            # Paused at a made-up position, so that nothing flows before `start`.
            names = [theirs(ours(at), 0) for at in partitions]
            client.assign(names)
            client.pause(names)
            self._forget()
            given(frozenset(map(ours, partitions)))

        def revoked(_client: Any, partitions: Sequence[Any]) -> None:
            self._forget()
            taken(frozenset(map(ours, partitions)))

        with translated(self._bootstrap, "join a group"):
            self._client.subscribe(list(topics), on_assign=assigned, on_revoke=revoked)

    def _forget(self) -> None:
        """Start from nothing: this protocol takes all partitions away before it gives any."""
        self._next, self._flowing, self._stuck = {}, set(), set()

    def poll(self, milliseconds: int) -> list[Record]:
        """Wait for one record, then take what else is there."""
        with translated(self._bootstrap, "be read"):
            first = self._client.poll(milliseconds / 1000)
            if self._refusals:
                # It would go on without a word; whoever builds the next client is told why.
                raise confluent.KafkaException(self._refusals.pop())
            if first is None:
                return []
            records: list[Record] = []
            lost: dict[TopicPartition, int] = {}
            for raw in (first, *self._client.consume(_MOST - 1, timeout=0)):
                self._sort(raw, records, lost)
            if lost and not records:
                raise Lost(lost)
            return records

    def _sort(self, raw: Any, records: list[Record], lost: dict[TopicPartition, int]) -> None:
        error = raw.error()
        if error is None:
            record = record_of(raw)
            self._next[record.at] = record.offset + 1
            records.append(record)
        elif error.code() == Code._AUTO_OFFSET_RESET:  # noqa: SLF001
            at = TopicPartition(raw.topic(), raw.partition())
            lost[at] = self._next.get(at, raw.offset())
            self._stuck.add(at)
        elif error.code() == Code._PARTITION_EOF:  # noqa: SLF001
            self._next[TopicPartition(raw.topic(), raw.partition())] = raw.offset()
        elif error.code() not in _PASSING:
            raise confluent.KafkaException(error)

    def flow(self, at: TopicPartition, offset: int) -> None:
        """Read on at this offset."""
        with translated(self._bootstrap, f"start {at}"):
            self._next[at] = offset
            self._flowing.add(at)
            if at in self._stuck:
                self._assign_anew()
            else:
                self._seek(theirs(at, offset))
                self._client.resume([theirs(at)])

    def _assign_anew(self) -> None:
        """Take all partitions again where they stand: a lost one takes no seek any more."""
        self._stuck.clear()
        mine = [ours(at) for at in self._client.assignment()]
        self._client.assign([theirs(at, self._next.get(at, 0)) for at in mine])
        self._client.pause([theirs(at) for at in mine if at not in self._flowing])
        self._client.resume([theirs(at) for at in mine if at in self._flowing])

    def _seek(self, where: Any) -> None:
        """Seek, as soon as the client has begun with a new partition on its own thread."""
        pause = Event()
        for _ in range(round(REQUEST_SECONDS / _PAUSE_SECONDS)):
            try:
                self._client.seek(where)
            except confluent.KafkaException as error:
                if error.args[0].code() != Code._STATE:  # noqa: SLF001
                    raise
                pause.wait(_PAUSE_SECONDS)
            else:
                return
        self._client.seek(where)

    def halt(self, at: TopicPartition) -> None:
        """Read no more of this partition."""
        with translated(self._bootstrap, f"pause {at}"):
            self._flowing.discard(at)
            self._client.pause([theirs(at)])

    def bounds(self, at: TopicPartition) -> tuple[int, int]:
        """Return the oldest offset and the next one."""
        with translated(self._bootstrap, f"say what {at} holds"):
            low, high = self._client.get_watermark_offsets(theirs(at), timeout=REQUEST_SECONDS)
        return low, high

    def standing(
        self,
        partitions: Collection[TopicPartition],  # noqa: ARG002 - the protocol has it
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return nothing: librdkafka watches over its own fetches."""
        return {}

    def position(self, at: TopicPartition) -> int | None:
        """Return what came last and one more, or the end that librdkafka told."""
        return self._next.get(at)

    def joined(self) -> bool:
        """Return true: librdkafka joins on its own threads and tells its refusals."""
        return True

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit for lag tools, without waiting for the answer."""
        offsets = [theirs(at, offset) for at, offset in positions.items()]
        with translated(self._bootstrap, "take a commit"):
            self._client.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        with translated(self._bootstrap, "close a reader"):
            self._client.close()
