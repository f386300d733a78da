"""The port of a channel: what is promised when a notice is sent, and what may be raised."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from watchkeeper_alerting.notices import Notice


class Channel(Protocol):
    """Somewhere notices go.

    A notice may be sent more than once: after a crash, after an answer that was lost, on
    purpose while it repeats. Each sending of one delivery has the same id, and all notices
    of one alert can be recognised as one, so that a receiver can keep them together.
    """

    @property
    def repeat(self) -> timedelta | None:
        """How often a firing notice is sent again; None for receivers that remember."""
        ...

    def send(self, delivery: str, notice: Notice, now: datetime) -> None:
        """Send one notice and return once the receiver has taken it.

        Parameters
        ----------
        delivery
            Identity of the delivery, the same at every attempt.
        notice
            What to tell.
        now
            The instant of this attempt.

        Raises
        ------
        ReceiverUnavailable
            Not now; its `retry_after` is what the receiver asked for.
        RejectedByReceiver
            Never: the receiver refuses this notice, or the channel cannot work as applied.
        """
        ...
