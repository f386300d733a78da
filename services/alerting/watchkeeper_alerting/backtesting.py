"""What the API needs to answer a backtest; whoever starts the process hands it in (ADR 12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """One backtest.

    Parameters
    ----------
    policy
        The document of the new policy, as text; it was checked.
    since, until
        The stretch of event time to replay.
    systems
        Only these systems; empty: all that the policy names.
    """

    policy: str
    since: datetime
    until: datetime
    systems: tuple[str, ...]


class Backtester(Protocol):
    """Replays a policy over stored profiles. It changes nothing."""

    def __call__(self, asked: Asked) -> bytes:
        """Return the report as JSON; `docs/adr/0012` says what is in it.

        Raises
        ------
        RetryableError
            Another one is running, the database is away, or it took too long.
        """
        ...
