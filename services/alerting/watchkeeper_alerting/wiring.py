"""How alerting is put together; the only place that names adapters.

breaches.v1 ─► Worker ─► database ─► Deliverers ─► webhook, Alertmanager, e-mail
                            │ └─► Relay ─► control.v1, breaches.v1.dlq
                            └─► API, console, exporter
"""

from __future__ import annotations

import os
import random
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.api import application
from watchkeeper_alerting.api.context import Context
from watchkeeper_alerting.backtesting import Backtester
from watchkeeper_alerting.channels.opening import Opener
from watchkeeper_alerting.control import OWNER
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.deliverer import Deliverer
from watchkeeper_alerting.exporter import Exporter
from watchkeeper_alerting.handling import Handler
from watchkeeper_alerting.lanes import Lanes
from watchkeeper_alerting.retention import Retention
from watchkeeper_alerting.settings import AlertingOptions
from watchkeeper_alerting.worker import Worker
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.relay import Relay
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.port import EventLog, LogWriter
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.loops import Loop, Loops
from watchkeeper_shared.observability.watchdog import Watchdog

_TURN = timedelta(seconds=150)
"""A healthy turn may wait for the database, a slow receiver, or both."""

_STALLED = timedelta(minutes=5)
"""A turn that takes longer hangs: the process ends, and another one reads on."""


class Alerting:
    """The alerting of one process: its threads and its routes.

    Parameters
    ----------
    loops
        What turns.
    writer, client
        What is let go of at the end.
    context
        For the routes.
    """

    def __init__(
        self, loops: Loops, writer: LogWriter, client: httpx.Client, context: Context
    ) -> None:
        self._loops = loops
        self._writer = writer
        self._client = client
        self._context = context

    @property
    def failure(self) -> BaseException | None:
        """The bug that ended one of the threads, if one did."""
        return self._loops.failure

    def install(self, app: FastAPI) -> None:
        """Put the API and the console on `app`.

        The app also needs `problems.install` and `callers.install` of `watchkeeper_shared`,
        once for all services on it.
        """
        application.install(app, self._context)

    def start(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Begin to work, in threads of our own; call `on_failure` when a bug ended one."""
        self._loops.start(on_failure)

    def stop(self) -> None:
        """Finish what is in flight and wait for the threads. Idempotent."""
        self._loops.stop()
        self._writer.close()
        self._client.close()


def build(  # noqa: PLR0913 - one argument per thing that a process has once
    *,
    options: AlertingOptions,
    log: EventLog,
    database: Database,
    clock: Clock,
    health: Health,
    metrics: CollectorRegistry,
    environment: Mapping[str, str],
    url: str,
    backtester: Backtester | None = None,
) -> Alerting:
    """Put alerting together; nothing runs yet.

    Parameters
    ----------
    environment
        Where channels find their secrets, by the name in `secret_env`.
    url
        Where this process is served; used in links when no public URL is set.
    backtester
        Answers `POST /v1/backtests`; the maths is the monitor's, so it is handed in.
    """
    public_url = (options.public_url or url).rstrip("/")
    counters = Counters(metrics)
    metrics.register(Exporter(database, Registry(database, clock), clock))
    writer = log.writer()
    client = httpx.Client()
    name = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
    worker = Worker(log, database, clock, Handler(public_url), counters, name)
    health.check("breaches", worker.ready)
    opener = Opener(client, environment, options.alertmanager_repeat)
    rng = random.Random()  # noqa: S311 - spreads retries, keeps no secret
    watchdog = Watchdog(clock, _STALLED)

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        def turned() -> None:
            beat()
            watchdog.progressed()

        worker.run(stop, turned)

    loops: dict[str, Loop] = {
        "alerting-worker": work,
        "alerting-watchdog": watchdog.run,
        "alerting-relay": Relay(database, writer, OWNER, clock).run,
        "alerting-retention": Retention(database, clock, options.delivery_retention).run,
    }
    lanes = Lanes(clock)
    for number in range(options.delivery_threads):
        deliverer = Deliverer(database, clock, opener, counters, rng, lanes)
        loops[f"alerting-deliverer-{number}"] = deliverer.run
    context = Context(
        database,
        clock,
        public_url,
        options.control_body_bytes,
        options.session_length,
        backtester,
    )
    return Alerting(Loops(loops, health, _TURN), writer, client, context)
