"""`watchkeeper demo`: three years of real inference logs, from start to report."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from watchkeeper.demo.dataset import default_cache
from watchkeeper.demo.performance import Stage, performed
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.observability.serving import stop_on_signals
from watchkeeper_shared.settings import environment

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End after the report, also on a terminal.")
@click.option("--data", type=_FOLDER, help="Keep the files here; left out: a temporary folder.")
@click.option("--cache", type=_FOLDER, help="Where the data set is kept (~/.cache/watchkeeper).")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the console; 0: free.")
def demo(leave: bool, data: Path | None, cache: Path | None, port: int) -> None:  # noqa: FBT001
    """Watch three years of real inference logs: drift, fairness, alerts, tickets, evidence.

    Goes on serving until Ctrl-C on a terminal; ends by itself when there is none.
    """
    # A plain `kill` must stop the child as well, so it ends the demo like Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _folder(data) as folder:
        stage = Stage(
            folder, cache or default_cache(), port, environment(), SystemClock(), sys.stdout
        )
        with performed(stage):
            if not leave and sys.stdin.isatty() and sys.stdout.isatty():
                stage.say("\nServing until Ctrl-C.")
                stop = threading.Event()
                stop_on_signals(stop)
                stop.wait()


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="watchkeeper-demo-") as folder:
        yield Path(folder)
