"""`watchkeeper ingest`: one service in a process of its own."""

from __future__ import annotations

import click

from watchkeeper.options import of_a_server
from watchkeeper.serving import announce, told_to_stop
from watchkeeper_ingest.main import run
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.settings import environment, read


@click.command()
@of_a_server(8081)
def ingest(host: str, port: int) -> None:
    """Take predictions and labels over HTTP and append them to the event log.

    The port carries health and metrics too. SIGTERM and Ctrl-C let what is in flight finish.
    """
    settings = read(IngestSettings, environment())
    with told_to_stop("ingest") as stop:
        run(settings, host, port, stop, announce)
