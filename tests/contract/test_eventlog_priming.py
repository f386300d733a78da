"""A writer that is told its topics knows them before the first message, or does without."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.clients import Outcome
from watchkeeper_shared.eventlog.kafka_writer import KafkaWriter
from watchkeeper_shared.eventlog.port import Message, Position, TopicPartition


class Client:
    """A client that notes what it is asked, in order."""

    def __init__(self, *, is_away: bool) -> None:
        self.asked: list[str] = []
        self.primed = Event()
        self._is_away = is_away

    def prime(self, topic: str) -> None:
        self.asked.append(f"prime {topic}")
        self.primed.set()
        if self._is_away:
            raise LogUnavailable("no broker answers")

    def send(self, message: Message, told: Outcome) -> None:
        self.asked.append(f"send {message.topic}")
        told(Position(TopicPartition(message.topic, 0), 0))

    def close(self, seconds: float) -> None:
        del seconds


@pytest.mark.parametrize(
    ("is_away", "asked"), [(False, ["prime a", "prime b"]), (True, ["prime a"])]
)
def test_topics_are_looked_for_before_the_first_message(*, is_away: bool, asked: list[str]) -> None:
    client = Client(is_away=is_away)
    writer = KafkaWriter(
        lambda: client,
        SystemClock(),
        patience=timedelta(seconds=10),
        budget=1000,
        topics=["a", "b"],
    )

    assert client.primed.wait(10)
    writer.append(Message("a", "k", b"v")).result(10)
    writer.close()

    assert client.asked == [*asked, "send a"]
