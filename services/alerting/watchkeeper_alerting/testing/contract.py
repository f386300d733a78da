"""What every channel promises; subclass once per channel and give it a receiver.

It lives beside the port it is about: a port belongs to its user, and `shared` may not know
this service.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from datetime import UTC, datetime

import pytest

from watchkeeper_alerting import notices
from watchkeeper_alerting.channels.port import Channel
from watchkeeper_alerting.notices import Notice
from watchkeeper_alerting.testing.builders import a_breach
from watchkeeper_alerting.wording import Event
from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_notice(event: Event = "firing", **changes: object) -> Notice:
    """Return a notice about a breach that is valid by default."""
    subject = notices.Subject(
        alert="a-1",
        ticket="t-1",
        public_url="https://watch.example.org",
        severity="critical",
        opened_at=NOW,
    )
    ended = NOW if event == "resolved" else None
    return notices.notice(a_breach(**changes), subject, event, ended)


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a receiver understood: which episode, and the words."""

    episode: str
    words: str


class ChannelContract(ABC):
    """Subclass once per channel."""

    @abstractmethod
    def channel(self) -> Channel:
        """Return the channel, with its receiver listening and willing."""

    @abstractmethod
    def told(self) -> list[Told]:
        """Return what the receiver has taken so far."""

    @abstractmethod
    def be_busy(self) -> None:
        """Have the receiver answer the next attempt with `later`."""

    @abstractmethod
    def refuse(self) -> None:
        """Have the receiver answer the next attempt with `never`."""

    @abstractmethod
    def go_away(self) -> None:
        """Have nobody listen."""

    def test_a_notice_that_was_sent_was_taken(self) -> None:
        self.channel().send("msg_1", a_notice(), NOW)

        (told,) = self.told()
        assert "0.7712" in told.words
        assert "labour-models" in told.words
        assert "https://watch.example.org/tickets/t-1" in told.words

    def test_all_notices_of_an_alert_are_recognised_as_one(self) -> None:
        channel = self.channel()

        channel.send("msg_1", a_notice(), NOW)
        channel.send("msg_1", a_notice(), NOW)
        channel.send("msg_2", a_notice("resolved", value=0.9), NOW)

        assert len({one.episode for one in self.told()}) == 1

    def test_a_busy_receiver_means_again(self) -> None:
        channel = self.channel()
        self.be_busy()

        with pytest.raises(ReceiverUnavailable):
            channel.send("msg_1", a_notice(), NOW)

        channel.send("msg_1", a_notice(), NOW)
        assert self.told()

    def test_a_receiver_that_refuses_means_never(self) -> None:
        channel = self.channel()
        self.refuse()

        with pytest.raises(RejectedByReceiver):
            channel.send("msg_1", a_notice(), NOW)

    def test_a_receiver_that_is_away_means_again(self) -> None:
        channel = self.channel()
        self.go_away()

        with pytest.raises(ReceiverUnavailable):
            channel.send("msg_1", a_notice(), NOW)

    def test_hostile_words_travel_as_words(self) -> None:
        hostile = "</p><script>alert(1)</script>\r\nBcc: all@example.org\r\n\r\n☃ '\"{{7*7}}"

        self.channel().send("msg_1", a_notice(column=hostile, note=hostile), NOW)

        assert "<script>alert(1)</script>" in self.told()[0].words
