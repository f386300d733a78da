"""`watchkeeper up`: everything in one process, with nothing but a folder."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import click

from watchkeeper import allinone
from watchkeeper.folder import Folder
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.observability import logs
from watchkeeper_shared.observability.serving import stop_on_signals
from watchkeeper_shared.settings import environment


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where the event log, the database and the first key are kept.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def up(data: Path, host: str, port: int) -> None:
    """Run ingest, monitor and alerting in one process, on one port.

    Keeps everything in the folder: the event log (log.db), the database (state.db) and an
    admin's API key (admin.token, made on the first start). A second start goes on where the
    first one stopped. SIGTERM and Ctrl-C let requests in flight finish.
    """
    logs.configure("watchkeeper", sys.stderr)
    stop = threading.Event()
    stop_on_signals(stop)
    allinone.run(
        Folder(data.absolute()),
        (host, port),
        environment(),
        SystemClock(),
        stop,
        lambda url: click.echo(f"ready {url}"),
    )
