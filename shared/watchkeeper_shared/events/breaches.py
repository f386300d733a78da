"""The breach event on `watchkeeper.breaches.v1`: everything a person needs at 3 a.m."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

BREACH_OPENED = "watchkeeper.breach.opened"
BREACH_UPDATED = "watchkeeper.breach.updated"
BREACH_CLEARED = "watchkeeper.breach.cleared"


class BreachWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The window that was judged."""

    start: datetime
    end: datetime
    revision: int
    status: Literal["provisional", "final", "amended"]


class BreachPool(msgspec.Struct, frozen=True, kw_only=True):
    """The windows that showed the breach together, and what all their rows say.

    Parameters
    ----------
    start, end
        From the start of the first window to the end of the last.
    value, low, high, n
        The numbers that were judged: the metric over all rows, its interval, and the rows.
    """

    start: datetime
    end: datetime
    value: float | None
    low: float | None
    high: float | None
    n: int


class BreachEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a breach episode, complete in itself (the data of a CloudEvent).

    Parameters
    ----------
    breach
        Id of the episode; the same in all its events.
    fingerprint
        Identity of the series: system, rule, metric, column, segment. Never a value.
    value, low, high, n
        The measurement that caused the turn, its interval and the rows behind it.
    scale
        How many windows it took to see the breach. Above 1, `value`, `low`, `high` and `n` are
        those of the last window alone, and `pooled` has the numbers of all of them.
    pooled
        What was judged where `scale` is above 1; the evidence is of its rows. Events of before
        this field have `reason` alone.
    warn, limit, below
        The rule's limits, and whether small values are the bad ones.
    opened_window, cleared_window
        The window that opened it, and the first good one after it (None while it is not over):
        what is known now. An amendment may move either; an `updated` event says so.
    first_opened, first_cleared
        What people were told first, where it has moved since.
    reason
        The decision's reason in plain words.
    withdrawn
        On a cleared event: the breach was taken back by an amendment, not recovered.
    retired
        On a cleared event: no rule looks at the series any more; nothing recovered.
    system_withdrawn
        Beside `retired`: because somebody withdrew the system; the reason says who and why.
    evidence
        Id of the frozen sample, where one was frozen.
    """

    breach: str
    fingerprint: str
    system: str
    version: str
    policy: str
    policy_hash: str
    rule: str
    metric: str
    column: str
    segment: str
    severity: Literal["info", "warning", "critical"]
    value: float | None
    low: float | None
    high: float | None
    n: int
    reference: str | None
    reference_n: int | None
    warn: float | None
    limit: float | None
    below: bool
    window: BreachWindow
    opened_window: datetime
    reason: str
    controls: tuple[str, ...] = ()
    note: str = ""
    owner_team: str = ""
    owner_contact: str = ""
    runbook: str = ""
    ticket: bool = True
    channels: tuple[str, ...] | None = None
    evidence: str | None = None
    withdrawn: bool = False
    retired: bool = False
    scale: int = 1
    pooled: BreachPool | None = None
    cleared_window: datetime | None = None
    first_opened: datetime | None = None
    first_cleared: datetime | None = None
    system_withdrawn: bool = False

    @property
    def judged(self) -> BreachEvent | BreachPool:
        """What holds the value, interval and n that were judged."""
        return self if self.pooled is None else self.pooled
