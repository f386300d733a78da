"""After a failed attempt: again, and when, or never. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.errors import RetryableError, WatchkeeperError

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)

_MOST_DOUBLINGS = 16  # far past the longest wait; keeps the arithmetic small


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery. `wait` None: it has failed for good."""

    wait: timedelta | None
    reason: str


def judge(error: WatchkeeperError, attempts: int, age: timedelta, draw: float) -> Verdict:
    """Return whether and when to try again.

    Parameters
    ----------
    error
        What the channel raised.
    attempts
        How many there were, this one included.
    age
        How long ago the notification was queued.
    draw
        A random number from 0 to 1: it spreads retries over half of the wait, so that a
        receiver that comes back is not hit by everybody at once.

    Examples
    --------
    >>> from watchkeeper_shared.errors import ReceiverUnavailable
    >>> judge(ReceiverUnavailable("503"), 3, timedelta(0), 1.0).wait
    datetime.timedelta(seconds=20)
    """
    if not isinstance(error, RetryableError):
        return Verdict(None, str(error))
    doubled = FIRST_WAIT * 2 ** min(attempts - 1, _MOST_DOUBLINGS)
    wait = min(doubled, LONGEST_WAIT) * (0.5 + draw / 2)
    wait = max(wait, error.retry_after or timedelta(0))
    if age + wait > MAX_AGE:
        hours = MAX_AGE // timedelta(hours=1)
        return Verdict(None, f"given up after {attempts} attempts in {hours} hours: {error}")
    return Verdict(wait, str(error))
