"""Every process judges about as many systems as the others: who has more hands some over.

A lease stays with whoever renews it, so a process that came later would get nothing until one
that came before it ends. Each therefore says that it is here, and one that holds at least two
leases more than the one with the fewest gives that one half of the difference.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import leases
from watchkeeper_shared.db.unit_of_work import Database

PRESENT = "judging/"
JUDGES = "judge/"

logger = logging.getLogger(__name__)


def surplus(held: Mapping[str, int], holder: str) -> tuple[str, int]:
    """Return to whom a process hands over, and how many of what it holds.

    One at a time, each makes the sum of the squares smaller; so they come to rest, and then all
    hold as many as the others, or one more.

    Parameters
    ----------
    held
        How many each process that is here holds; the one that asks is among them.

    Examples
    --------
    >>> surplus({"a": 7, "b": 2, "c": 0}, "a")
    ('c', 3)
    >>> surplus({"a": 7, "b": 2, "c": 0}, "b")
    ('c', 1)
    >>> surplus({"a": 1, "b": 0}, "a")
    ('b', 0)
    """
    fewest = min(held, key=lambda one: (held[one], one))
    return fewest, (held[holder] - held[fewest]) // 2


class Sharing:
    """One process's part in it.

    Parameters
    ----------
    database, clock
        Where leases are, and what time it is.
    holder, ttl
        Who holds leases, and how long one lasts.
    """

    def __init__(self, database: Database, clock: Clock, holder: str, ttl: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._ttl = ttl
        self._again_at = clock.monotonic()

    def step(self) -> None:
        """Say that we are here and hand over what is too much, a few times while a lease lasts.

        Raises
        ------
        StoreUnavailable
            Nothing was handed over, or it is unknown: the next step looks again.
        """
        if self._clock.monotonic() < self._again_at:
            return
        self._again_at = self._clock.monotonic() + self._ttl.total_seconds() / 3
        now = self._clock.now()
        with self._database.transaction() as c:
            # Whoever is here waits for the others here: nobody counts what another gives away.
            here = leases.locked(c, PRESENT, now) | {self._holder}
            leases.take(c, PRESENT + self._holder, self._holder, now, self._ttl)
            held = leases.held(c, JUDGES, now)
            to, count = surplus({one: len(held.get(one, ())) for one in here}, self._holder)
            if not count:
                return
            leases.give(c, (JUDGES + one for one in held[self._holder][:count]), self._holder, to)
        logger.info("systems_handed_over", extra={"to": to, "count": count})
