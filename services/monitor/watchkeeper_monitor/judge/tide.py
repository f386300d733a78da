"""How far event time is for one system: which windows are settled, and who has gone silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper_monitor.store.progress import Progress
from watchkeeper_monitor.windows.spans import watermark
from watchkeeper_shared.eventlog.port import TopicPartition

Lag = Callable[[TopicPartition], int]
"""How many records of a partition are in the log and not stored."""


@dataclass(frozen=True, slots=True)
class Tide:
    """The state of event time.

    Parameters
    ----------
    watermark
        The oldest newest event time over the partitions that are not silent.
    idle
        All of them are silent, and everything in the log was read.
    last_arrival
        When the newest record of the system was stored.
    """

    watermark: datetime | None
    idle: bool
    last_arrival: datetime


def tide(
    partitions: Sequence[Progress], now: datetime, idle_timeout: timedelta, lag: Lag
) -> Tide | None:
    """Return the tide of a system, or None if it never had a prediction.

    A partition that is silent *and* read to its end holds nothing back. One that is silent
    because we are behind does: that is lag, not silence.
    """
    if not partitions:
        return None
    live = [one for one in partitions if now - one.arrived_at < idle_timeout or lag(one.at) > 0]
    return Tide(
        watermark=watermark([one.watermark for one in live]),
        idle=not live,
        last_arrival=max(one.arrived_at for one in partitions),
    )
