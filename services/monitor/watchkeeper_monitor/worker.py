"""One turn of the monitor: poll → fold → flush when due → judge when due.

The loop is the only place that catches errors by branch. *Again* (the log or the database
is away): pause, keep polling so that the group keeps us, try later; nothing is lost, because
positions move only with the state. *Never* (fenced): drop what was read. Anything else is a
bug and stops the process; while judging, only the watch over that system (`judge.aside`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from watchkeeper_monitor.flush.committing import Committer
from watchkeeper_monitor.judge.judge import Judge
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.partitions import Partitions
from watchkeeper_monitor.records import intake
from watchkeeper_monitor.records.pending import Pending
from watchkeeper_monitor.settings import Pace
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import (
    Fenced,
    LogUnavailable,
    RetryableError,
    StoreUnavailable,
)
from watchkeeper_shared.eventlog.port import Poll, Record
from watchkeeper_shared.observability.watchdog import Watchdog

logger = logging.getLogger(__name__)

_POLL = timedelta(milliseconds=200)
_FIRST_PAUSE = 0.1
_MOST_PIECES = 200
_BETWEEN_LOOKS = 10.0
"""How often it is asked whether a topic was made again."""


class Worker:
    """Reads, stores and judges. One thread.

    Parameters
    ----------
    partitions
        Joins the group: called at the start, and again after the log was away.
    registry, clock
        What is applied, and how time passes.
    committer, judge
        The two things that write.
    pace, meters
        How often, and what is told about it.
    watchdog
        Told of progress.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all are collaborators, wired once
        self,
        partitions: Callable[[], Partitions],
        registry: Registry,
        clock: Clock,
        committer: Committer,
        judge: Judge,
        pace: Pace,
        meters: Meters,
        watchdog: Watchdog,
    ) -> None:
        self._join = partitions
        self._registry = registry
        self._clock = clock
        self._committer = committer
        self._judge = judge
        self._pace = pace
        self._meters = meters
        self._watchdog = watchdog
        self._partitions: Partitions | None = None
        self._flushed_at = self._judged_at = self._resume_at = self._looked_at = clock.monotonic()
        self._pause, self._is_judging = 0.0, False
        self._trouble = "the log was not joined yet"

    def ready(self) -> None:
        """Return if this worker works, as far as it knows.

        Raises
        ------
        RetryableError
            It did not join the log yet, waits for something, or leaves a topic unread.
        """
        if self._trouble:
            raise RetryableError(self._trouble)
        for topic, reason in (self._partitions.stopped if self._partitions else {}).items():
            raise RetryableError(f"{topic} is not read: {reason}; see its dead letters")

    def run(self, stop: Event, beat: Callable[[], None]) -> None:
        """Turn until `stop` is set, then finish; call `beat` on every turn."""
        while not stop.is_set():
            beat()
            self.step(_POLL)
        self.finish()

    def step(self, timeout: timedelta) -> bool:
        """Turn once, waiting at most `timeout` for records; return whether there was work."""
        if self._partitions is None and self._clock.monotonic() < self._resume_at:
            # A log that refuses connections answers at once: asked again without a pause, it
            # would be asked thousands of times a second.
            Event().wait(timeout.total_seconds())
            return True
        try:
            if self._partitions is None:
                self._partitions = self._join()
            polled = self._partitions.poll(timedelta(0) if self._is_judging else timeout)
            if self._clock.monotonic() < self._resume_at:
                return True
            worked = self._work(self._partitions, polled)
        except StoreUnavailable as error:
            self._store_is_away(error)
            return True
        except LogUnavailable as error:
            self._log_is_away(error)
            return True
        except RetryableError as error:
            self._hold("reading_waits", error)
            return True
        self._pause, self._trouble = 0.0, ""
        self._meters.store_away.set(0)
        if not self._partitions.ready:
            self._watchdog.progressed()
        return worked

    def _work(self, partitions: Partitions, polled: Poll) -> bool:
        self._registry.refresh()
        self._look_for_new_topics(partitions)
        started = partitions.claim()
        for record in polled.records:
            # What was polled before its partition was started anew is not what comes next.
            if record.at not in started:
                self._take(partitions, record)
        worked = bool(polled.records or polled.assigned)
        if self._is_old():
            worked |= self._flush(partitions)
        if self._is_judging_due():
            worked |= self._judge_all(partitions)
        return worked

    def _take(self, partitions: Partitions, record: Record) -> None:
        alone = partitions.is_suspect(record)
        if alone:
            self._flush(partitions)
            partitions.suspect(record)
        partitions.take(record, lambda one: intake.read(one, self._registry))
        if alone or self._is_full(partitions):
            self._flush(partitions)

    def _look_for_new_topics(self, partitions: Partitions) -> None:
        if self._clock.monotonic() - self._looked_at >= _BETWEEN_LOOKS:
            partitions.notice_renewed()
            self._looked_at = self._clock.monotonic()

    def _is_full(self, partitions: Partitions) -> bool:
        pace = self._pace
        return partitions.rows >= pace.flush_rows or partitions.size >= pace.flush_bytes

    def _is_old(self) -> bool:
        age = self._clock.monotonic() - self._flushed_at
        return age >= self._pace.flush_interval.total_seconds()

    def _flush(self, partitions: Partitions) -> bool:
        """Store what is pending; return whether there was anything."""
        self._flushed_at = self._clock.monotonic()
        ready = partitions.ready
        if not ready:
            return False
        try:
            self._store(partitions, ready)
        except Fenced:
            self._store_each(partitions, ready)
        return True

    def _store_each(self, partitions: Partitions, ready: list[Pending]) -> None:
        """Find out which partition has another owner, and store the others."""
        for pending in ready:
            try:
                self._store(partitions, [pending])
            except Fenced:
                partitions.fenced(pending.claim.at)

    def _store(self, partitions: Partitions, ready: list[Pending]) -> None:
        done = self._committer.commit(ready)
        partitions.flushed(done.claims)
        self._watchdog.progressed()

    def _is_judging_due(self) -> bool:
        age = self._clock.monotonic() - self._judged_at
        return age >= self._pace.judge_interval.total_seconds()

    def _judge_all(self, partitions: Partitions) -> bool:
        """Judge a bounded piece; if more is waiting, the next turn goes on with it."""
        partitions.show_lag()
        self._is_judging = False
        self._is_judging = self._judge.step(partitions.lag)
        if not self._is_judging:
            self._judged_at = self._clock.monotonic()
        return self._is_judging

    def _store_is_away(self, error: StoreUnavailable) -> None:
        self._meters.store_away.set(1)
        self._hold("store_away", error)

    def _hold(self, event: str, error: RetryableError) -> None:
        """Stay in the group, hold nothing, and start again from the stored positions."""
        if self._partitions is not None:
            self._partitions.claim_again()
        self._wait(event, error)

    def _log_is_away(self, error: LogUnavailable) -> None:
        self.close()
        self._wait("log_away", error)

    def _wait(self, event: str, error: RetryableError) -> None:
        longest = self._pace.longest_pause.total_seconds()
        self._pause = min(longest, max(_FIRST_PAUSE, 2 * self._pause))
        self._resume_at = self._clock.monotonic() + self._pause
        self._trouble = str(error)
        self._watchdog.progressed()  # known, told, and not for a restart to end
        logger.warning(event, extra={"reason": str(error), "pause_seconds": self._pause})

    def settle(self) -> bool:
        """Flush and judge all there is now; return whether nothing is left. Faults are raised."""
        partitions = self._partitions
        if partitions is None or self._clock.monotonic() < self._resume_at:
            return False
        try:
            self._flush(partitions)
            self._judge.begin_anew()
            is_done = any(not self._judge_all(partitions) for _ in range(_MOST_PIECES))
            self._judge.raise_trouble()
            return is_done and partitions.is_caught_up()
        except StoreUnavailable as error:
            self._store_is_away(error)
        except LogUnavailable as error:
            self._log_is_away(error)
        return False

    def finish(self) -> None:
        """Store what is pending, if it can be stored, and leave the group."""
        try:
            if self._partitions is not None:
                self._flush(self._partitions)
                self._judge.give_back()
                self._partitions.release()
        except (StoreUnavailable, LogUnavailable) as error:
            # The next owner reads it again from the stored position; leases expire.
            logger.warning("unflushed_at_stop", extra={"reason": str(error)})
        self.close()

    def close(self) -> None:
        """Leave the group at once; what is pending is read again by the next owner."""
        if self._partitions is not None:
            self._partitions.close()
            self._partitions = None
