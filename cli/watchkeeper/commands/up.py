"""`watchkeeper up`: everything in one process, with nothing but a folder."""

from __future__ import annotations

from pathlib import Path

import click

from watchkeeper import allinone
from watchkeeper.folder import Folder
from watchkeeper.options import of_a_server
from watchkeeper.serving import announce, told_to_stop
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.settings import environment


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where the event log, the database and the first key are kept.",
)
@of_a_server(8080)
def up(data: Path, host: str, port: int) -> None:
    """Run ingest, monitor and alerting in one process, on one port.

    Keeps everything in the folder: the event log (log.db), the database (state.db) and an
    admin's API key (admin.token, made on the first start). A second start goes on where the
    first one stopped. SIGTERM and Ctrl-C let requests in flight finish.
    """
    folder = Folder(data.absolute())
    with told_to_stop("watchkeeper") as stop:
        allinone.run(folder, (host, port), environment(), SystemClock(), stop, announce)
