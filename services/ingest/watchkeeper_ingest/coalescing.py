"""Small requests of one system share records on the log; each waits for its own events.

One thread gathers, encodes and appends, so the events of a system keep the order in which
they were handed over. A caller's future settles when every record that holds its events is
durable, or fails when one of them may not be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import pyarrow as pa

from watchkeeper_ingest.acceptance import Part
from watchkeeper_ingest.records import Records
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.events.rows import Kind

Done = Future[None]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a gathering is sent.

    Parameters
    ----------
    linger
        Seconds that the first part waits for others.
    rows
        Events from which on it does not wait.
    """

    linger: float
    rows: int


@dataclass(slots=True)
class _Gathering:
    """Parts that will share records."""

    due: float
    batches: list[pa.RecordBatch] = field(default_factory=list)
    callers: list[Done] = field(default_factory=list)
    rows: int = 0


class Coalescer:
    """Gathers parts per system and appends them. Safe to use from several threads.

    Parameters
    ----------
    records
        Encodes and appends.
    limits
        When a gathering is sent.
    clock
        For the linger.
    beat
        Called on each turn of the thread, for the liveness probe.
    """

    def __init__(
        self, records: Records, limits: Limits, clock: Clock, beat: Callable[[], None]
    ) -> None:
        self._records = records
        self._limits = limits
        self._clock = clock
        self._beat = beat
        self._gatherings: dict[tuple[Kind, str, str], _Gathering] = {}
        self._closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ingest-coalescer", daemon=True)
        self._thread.start()

    def submit(self, kind: Kind, part: Part) -> Done:
        """Hand over accepted events; the future settles once the log has all of them.

        The future fails with `LogUnavailable` when that is not known to be so: the events
        may or may not be in the log, and sending them again under the same ids is safe.
        """
        done: Done = Future()
        # A caller that goes away must not cancel what others share records with.
        done.set_running_or_notify_cancel()
        with self._change:
            if self._closing:
                done.set_exception(LogUnavailable("this process is stopping; send it again"))
                return done
            key = (kind, part.system, part.version)
            gathering = self._gatherings.get(key)
            if gathering is None:
                due = self._clock.monotonic() + self._limits.linger
                gathering = self._gatherings[key] = _Gathering(due)
                self._change.notify()
            gathering.batches.append(part.batch)
            gathering.callers.append(done)
            gathering.rows += part.batch.num_rows
            if gathering.rows >= self._limits.rows:
                gathering.due = float("-inf")
                self._change.notify()
        return done

    def close(self) -> None:
        """Take nothing more, send what was gathered, and return when it was handed over.

        What was handed over settles when the writer is closed. Idempotent.
        """
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._beat()
            for (kind, system, _), gathering in self._due():
                self._records.append(kind, system, gathering.batches, gathering.callers)
            with self._change:
                if self._closing and not self._gatherings:
                    return

    def _due(self) -> list[tuple[tuple[Kind, str, str], _Gathering]]:
        """Wait for gatherings whose time has come, and take them out."""
        with self._change:
            now = self._clock.monotonic()
            earliest = min((one.due for one in self._gatherings.values()), default=now + 1.0)
            if earliest > now and not self._closing:
                self._change.wait(min(earliest - now, 1.0))
                now = self._clock.monotonic()
            due = [
                (key, one)
                for key, one in self._gatherings.items()
                if self._closing or one.due <= now
            ]
            for key, _ in due:
                del self._gatherings[key]
        return due
