"""What was applied, for reading: systems, policies, channels, references.

Written by alerting, read by every service. A process holds all of it in memory and asks
the database at most once in `max_age` whether anything changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.applied import Applied, Snapshot, read_snapshot, read_stamp
from watchkeeper_shared.db.tables import references
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.db.withdrawals import Pause, Withdrawal
from watchkeeper_shared.errors import NotFound, StoreUnavailable
from watchkeeper_shared.specs import AISystem, Channel, OversightPolicy

__all__ = ["Applied", "Registry"]

logger = logging.getLogger(__name__)


class Registry:
    """The read model of everything applied. Safe to use from several threads.

    Only `refresh` and `artifact` touch the database; all else answers from memory, from
    the moment of the last refresh that succeeded, however long ago. Before the first one,
    answers raise `StoreUnavailable`: not knowing is not the same as knowing of nothing.

    Parameters
    ----------
    database, clock
        Where objects are, and how time passes.
    max_age
        A refresh within this time of the last one does nothing.
    """

    def __init__(
        self, database: Database, clock: Clock, max_age: timedelta = timedelta(seconds=1)
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_age = max_age.total_seconds()
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._asked_at: float | None = None
        self._is_stale = False

    def refresh(self) -> None:
        """Look whether anything was applied, and read it if so.

        Raises
        ------
        StoreUnavailable
            The database is away and nothing was ever read. Later on, the last answer is
            kept and a warning is logged when this begins.
        """
        with self._lock:
            asked_at = self._clock.monotonic()
            if self._asked_at is not None and asked_at - self._asked_at < self._max_age:
                return
            try:
                self._snapshot = self._read()
            except StoreUnavailable as error:
                if self._snapshot is None:
                    raise
                self._note_stale(error)
            else:
                self._is_stale = False
            self._asked_at = asked_at

    @property
    def is_stale(self) -> bool:
        """Whether the last refresh failed, so that answers are older than they should be."""
        return self._is_stale

    def systems(self) -> Mapping[str, AISystem]:
        """Return every system that is in force, by name."""
        return self._now().systems

    def system(self, name: str) -> AISystem | None:
        """Return one system, or None if none of that name is in force."""
        return self._now().systems.get(name)

    def withdrawn(self) -> Mapping[str, Withdrawal]:
        """Return the systems that were withdrawn and not applied again, by name."""
        return self._now().withdrawn

    def pauses(self, name: str) -> tuple[Pause, ...]:
        """Return the times in which a system that is in force was withdrawn, oldest first."""
        return self._now().pauses.get(name, ())

    def versions(self, name: str) -> frozenset[str]:
        """Return the versions declared for a system or with a reference; empty = any."""
        return self._now().versions.get(name, frozenset())

    def policies(self) -> Mapping[str, Applied[OversightPolicy]]:
        """Return every policy by name."""
        return self._now().policies

    def policies_for(self, system: str) -> tuple[Applied[OversightPolicy], ...]:
        """Return the policies that name a system, in the order of their names."""
        return self._now().policies_of.get(system, ())

    def channels(self) -> Mapping[str, Applied[Channel]]:
        """Return every channel by name."""
        return self._now().channels

    def reference_id(self, system: str, version: str) -> str | None:
        """Return the id of the approved reference of a version, or None without one."""
        return self._now().references.get((system, version))

    def unreadable(self) -> Mapping[str, str]:
        """Return why stored objects are left out, by `Kind/name`: for probes and pages."""
        return self._now().unreadable

    def artifact(self, reference_id: str) -> bytes:
        """Return the bytes of a reference, from the database.

        Raises
        ------
        NotFound
            There is no such reference.
        StoreUnavailable
            The database does not answer.
        """
        query = sa.select(references.c.artifact).where(references.c.id == reference_id)
        with self._database.read() as c:
            artifact: bytes | None = c.execute(query).scalar_one_or_none()
        if artifact is None:
            raise NotFound(f"there is no reference {reference_id}; apply or build it first")
        return artifact

    def _now(self) -> Snapshot:
        if self._snapshot is None:
            raise StoreUnavailable("nothing was read from the database yet; call refresh first")
        return self._snapshot

    def _read(self) -> Snapshot:
        with self._database.read() as c:
            stamp = read_stamp(c)
            if self._snapshot is not None and self._snapshot.stamp == stamp:
                return self._snapshot
            fresh = read_snapshot(c, stamp)
        for name, problem in fresh.unreadable.items():
            logger.error("object_unreadable", extra={"object": name, "problem": problem})
        return fresh

    def _note_stale(self, error: StoreUnavailable) -> None:
        if not self._is_stale:
            logger.warning("registry_stale", extra={"reason": str(error)})
        self._is_stale = True
