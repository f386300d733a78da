"""One alerting process: settings, wiring, a server, and an orderly end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from watchkeeper_alerting.backtesting import Backtester
from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_alerting.wiring import Alerting, build
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys
from watchkeeper_shared.db.migrations import require
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import log_of
from watchkeeper_shared.observability import callers, pages, problems
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.logs import configure
from watchkeeper_shared.observability.loops import turning
from watchkeeper_shared.observability.serving import serve, stop_on_signals
from watchkeeper_shared.settings import environment, read


def run(  # noqa: PLR0913, PLR0917 - one argument per thing that a process has once
    settings: AlertingSettings,
    host: str,
    port: int,
    stop: threading.Event,
    on_ready: Callable[[str], None] = lambda _url: None,
    secrets: Mapping[str, str] | None = None,
    backtester: Backtester | None = None,
) -> None:
    """Serve and work until `stop` is set; then finish what is in flight, and return.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    on_ready
        Called once with the URL, when requests are taken.
    secrets
        Where channels find their secrets; left out, the process's environment.
    backtester
        Answers backtests; left out, the API says that this process answers none.

    Raises
    ------
    ConfigError
        The address cannot be listened on, or a setting cannot work.
    """
    clock = SystemClock()
    database = Database(open_engine(settings.database_url))
    schema = require(database.engine)
    log = log_of(settings, clock)
    health, metrics = Health(clock), pages.process_registry()
    health.check("database", database.ping)
    health.check("schema", schema)
    health.check("event log", log.ping)
    alerting = build(
        options=settings,
        log=log,
        database=database,
        clock=clock,
        health=health,
        metrics=metrics,
        environment=environment() if secrets is None else secrets,
        url=f"http://{host}:{port}",
        backtester=backtester,
    )
    try:
        with turning(alerting, stop):
            app = create_app(alerting, Keys(database, clock), health, metrics)
            serve(app, host, port, stop, on_ready)
    finally:
        log.close()
        database.close()


def create_app(
    alerting: Alerting, keys: Keys, health: Health, metrics: CollectorRegistry
) -> FastAPI:
    """Return an application with alerting alone: its routes, the probes and the figures."""
    app = FastAPI(title="Watchkeeper alerting", docs_url=None, redoc_url=None)
    problems.install(app)
    callers.install(app, keys)
    app.include_router(pages.router(health, metrics))
    alerting.install(app)
    return app


def main(host: str = "127.0.0.1", port: int = 8080) -> None:
    """Run the process from its environment, until SIGTERM or SIGINT."""
    configure("alerting", sys.stderr)
    stop = threading.Event()
    stop_on_signals(stop)
    run(read(AlertingSettings, environment()), host, port, stop)
