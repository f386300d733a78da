"""Waiting until everything that was sent is judged, and what was set off is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from watchkeeper.client import Client
from watchkeeper.demo.report import Row
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import ReceiverUnavailable

_PAUSE_SECONDS = 1.0
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Judged:
    """How far the monitor is, as its newest measurements tell.

    Parameters
    ----------
    windows, settled
        Windows that were judged, and those of them whose predictions all have a label.
    rows
        Predictions in the windows of the fortnight.
    """

    windows: int
    settled: int
    rows: int


def judged(rows: Iterable[Row], coverage: Iterable[Row], policy: str) -> Judged:
    """Count windows and their rows.

    Parameters
    ----------
    rows
        Measurements of `volume`, one per window.
    coverage
        Measurements of `label_coverage`, one per window.
    policy
        Whose windows hold every prediction exactly once.
    """
    volumes = list(rows)
    mine = [one for one in volumes if one["policy"]["id"] == policy]
    settled = sum(one["value"] == 1.0 for one in coverage)
    return Judged(len(volumes), settled, sum(int(one["value"] or 0) for one in mine))


def all_of(client: Client, system: str, metric: str) -> list[Row]:
    """Return the newest revision of one metric in every window."""
    answer = client.get("/v1/measurements", system=system, metric=metric, limit=_PAGE)
    found: list[Row] = answer["measurements"]
    return found


def until(holds: Callable[[], bool], clock: Clock, patience: timedelta, what: str) -> timedelta:
    """Ask once a second until it holds; return how long that took.

    Raises
    ------
    ReceiverUnavailable
        It did not hold in time; names what was waited for.
    """
    began = clock.monotonic()
    pause = threading.Event()
    while not holds():
        if clock.monotonic() - began > patience.total_seconds():
            raise ReceiverUnavailable(f"{what}: not within {patience}; see watchkeeper.log")
        pause.wait(_PAUSE_SECONDS)
    return timedelta(seconds=clock.monotonic() - began)
