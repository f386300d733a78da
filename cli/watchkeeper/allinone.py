"""Ingest, monitor and alerting in one process: one folder, one port, no server.

folder ─► schema, topics, first key ─► ingest + monitor + alerting ─► one application ─► port
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from watchkeeper.backtester import ChildBacktester
from watchkeeper.folder import Folder
from watchkeeper.forgetting import forgetting
from watchkeeper_alerting import wiring as alerting
from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_ingest import wiring as ingest
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_monitor import wiring as monitor
from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_shared.allocation import share_one_heap
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Keys
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.eventlog.opening import create_topics, open_log
from watchkeeper_shared.eventlog.port import EventLog
from watchkeeper_shared.observability import callers, pages, problems
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.observability.loops import turning
from watchkeeper_shared.settings import read


@dataclass(frozen=True, slots=True)
class Process:
    """What the three services share in one process."""

    env: Mapping[str, str]
    clock: Clock
    engine: sa.Engine
    database: Database
    log: EventLog
    keys: Keys
    health: Health
    metrics: CollectorRegistry


def run(
    folder: Folder,
    address: tuple[str, int],
    env: Mapping[str, str],
    clock: Clock,
    stop: threading.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until `stop` is set, then finish what is in flight and return.

    Parameters
    ----------
    folder
        Where everything is kept; what is there already is gone on with.
    address
        Host and port; port 0 takes a free one.
    env
        Settings of the services; where the log and the database are is the folder's.
    on_ready
        Called once with the URL, when requests are taken.

    Raises
    ------
    ConfigError
        The folder or the address cannot be used, or a setting cannot be read.
    """
    share_one_heap()
    host, port = address[0], address[1] or _free_port(address[0])
    folder.make()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with _process(folder, env, clock) as process, _application(process, url, stop) as app:
        pages.serve(app, host, port, stop, on_ready)


@contextmanager
def _process(folder: Folder, env: Mapping[str, str], clock: Clock) -> Iterator[Process]:
    own = folder.environment(env)
    settings = read(MonitorSettings, own)
    engine = open_engine(settings.database_url)
    log = open_log(None, settings.log_path, clock)
    try:
        migrations.upgrade(engine)
        create_topics(log, settings.topic_partitions)
        database = Database(engine)
        health = Health(clock)
        health.check("database", database.ping)
        folder.ensure_token(database, clock)
        keys, metrics = Keys(database, clock), pages.process_registry()
        with forgetting(log, settings, health):
            yield Process(own, clock, engine, database, log, keys, health, metrics)
    finally:
        log.close()
        engine.dispose()


@contextmanager
def _application(process: Process, url: str, stop: threading.Event) -> Iterator[FastAPI]:
    """Yield one application with every route; the services run while the block does."""
    app = FastAPI(title="Watchkeeper", docs_url=None, redoc_url=None)
    problems.install(app)
    callers.install(app, process.keys)
    app.include_router(pages.router(process.health, process.metrics))
    with ExitStack() as stack:
        # Left in reverse: first nothing more comes in, then what came in is worked off.
        people = stack.enter_context(_alerting(process, url, stop))
        stack.enter_context(_monitor(process, stop))
        app.include_router(stack.enter_context(ingest.opened(_ingest_parts(process))))
        people.install(app)
        yield app


def _ingest_parts(process: Process) -> ingest.Parts:
    return ingest.Parts(
        settings=read(IngestSettings, process.env),
        clock=process.clock,
        log=process.log,
        registry=Registry(process.database, process.clock, ingest.MEMORY),
        keys=process.keys,
        health=process.health,
        metrics=process.metrics,
    )


@contextmanager
def _alerting(process: Process, url: str, stop: threading.Event) -> Iterator[alerting.Alerting]:
    one = alerting.build(
        options=read(AlertingSettings, process.env),
        log=process.log,
        database=process.database,
        clock=process.clock,
        health=process.health,
        metrics=process.metrics,
        environment=process.env,
        url=url,
        backtester=ChildBacktester(process.env, process.clock, stop),
    )
    with turning(one, stop):
        yield one


@contextmanager
def _monitor(process: Process, stop: threading.Event) -> Iterator[None]:
    settings = read(MonitorSettings, process.env)
    one = monitor.build(
        log=process.log,
        database=process.database,
        clock=process.clock,
        health=process.health,
        metrics=process.metrics,
        pace=settings,
        evidence=settings,
        retention=settings,
    )
    with turning(one, stop):
        yield


def _free_port(host: str) -> int:
    """Choose now, so that links in notifications can name the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, 0), family=family) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}: {error.strerror or error}") from error
