"""The event log on Kafka: where its writers and readers come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import TypeVar

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.access import access
from watchkeeper_shared.eventlog.clients import SESSION, Admin, KafkaClient
from watchkeeper_shared.eventlog.kafka_reader import KafkaReader
from watchkeeper_shared.eventlog.kafka_writer import KafkaWriter
from watchkeeper_shared.eventlog.libraries import load
from watchkeeper_shared.eventlog.port import MAX_RECORD_BYTES

T = TypeVar("T")


class KafkaLog:
    """An `EventLog` on Kafka.

    Parameters
    ----------
    bootstrap
        Addresses of some brokers: `host:port,host:port`.
    clock
        For deadlines.
    security
        How to speak with the brokers and who we are, as `LogSettings.kafka_security` has it.
    client
        Which library speaks Kafka.
    session
        How long a reader may be silent before others get its partitions.
    patience
        How long a message may take to become durable.
    budget
        How many bytes may be under way in one writer.

    Raises
    ------
    ConfigError
        A package is missing, or a file of certificates cannot be used.
    """

    def __init__(  # noqa: PLR0913 - one argument per thing that can be set
        self,
        bootstrap: str,
        clock: Clock,
        *,
        security: Mapping[str, str] | None = None,
        client: KafkaClient = "kafka-python",
        session: timedelta = SESSION,
        patience: timedelta = timedelta(seconds=30),
        budget: int = 256 << 20,
    ) -> None:
        self._clients = load(client)
        self._access = access(bootstrap, security or {}, clock)
        self._bootstrap = bootstrap
        self._clock = clock
        self._session = session
        self._patience = patience
        self._budget = budget
        self._lock = Lock()
        self._admin: Admin | None = None
        self._opened: list[KafkaWriter | KafkaReader] = []

    def writer(self, topics: Sequence[str] = ()) -> KafkaWriter:
        """Open a writer; it connects with its first message, or at once to look for `topics`."""
        writer = KafkaWriter(
            lambda: self._clients.producer(self._access),
            self._clock,
            patience=self._patience,
            budget=self._budget,
            topics=topics,
        )
        self._remember(writer)
        return writer

    def reader(self, group: str, topics: Sequence[str]) -> KafkaReader:
        """Join `group` and read `topics`."""
        consumer = self._clients.consumer(self._access, group, self._session)
        reader = KafkaReader(consumer, topics, self._clock, self.topic_id)
        self._remember(reader)
        return reader

    def topic_id(self, topic: str) -> str:
        """Return the id of a topic."""
        ids = self._ask(lambda admin: admin.topic_ids([topic]))
        if topic not in ids:
            raise LogUnavailable(
                f"Kafka at {self._bootstrap} has no topic {topic}: create the topics first"
            )
        return ids[topic]

    def create_topics(self, partitions: Mapping[str, int], compacted: Collection[str] = ()) -> None:
        """Create the topics that are missing, with room for our largest record."""
        known = self._ask(lambda admin: admin.topic_ids())
        missing = {topic: count for topic, count in partitions.items() if topic not in known}
        configs = {"max.message.bytes": str(MAX_RECORD_BYTES + (1 << 20))}
        kept = {topic: count for topic, count in missing.items() if topic in compacted}
        rest = {topic: count for topic, count in missing.items() if topic not in compacted}
        if kept:
            compact = configs | {"cleanup.policy": "compact"}
            self._ask(lambda admin: admin.create(kept, compact))
        if rest:
            self._ask(lambda admin: admin.create(rest, configs))

    def delete_topic(self, topic: str) -> None:
        """Remove a topic with its records."""
        self._ask(lambda admin: admin.delete(topic))

    def _remember(self, one: KafkaWriter | KafkaReader) -> None:
        """Close it with the log; what its caller closed is forgotten."""
        self._opened = [other for other in self._opened if not other.closed] + [one]

    def ping(self) -> None:
        """Ask for the list of topics."""
        self._ask(lambda admin: admin.topic_ids())

    def close(self) -> None:
        """Close what was opened here, writers first."""
        opened, self._opened = self._opened, []
        for one in sorted(opened, key=lambda one: isinstance(one, KafkaReader)):
            one.close()
        with self._lock:
            self._let_go()

    def _ask(self, question: Callable[[Admin], T]) -> T:
        """Ask with one shared client; after a failure the next question gets a new one."""
        with self._lock:
            if self._admin is None:
                self._admin = self._clients.admin(self._access)
            try:
                return question(self._admin)
            except LogUnavailable:
                self._let_go()
                raise

    def _let_go(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()
