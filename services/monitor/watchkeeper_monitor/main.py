"""One monitor process: settings, wiring, health pages, and an orderly end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_monitor.wiring import build
from watchkeeper_shared.allocation import share_one_heap
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.migrations import require
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import log_of
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.logs import configure
from watchkeeper_shared.observability.loops import turning
from watchkeeper_shared.observability.pages import probe_app, process_registry
from watchkeeper_shared.observability.serving import serve, stop_on_signals
from watchkeeper_shared.settings import environment, read


def run(
    settings: MonitorSettings,
    host: str,
    port: int,
    stop: threading.Event,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Monitor until `stop` is set; then store what was read, and return.

    Parameters
    ----------
    host, port
        Where health and metrics are served; port 0 takes a free one.
    on_ready
        Called once with the URL.

    Raises
    ------
    ConfigError
        The address cannot be listened on, or a setting cannot work.
    """
    share_one_heap()
    clock = SystemClock()
    database = Database(open_engine(settings.database_url))
    schema = require(database.engine)
    log = log_of(settings, clock)
    health, metrics = Health(clock), process_registry()
    health.check("database", database.ping)
    health.check("schema", schema)
    health.check("log", log.ping)
    monitor = build(
        log=log,
        database=database,
        clock=clock,
        health=health,
        metrics=metrics,
        pace=settings,
        evidence=settings,
        retention=settings,
    )
    try:
        with turning(monitor, stop):
            serve(probe_app(health, metrics), host, port, stop, on_ready)
    finally:
        log.close()
        database.close()


def main(host: str = "127.0.0.1", port: int = 8082) -> None:
    """Run the process from its environment, until SIGTERM or SIGINT."""
    configure("monitor", sys.stderr)
    stop = threading.Event()
    stop_on_signals(stop)
    run(read(MonitorSettings, environment()), host, port, stop)
