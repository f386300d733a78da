"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchkeeper.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)


def of_a_client(command: _Command) -> _Command:
    """Add `--url` and `--token`, which WATCHKEEPER_URL and WATCHKEEPER_TOKEN set as well."""
    url = click.option(
        "--url",
        envvar="WATCHKEEPER_URL",
        default="http://127.0.0.1:8080",
        show_default=True,
        help="Where Watchkeeper serves (WATCHKEEPER_URL).",
    )
    token = click.option(
        "--token",
        envvar="WATCHKEEPER_TOKEN",
        default="",
        help="The API key (WATCHKEEPER_TOKEN; `up` writes one to DIR/admin.token).",
    )
    return url(token(command))


def of_a_table(command: _Command) -> _Command:
    """Add `--map field=column`."""
    return click.option(
        "--map",
        "pairs",
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Take FIELD from COLUMN of the file, such as prediction=yhat. Repeatable.",
    )(command)


def client(url: str, token: str) -> Client:
    """Return the client that the options describe."""
    return Client(url, token)


def of_a_server(port: int) -> Callable[[_Command], _Command]:
    """Add `--host` and `--port`."""

    def add(command: _Command) -> _Command:
        host = click.option("--host", default="127.0.0.1", show_default=True)
        number = click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=port,
            show_default=True,
            help="0 takes a free one.",
        )
        return host(number(command))

    return add
