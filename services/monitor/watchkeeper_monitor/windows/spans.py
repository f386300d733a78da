"""Event time cut into panes, panes merged into windows, and when a window is settled.

```
time ──────────────────────────────────────────────────────────►
panes     |  0  |  1  |  2  |  3  |  4  |        the smallest buckets; profiles live here
windows   [──── size ─────]                      a window is a merge of whole panes
                [──── size ─────]                the next one starts one step later
```

Everything is aligned to 1970-01-01T00:00:00Z, so every worker cuts at the same instants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from watchkeeper_shared.specs import WindowSpec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DEFAULT_WINDOW = WindowSpec()
"""What a system without a policy is measured on: everything has a window."""


class Status(StrEnum):
    """How settled a window is."""

    PROVISIONAL = "provisional"  # more is expected; shown, opens no breach
    FINAL = "final"  # every partition is past its end plus lateness
    AMENDED = "amended"  # it was final, then late rows or labels changed it


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of event time, `start` included and `end` not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse a stretch that holds no time."""
        if self.start >= self.end:
            msg = f"a span must end after its start, got {self.start} to {self.end}"
            raise ValueError(msg)

    def holds(self, other: Span) -> bool:
        """Return whether `other` lies inside this span."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Return whether both share time."""
        return self.start < other.end and other.start < self.end


def pane_length(specs: Iterable[WindowSpec]) -> timedelta:
    """Return the longest pane of which every window of `specs` is a whole merge.

    Examples
    --------
    >>> pane_length([WindowSpec(size="1d", step="6h"), WindowSpec(size="4h")])
    datetime.timedelta(seconds=7200)
    """
    chosen = tuple(specs) or (DEFAULT_WINDOW,)
    steps = [spec.step_delta // MICROSECOND for spec in chosen]
    return math.gcd(*steps) * MICROSECOND


def panes_of(times: NDArray[np.int64], pane: timedelta) -> NDArray[np.int64]:
    """Return the start of the pane of each time; both in microseconds since 1970."""
    length = pane // MICROSECOND
    return np.asarray(times // length * length, dtype=np.int64)


def pane_at(start_micros: int, pane: timedelta) -> Span:
    """Return the pane that starts so many microseconds after 1970."""
    start = EPOCH + start_micros * MICROSECOND
    return Span(start, start + pane)


def windows_over(pane: Span, spec: WindowSpec) -> tuple[Span, ...]:
    """Return the windows that hold all of `pane`, oldest first.

    A pane longer than the window (cut under an older policy) is in none: its rows cannot
    be divided any more.

    Examples
    --------
    >>> day = Span(EPOCH, EPOCH + timedelta(days=1))
    >>> [window.start.day for window in windows_over(day, WindowSpec(size="2d", step="1d"))]
    [31, 1]
    """
    size, step = spec.size_delta, spec.step_delta
    newest = EPOCH + (pane.start - EPOCH) // step * step
    starts = (newest - back * step for back in reversed(range(size // step)))
    found = (Span(start, start + size) for start in starts)
    return tuple(window for window in found if window.holds(pane))


def settled(
    window: Span,
    watermark: datetime | None,
    lateness: timedelta,
    *,
    idle: bool,
    now: datetime,
) -> bool:
    """Return whether no more rows are waited for.

    Parameters
    ----------
    watermark
        The oldest, over the partitions that carry the system, of the newest event times.
    idle
        Nothing has come for a while and everything that is in the log was read. That spares a
        window its lateness, and never its own time: half a minute without a row at noon does
        not make half a day a day.
    now
        The present instant.
    """
    if idle and window.end <= now:
        return True
    return watermark is not None and watermark >= window.end + lateness


def status(before: Status | None, *, is_settled: bool) -> Status:
    """Return the status of a window that is judged now; a settled one never unsettles.

    Examples
    --------
    >>> status(None, is_settled=True).value, status(Status.FINAL, is_settled=False).value
    ('final', 'amended')
    """
    if before in (Status.FINAL, Status.AMENDED):
        return Status.AMENDED
    return Status.FINAL if is_settled else Status.PROVISIONAL


def watermark(newest: Sequence[datetime | None]) -> datetime | None:
    """Return the oldest of the newest event times per partition; None if one is unknown."""
    if not newest or any(one is None for one in newest):
        return None
    return min(one for one in newest if one is not None)


def empty_after(window: Span, spec: WindowSpec, until: datetime, limit: int) -> tuple[Span, ...]:
    """Return the windows after `window` that end by `until`, at most `limit` of them.

    They hold nothing, and that is an answer too: silence is never health. The limit keeps
    one row with a stray time from filling years.
    """
    step = spec.step_delta
    found = []
    for ahead in range(1, limit + 1):
        later = Span(window.start + ahead * step, window.end + ahead * step)
        if later.end > until:
            break
        found.append(later)
    return tuple(found)
