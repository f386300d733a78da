"""What every command that serves has in common: logs, signals, and the line `ready URL`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from watchkeeper_shared.observability import logs
from watchkeeper_shared.observability.serving import stop_on_signals


@contextmanager
def told_to_stop(service: str) -> Iterator[threading.Event]:
    """Send logs to standard error and yield the event that SIGTERM and SIGINT set.

    Parameters
    ----------
    service
        Who speaks in the logs.
    """
    logs.configure(service, sys.stderr)
    stop = threading.Event()
    stop_on_signals(stop)
    yield stop


def announce(url: str) -> None:
    """Print the line that scripts wait for."""
    click.echo(f"ready {url}")
