"""Everything the monitor is made of, put together in one place.

log ─► Worker (Partitions ─► intake ─► Flusher; Judge) ─► database ─► Relay ─► log
                                                            └─► Desk ─► report of evidence
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from prometheus_client import CollectorRegistry

from watchkeeper_monitor.evidence.desk import Desk
from watchkeeper_monitor.evidence.process import MakerProcess
from watchkeeper_monitor.flush.committing import Committer
from watchkeeper_monitor.flush.flushing import OWNER, Flusher
from watchkeeper_monitor.flush.versions import Versions
from watchkeeper_monitor.judge.judge import Judge
from watchkeeper_monitor.judge.keeping import Keeper
from watchkeeper_monitor.judge.late_labels import LateLabels
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.partitions import CONSUMER, Partitions
from watchkeeper_monitor.records import intake
from watchkeeper_monitor.references.baselines import Baselines
from watchkeeper_monitor.settings import EvidenceSettings, Pace, Retention
from watchkeeper_monitor.store.shelf import Shelf
from watchkeeper_monitor.worker import Worker
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.claims import Claimant, Claims
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.relay import Relay
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.port import EventLog
from watchkeeper_shared.events.stops import Stops
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.loops import Loops
from watchkeeper_shared.observability.watchdog import Watchdog
from watchkeeper_shared.topics import LABELS, PREDICTIONS

KEPT = Retention()
_TURN = timedelta(seconds=120)
"""A healthy turn may wait for the database; PostgreSQL and SQLite give up after 30 seconds."""


class Monitor:
    """The monitor of one process: its threads, or none where a test turns it by hand.

    Parameters
    ----------
    worker, relay, desk
        What turns.
    loops
        The same and what watches over them, each in a thread of its own.
    """

    def __init__(self, worker: Worker, relay: Relay, desk: Desk, loops: Loops) -> None:
        self._worker = worker
        self._relay = relay
        self._desk = desk
        self._loops = loops

    @property
    def failure(self) -> BaseException | None:
        """The bug that ended one of the threads, if one did."""
        return self._loops.failure

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Begin to turn, in threads of our own; call `on_failure` when a bug ended one."""
        self._loops.start(on_failure)

    def stop(self) -> None:
        """Store what was read, leave the group, and wait for the threads. Idempotent."""
        self._loops.stop()
        self._worker.close()
        self._desk.close()

    def step(self, timeout: timedelta = timedelta(0)) -> bool:
        """Turn the worker once by hand; return whether there was work."""
        return self._worker.step(timeout)

    def run_until_idle(self, deadline: timedelta, clock: Clock) -> bool:
        """Turn by hand until everything in the log is read, stored, judged and sent.

        Returns
        -------
        bool
            False if the deadline passed first, by `clock`.
        """
        end = clock.monotonic() + deadline.total_seconds()
        while clock.monotonic() < end:
            self._worker.step(timedelta(milliseconds=20))
            if self._worker.settle() and not self._relay.step():
                return True
        return False


def build(  # noqa: PLR0913 - one argument per thing that a process has once
    *,
    log: EventLog,
    database: Database,
    clock: Clock,
    health: Health,
    metrics: CollectorRegistry,
    pace: Pace,
    evidence: EvidenceSettings,
    retention: Retention = KEPT,
    owner: str | None = None,
) -> Monitor:
    """Put a monitor together; nothing turns yet.

    Parameters
    ----------
    retention
        How long what was counted is kept.
    owner
        Who claims partitions and leases; unique among all processes.
    """
    name = owner or f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
    meters = Meters(metrics)
    # What ingest took is known here too: applied objects are asked for before each batch.
    registry = Registry(database, clock, max_age=timedelta(0))
    baselines = Baselines(registry)
    shelf = Shelf(pace.index_memory)

    late_labels = LateLabels(database, registry, baselines, shelf, clock, pace, meters)
    keeper = Keeper(database, registry, baselines, clock, retention, pace, meters)
    watchdog = Watchdog(clock, max(pace.stall_timeout, 3 * pace.flush_interval))
    stops = Stops(pace.tolerance, pace.dead_letter_pause, clock, meters.show_stopped)

    def join() -> Partitions:
        reader = log.reader(CONSUMER, [PREDICTIONS.name, LABELS.name])
        claims = Claims(reader, database, clock, Claimant(CONSUMER, name), meters.log_broke)
        sender = partial(intake.sender, registry=registry)
        return Partitions(reader, claims, stops, database, meters, sender)

    flusher = Flusher(
        registry, baselines, shelf, pace.sample_rows, pace.duplicate_rows, watchdog.progressed
    )
    versions = Versions(database, clock, pace.undeclared_versions)
    worker = Worker(
        join,
        registry,
        clock,
        Committer(database, registry, clock, flusher, versions, meters),
        Judge(database, registry, baselines, clock, name, pace, meters, late_labels, keeper),
        pace,
        meters,
        watchdog,
    )
    health.check("reading", worker.ready)
    maker = MakerProcess(evidence.evidence_timeout)
    desk = Desk(database, Registry(database, clock), clock, evidence, maker, meters)
    relay = Relay(database, log.writer(), OWNER, clock)
    turns = {
        "monitor": worker.run,
        "monitor-relay": relay.run,
        "monitor-watchdog": watchdog.run,
        "monitor-evidence": desk.run,
    }
    return Monitor(worker, relay, desk, Loops(turns, health, _TURN))
