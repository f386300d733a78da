"""`watchkeeper monitor`: one service in a process of its own."""

from __future__ import annotations

import click

from watchkeeper.options import of_a_server
from watchkeeper.serving import announce, told_to_stop
from watchkeeper_monitor.main import run
from watchkeeper_monitor.settings import MonitorSettings
from watchkeeper_shared.settings import environment, read


@click.command()
@of_a_server(8082)
def monitor(host: str, port: int) -> None:
    """Read the event log, measure, judge, and tell of breaches.

    The port carries health and metrics too. SIGTERM and Ctrl-C let what is in flight finish.
    """
    settings = read(MonitorSettings, environment())
    with told_to_stop("monitor") as stop:
        run(settings, host, port, stop, announce)
