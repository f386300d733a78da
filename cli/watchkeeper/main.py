"""The `watchkeeper` command: a list of commands, each loaded only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import NoReturn

import click

from watchkeeper_shared.errors import InvalidObject, WatchkeeperError

# name -> (module:attribute, one line of help). The line stands here, because importing
# every command to print it would make `watchkeeper --help` wait for numpy and Arrow.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("watchkeeper.commands.up:up", "Run everything in one process: no server needed."),
    "demo": ("watchkeeper.commands.demo:demo", "Watch three years of real inference logs."),
    "ingest": ("watchkeeper.commands.ingest:ingest", "Run the ingest service."),
    "monitor": ("watchkeeper.commands.monitor:monitor", "Run the monitor."),
    "alerting": ("watchkeeper.commands.alerting:alerting", "Run the alerting service."),
    "apply": ("watchkeeper.commands.apply:apply", "Apply systems, policies and channels."),
    "withdraw": ("watchkeeper.commands.withdraw:withdraw", "Take one of them out of force."),
    "reference": ("watchkeeper.commands.reference:reference", "Build and upload references."),
    "publish": ("watchkeeper.commands.publish:publish", "Send predictions and labels of a file."),
    "backtest": ("watchkeeper.commands.backtest:backtest", "Try a policy on what is stored."),
    "topics": ("watchkeeper.commands.topics:topics", "Create the topics of the event log."),
    "dlq": ("watchkeeper.commands.dlq:dlq", "List dead letters and send them back."),
    "key": ("watchkeeper.commands.keys:key", "Create, list and revoke API keys."),
    "db": ("watchkeeper.commands.database:db", "Bring the database to this version."),
}


def told(error: WatchkeeperError) -> str:
    """Return the error on one line; the mistakes of a file on one line each."""
    if isinstance(error, InvalidObject) and error.problems:
        return "\n".join(error.problems)
    return "; ".join(part.strip() for part in str(error).splitlines() if part.strip())


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and answers our errors in one line.

    Expected errors (`WatchkeeperError`) end with exit code 1 and one line on standard
    error; anything else is a bug and keeps its traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, the first steps first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry[0]} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; say what went wrong and what to do."""
        try:
            return super().invoke(ctx)
        except WatchkeeperError as error:
            raise click.ClickException(told(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="watchkeeper")
def group() -> None:
    """Keep watch over AI systems in production.

    Clients of a running Watchkeeper read WATCHKEEPER_URL and WATCHKEEPER_TOKEN; the
    services read WATCHKEEPER_DATABASE_URL, WATCHKEEPER_KAFKA_BOOTSTRAP and the other
    WATCHKEEPER_* variables.
    """


def main() -> NoReturn:
    """Run the command line."""
    group()
    raise SystemExit(0)
