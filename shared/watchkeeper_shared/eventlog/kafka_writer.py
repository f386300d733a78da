"""The appending side of Kafka: never blocks its caller, and survives a wedged client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, PermanentError, WatchkeeperError
from watchkeeper_shared.eventlog.clients import Producer
from watchkeeper_shared.eventlog.port import Message, Position
from watchkeeper_shared.eventlog.promises import Promise, Promises

# A healthy producer needs far less to send what it holds; a wedged one needs for ever.
FAREWELL_SECONDS = 1.0


class KafkaWriter:
    """A `LogWriter` on Kafka.

    One thread hands messages to the client, because the client blocks its caller while it
    looks for a topic. A message whose deadline passes takes the whole client with it: a new
    one is built, and all that the old one held fails with `LogUnavailable`.

    Parameters
    ----------
    build
        Makes a client.
    clock
        For deadlines.
    patience, budget
        How long a message may take, and how many bytes may be under way.
    topics
        What a client is made to look for before the first message.
    """

    def __init__(
        self,
        build: Callable[[], Producer],
        clock: Clock,
        *,
        patience: timedelta,
        budget: int,
        topics: Sequence[str] = (),
    ) -> None:
        self._topics = tuple(topics)
        self._build = build
        self._queue: SimpleQueue[tuple[Message, Promise] | None] = SimpleQueue()
        self._lock = Lock()
        self._producer: Producer | None = None
        self._under_way: set[Promise] = set()
        self.closed = False
        self._promises = Promises(clock, patience, budget, on_expiry=self._drop)
        self._thread = Thread(target=self._run, name="eventlog-sender", daemon=True)
        self._thread.start()

    def append(self, message: Message) -> Future[Position]:
        """Queue one message for the sending thread."""
        promise = self._promises.make(len(message.value) + len(message.key.encode()))
        if not promise.settled:
            self._queue.put((message, promise))
        return promise.future

    def close(self) -> None:
        """Wait for what is under way, at most its deadlines, and let go."""
        if self.closed:
            return
        self.closed = True
        self._promises.close()
        self._queue.put(None)
        self._thread.join()
        producer = self._let_go()
        if producer is not None:
            producer.close(FAREWELL_SECONDS)

    def _run(self) -> None:
        self._prime()
        while (entry := self._queue.get()) is not None:
            message, promise = entry
            if promise.settled:
                continue
            try:
                self._send(message, promise)
            except LogUnavailable as error:
                self._promises.fail(promise, error)

    def _prime(self) -> None:
        # If it cannot be learnt now, the first message asks again, and fails in its own time.
        with suppress(LogUnavailable):
            for topic in self._topics:
                self._current().prime(topic)

    def _send(self, message: Message, promise: Promise) -> None:
        producer = self._current()
        with self._lock:
            self._under_way.add(promise)
        try:
            producer.send(message, partial(self._told, producer, promise))
        except LogUnavailable:
            self._finish(promise)
            raise

    def _told(
        self, producer: Producer, promise: Promise, outcome: Position | WatchkeeperError
    ) -> None:
        """Settle what the client has answered; comes on a thread of the client."""
        self._finish(promise)
        if isinstance(outcome, Position):
            self._promises.keep(promise, outcome)
            return
        self._promises.fail(promise, outcome)
        # Expired and refused batches leave the idempotent client in doubtful order.
        if not isinstance(outcome, PermanentError):
            self._drop(producer)

    def _finish(self, promise: Promise) -> None:
        with self._lock:
            self._under_way.discard(promise)

    def _current(self) -> Producer:
        with self._lock:
            if self._producer is not None:
                return self._producer
        producer = self._build()
        with self._lock:
            self._producer = producer
        return producer

    def _drop(self, which: Producer | None = None) -> None:
        """Let go of the client, or only of `which`; fail what it holds."""
        producer = self._let_go(which)
        if producer is not None:
            # Closing waits, and this may be the client's own thread.
            Thread(
                target=producer.close,
                args=(FAREWELL_SECONDS,),
                name="eventlog-farewell",
                daemon=True,
            ).start()

    def _let_go(self, which: Producer | None = None) -> Producer | None:
        with self._lock:
            if which is not None and which is not self._producer:
                return None
            producer, self._producer = self._producer, None
            held, self._under_way = self._under_way, set()
        for promise in held:
            self._promises.fail(promise, LogUnavailable(_DROPPED))
        return producer


_DROPPED = (
    "the connection to Kafka was given up while this record was under way; it may or may not be"
    " there: send it again under the same id"
)
