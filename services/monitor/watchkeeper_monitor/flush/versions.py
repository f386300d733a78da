"""How many versions of a system are watched that nobody declared: a stated number, and no more.

Every version is counted, judged and shown by itself. A sender that writes the id of a request
or the hour into `version` makes thousands of them, and judging those costs as much as a fleet.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from watchkeeper_monitor.store import windows
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.unit_of_work import Database

FORGET = timedelta(hours=1)
"""So often it is looked whether versions have ended and there is room for others."""

logger = logging.getLogger(__name__)


class Versions:
    """Admits versions of systems that declare none, those that come first. One thread.

    A version has a place from its first row until its panes are rolled up
    (`WATCHKEEPER_PANE_RETENTION` after they last changed). Workers that meet new versions in the
    same second may each admit them: the number is kept to within what is new at that moment.

    Parameters
    ----------
    database, clock
        Where versions are stored, and what time it is.
    most
        How many of a system.
    """

    def __init__(self, database: Database, clock: Clock, most: int) -> None:
        self._database = database
        self._clock = clock
        self._most = most
        self._known: dict[str, set[str]] = {}
        self._full_since: dict[str, datetime] = {}

    def admit(self, system: str, said: Sequence[str]) -> Collection[str]:
        """Return which versions of a system are watched, after looking for room for these.

        Raises
        ------
        StoreUnavailable
            What is stored cannot be asked for now.
        """
        known = self._known.setdefault(system, set())
        new = [one for one in said if one not in known]
        if new and not self._is_full(system):
            known |= self._stored(system)
            new = [one for one in new if one not in known]
            room = max(self._most - len(known), 0)
            known.update(new[:room])
            if len(known) >= self._most:
                self._full_since[system] = self._clock.now()
            new = new[room:]
        if new:
            logger.warning(
                "versions_beyond_limit",
                extra={
                    "system": system,
                    "watched": len(known),
                    "refused": new[:3],
                    "reason": f"{system} declares no versions, and {self._most} that nobody "
                    "declared are watched already: declare its versions in the object AISystem, or "
                    "raise WATCHKEEPER_UNDECLARED_VERSIONS",
                },
            )
        return known

    def _is_full(self, system: str) -> bool:
        """Return whether there is no room; after an hour all is looked for anew."""
        since = self._full_since.get(system)
        if since is None:
            return False
        if self._clock.now() - since < FORGET:
            return True
        self._known[system].clear()
        del self._full_since[system]
        return False

    def _stored(self, system: str) -> set[str]:
        with self._database.read() as c:
            return windows.unrolled_versions(c, system)
