"""How many records may be dead letters before reading stops: pure.

One poison record must not stop what follows. But when most of a topic is suddenly poison,
the fault is in a release, ours or a sender's, and every further dead letter is a record
that somebody must replay by hand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on poison is too much.

    Parameters
    ----------
    share, last
        More than this share of so many records, the newest ones.
    in_a_row
        So many without a good one between them; 0 takes both limits away.
    """

    share: float = 0.5
    last: int = 200
    in_a_row: int = 100


@dataclass(slots=True)
class Tolerance:
    """What came of the newest records of one topic.

    Parameters
    ----------
    limits
        From when on it is too much.
    probing
        Reading stopped before, and goes on one record at a time until one is good.

    Examples
    --------
    >>> patient = Tolerance(Limits(in_a_row=2))
    >>> patient.exceeded(dead=True), patient.exceeded(dead=True)
    ('', '2 records in a row cannot be read')
    """

    limits: Limits
    probing: bool = False
    _newest: deque[bool] = field(default_factory=deque)
    _in_a_row: int = 0

    def exceeded(self, *, dead: bool) -> str:
        """Note what became of a record; return why to stop after it, or nothing."""
        if not self.limits.in_a_row:
            return ""
        if self.probing:
            self.probing = dead
            return "the next record cannot be read either" if dead else ""
        self._in_a_row = self._in_a_row + 1 if dead else 0
        self._newest.append(dead)
        if len(self._newest) > self.limits.last:
            self._newest.popleft()
        return self._judged()

    def probe(self) -> None:
        """Forget what was; take one record, and go on only if that one is good."""
        self.probing = True
        self._newest.clear()
        self._in_a_row = 0

    def _judged(self) -> str:
        limits, bad = self.limits, sum(self._newest)
        if self._in_a_row >= limits.in_a_row:
            return f"{self._in_a_row} records in a row cannot be read"
        if len(self._newest) == limits.last and bad > limits.share * limits.last:
            return f"{bad} of the last {limits.last} records cannot be read"
        return ""
