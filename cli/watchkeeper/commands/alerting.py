"""`watchkeeper alerting`: one service in a process of its own."""

from __future__ import annotations

import click

from watchkeeper.backtester import ChildBacktester
from watchkeeper.options import of_a_server
from watchkeeper.serving import announce, told_to_stop
from watchkeeper_alerting.main import run
from watchkeeper_alerting.settings import AlertingSettings
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.settings import environment, read


@click.command()
@of_a_server(8080)
def alerting(host: str, port: int) -> None:
    """Serve the console and the API, open alerts and tickets, and send notifications.

    The port carries health and metrics too. SIGTERM and Ctrl-C let what is in flight finish.
    """
    env = environment()
    settings = read(AlertingSettings, env)
    with told_to_stop("alerting") as stop:
        backtester = ChildBacktester(env, SystemClock(), stop)
        run(settings, host, port, stop, announce, backtester=backtester)
