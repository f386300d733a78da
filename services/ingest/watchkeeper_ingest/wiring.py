"""How ingest is put together; the only place that names adapters.

POST /v1/predictions, /v1/labels
  -> admission -> bodies -> deciding (events.codec -> acceptance) -> coalescing -> records -> log
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from watchkeeper_ingest import api
from watchkeeper_ingest.admission import Admission, Fuse
from watchkeeper_ingest.coalescing import Coalescer, Limits
from watchkeeper_ingest.deciding import Decider
from watchkeeper_ingest.freshness import Freshness
from watchkeeper_ingest.intake import Intake
from watchkeeper_ingest.metrics import IngestMetrics
from watchkeeper_ingest.records import Cut, Records
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Keys
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.eventlog.port import EventLog, LogWriter
from watchkeeper_shared.observability import callers, pages, problems
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.topics import LABELS, PREDICTIONS

_REFRESH_SECONDS = 0.5

MEMORY = timedelta(milliseconds=200)
"""The `max_age` that the registry of ingest must be made with: within it a refresh may do
nothing, so that is how long something unknown waits, at least, before it is refused."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What ingest needs from the process it runs in.

    Parameters
    ----------
    settings, clock
        The limits, and what time it is.
    log
        Where events go.
    registry
        What was declared, made with `MEMORY`; ingest refreshes it in a thread of its own.
    keys
        Who may publish.
    health, metrics
        The process's probes and its page of figures.
    """

    settings: IngestSettings
    clock: Clock
    log: EventLog
    registry: Registry
    keys: Keys
    health: Health
    metrics: CollectorRegistry


@contextmanager
def opened(parts: Parts) -> Iterator[APIRouter]:
    """Run ingest's threads while the block runs; yields the routes, for the process's app.

    Leave the block after the server has finished its requests: what they wait for is still
    sent. On leaving, everything that was handed over is sent or has failed its callers.
    """
    writer = parts.log.writer([PREDICTIONS.name, LABELS.name])
    stop = threading.Event()
    freshness = Freshness(parts.registry, parts.clock, MEMORY)
    freshness.refresh()
    try:
        with _intake(parts, writer, freshness) as intake:
            refresher = threading.Thread(
                target=_refresh,
                args=(freshness, parts.health, stop),
                name="ingest-registry",
                daemon=True,
            )
            refresher.start()
            try:
                yield api.router(intake)
            finally:
                stop.set()
                refresher.join()
    finally:
        writer.close()


def create_app(parts: Parts, routes: APIRouter) -> FastAPI:
    """Return an application with ingest alone: its routes, the probes and the figures."""
    app = FastAPI(title="Watchkeeper ingest", docs_url=None, redoc_url=None)
    problems.install(app)
    callers.install(app, parts.keys)
    app.include_router(routes)
    app.include_router(pages.router(parts.health, parts.metrics))
    return app


@contextmanager
def _intake(parts: Parts, writer: LogWriter, freshness: Freshness) -> Iterator[Intake]:
    settings = parts.settings
    metrics = IngestMetrics(parts.metrics)
    fuse = Fuse(parts.clock)
    cut = Cut(settings.ingest_record_rows, settings.ingest_batch_bytes)
    records = Records(writer, fuse, metrics, parts.clock, cut)
    limits = Limits(settings.ingest_linger_ms / 1000, settings.ingest_batch_rows)
    beat = parts.health.loop("ingest coalescer")
    coalescer = Coalescer(records, limits, parts.clock, beat)
    admission = Admission(
        settings.ingest_soft_inflight_bytes, settings.ingest_hard_inflight_bytes, metrics.inflight
    )
    intake = Intake(
        Decider(parts.registry, parts.clock, settings.ingest_max_rows, settings.ingest_max_age),
        parts.clock,
        settings,
        admission=admission,
        fuse=fuse,
        coalescer=coalescer,
        freshness=freshness,
        metrics=metrics,
    )
    parts.health.check("event log", parts.log.ping)
    parts.health.check("registry", parts.registry.systems)
    try:
        yield intake
    finally:
        coalescer.close()
        intake.close()
        parts.health.ended("ingest coalescer")


def _refresh(freshness: Freshness, health: Health, stop: threading.Event) -> None:
    """Keep the registry fresh, so that no request ever waits for the database."""
    beat = health.loop("ingest registry", timedelta(minutes=2))
    while not stop.wait(_REFRESH_SECONDS):
        beat()
        freshness.refresh()
    health.ended("ingest registry")
