"""At which resolution a stretch of time is still held: panes, then hours, then days, then nothing.

```
panes   | | | | | | | | | | | |      as they were counted
hours   |           |           |    the sum of the panes of an hour
days    |                        …   the sum of the hours of a day
```

A window can be answered while its edges lie between what is held. Pure; see ADR 15.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate

from watchkeeper_monitor.windows.spans import EPOCH, Span

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Held(StrEnum):
    """What is stored of a stretch of time."""

    PANE = "pane"  # what writers counted
    ROLLED = "rolled"  # the sum of what they counted in shorter panes
    GONE = "gone"  # nothing: it was dropped


@dataclass(frozen=True, slots=True)
class Resting:
    """A stretch as it is held.

    Parameters
    ----------
    judged_at
        Since when the judge found it unchanged; None while it changes.
    """

    span: Span
    held: Held
    judged_at: datetime | None


def cell_of(instant: datetime, length: timedelta) -> Span:
    """Return the hour or day that an instant lies in.

    Examples
    --------
    >>> cell_of(EPOCH + timedelta(hours=25, minutes=3), HOUR).start.isoformat()
    '1970-01-02T01:00:00+00:00'
    """
    start = EPOCH + (instant - EPOCH) // length * length
    return Span(start, start + length)


def may_roll_up(
    cell: Span, stored: Sequence[Resting], unsettled: Iterable[Span], before: datetime
) -> bool:
    """Return whether what is held of an hour or a day may become one row.

    Parameters
    ----------
    stored
        Everything that lies in the cell or reaches into it.
    unsettled
        Windows that wait to become final.
    before
        What rests since this instant, or changes, stays as it is.
    """
    if cell.end > before or any(window.overlaps(cell) for window in unsettled):
        return False
    return any(one.span != cell for one in stored) and all(
        cell.holds(one.span)
        and one.held is not Held.GONE
        and one.judged_at is not None
        and one.judged_at < before
        for one in stored
    )


class Reach:
    """How far spans reach that begin before an instant.

    Parameters
    ----------
    spans
        In order of time; they may overlap.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [span.start for span in spans]
        self._ends = list(accumulate((span.end for span in spans), max))

    def cuts(self, edge: datetime) -> bool:
        """Return whether a span begins before an edge and ends after it."""
        return self._beyond(edge, edge)

    def touches(self, span: Span) -> bool:
        """Return whether one of the spans shares time with `span`."""
        return self._beyond(span.end, span.start)

    def _beyond(self, start: datetime, end: datetime) -> bool:
        before = bisect_left(self._starts, start)
        return before > 0 and self._ends[before - 1] > end


class Resolution:
    """What was rolled up or dropped, and so which windows can still be answered.

    Parameters
    ----------
    coarse
        What is not held as panes, in order of time.

    Attributes
    ----------
    gone
        What was dropped.
    """

    def __init__(self, coarse: Sequence[Resting]) -> None:
        self._rolled = Reach([one.span for one in coarse if one.held is Held.ROLLED])
        self.gone = tuple(one.span for one in coarse if one.held is Held.GONE)
        self._gone = Reach(self.gone)

    def why_not(self, span: Span) -> str:
        """Return why a span cannot be answered, or nothing."""
        if self._gone.touches(span):
            return "profiles of that time were dropped; see WATCHKEEPER_DAY_RETENTION"
        if self._rolled.cuts(span.start) or self._rolled.cuts(span.end):
            return (
                "panes were rolled up to an hour or a day that an edge lies in; "
                "see WATCHKEEPER_PANE_RETENTION"
            )
        return ""

    def holds(self, span: Span) -> bool:
        """Return whether a span can be answered."""
        return not self.why_not(span)
