"""One ingest process: settings, wiring, a server, and an orderly end."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable

from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_ingest.wiring import MEMORY, Parts, create_app, opened
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys
from watchkeeper_shared.db.migrations import require
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.eventlog.opening import log_of
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.logs import configure
from watchkeeper_shared.observability.pages import process_registry
from watchkeeper_shared.observability.serving import serve, stop_on_signals
from watchkeeper_shared.settings import environment, read


def run(
    settings: IngestSettings,
    host: str,
    port: int,
    stop: threading.Event,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until `stop` is set; then finish what is in flight, send it, and return.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    on_ready
        Called once with the URL, when requests are taken.

    Raises
    ------
    ConfigError
        The address cannot be listened on, or a setting cannot work.
    """
    clock = SystemClock()
    engine = open_engine(settings.database_url)
    database = Database(engine)
    schema = require(engine)
    log = log_of(settings, clock)
    parts = Parts(
        settings=settings,
        clock=clock,
        log=log,
        registry=Registry(database, clock, MEMORY),
        keys=Keys(database, clock),
        health=Health(clock),
        metrics=process_registry(),
    )
    parts.health.check("schema", schema)
    try:
        with opened(parts) as routes:
            _spare_the_collector()
            serve(create_app(parts, routes), host, port, stop, on_ready)
    finally:
        log.close()
        engine.dispose()


def _spare_the_collector() -> None:
    """Leave out of every collection what lives as long as the process, and collect less often.

    Requests make many short-lived objects and hardly a cycle; walking all modules for each few
    hundred of them is a good part of what a small request costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def main(host: str = "127.0.0.1", port: int = 8081) -> None:
    """Run the process from its environment, until SIGTERM or SIGINT."""
    configure("ingest", sys.stderr)
    stop = threading.Event()
    stop_on_signals(stop)
    run(read(IngestSettings, environment()), host, port, stop)
