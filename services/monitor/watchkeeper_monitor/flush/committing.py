"""What is pending, checked, committed and counted: what the worker asks for when a flush is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from watchkeeper_monitor.flush.flushing import Flushed, Flusher
from watchkeeper_monitor.flush.versions import Versions
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.records import intake
from watchkeeper_monitor.records.pending import Pending
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict

_TRIES = 3


class Committer:
    """Commits what is pending. One thread.

    Parameters
    ----------
    database, registry, clock
        Where state goes, what is applied, and what time it is.
    flusher
        What is written in the transaction.
    versions
        Which versions of a system are watched.
    meters
        What is told about it.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        clock: Clock,
        flusher: Flusher,
        versions: Versions,
        meters: Meters,
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._flusher = flusher
        self._versions = versions
        self._meters = meters

    def commit(self, ready: Sequence[Pending]) -> Flushed:
        """Refuse what does not hold, and store the rest in one transaction.

        Raises
        ------
        Fenced
            One of the partitions has another owner now; nothing was stored.
        StoreUnavailable
            The database is away: whether it was stored, the stored positions say.
        """
        started = self._clock.monotonic()
        for pending in ready:
            now, admit = self._clock.now(), self._versions.admit
            self._count(intake.check(pending, self._registry, now, admit))
        done = self._flushed(ready)
        self._meters.flush_seconds.observe(self._clock.monotonic() - started)
        self._note(ready, done)
        return done

    def _flushed(self, ready: Sequence[Pending]) -> Flushed:
        """Flush; again if another worker stored one of the same predictions in between."""
        for left in reversed(range(_TRIES)):
            try:
                with self._database.transaction() as c:
                    return self._flusher.flush(c, ready, self._clock.now())
            except Conflict:
                if not left:
                    raise
        raise AssertionError  # the loop returns or raises

    def _count(self, refused: Counter[str]) -> None:
        for code, count in refused.items():
            self._meters.decode_errors.labels(code).inc(count)

    def _note(self, ready: Sequence[Pending], done: Flushed) -> None:
        for kind, count in done.rows.items():
            self._meters.rows.labels(kind).inc(count)
        self._meters.duplicates.inc(done.total("duplicates"))
        self._meters.late_rows.inc(done.total("late"))
        self._count(done.refused)
        now = self._clock.now()
        for at, watermark in done.watermarks.items():
            age = (now - watermark).total_seconds()
            self._meters.watermark_lag.labels(at.topic, str(at.partition)).set(age)
        for pending in ready:
            if pending.newest is not None:
                at, age = pending.claim.at, (now - pending.newest).total_seconds()
                self._meters.lag_seconds.labels(at.topic, str(at.partition)).set(max(age, 0.0))
