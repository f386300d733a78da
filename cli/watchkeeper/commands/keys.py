"""`watchkeeper key create`: an API key, made on the database itself."""

from __future__ import annotations

import click

from watchkeeper_alerting import keys
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.settings import StoreSettings, environment, read

_ACTOR = "command line"


@click.group()
def key() -> None:
    """Create API keys."""


@key.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", required=True, help="Whose key it is; stands in the audit log.")
@click.option(
    "--system",
    "systems",
    multiple=True,
    help="A system that a publisher may publish for. Repeatable; left out: all of them.",
)
def create(role: str, name: str, systems: tuple[str, ...]) -> None:
    """Make a key in WATCHKEEPER_DATABASE_URL and print its token, once, last on its line."""
    engine = open_engine(read(StoreSettings, environment()).database_url)
    try:
        with Database(engine).transaction() as c:
            token = keys.create(
                c,
                Role(role),
                name,
                systems or keys.EVERY_SYSTEM,
                actor=_ACTOR,
                now=SystemClock().now(),
            )
    finally:
        engine.dispose()
    click.echo(f"{role} key for {name}, shown only now: {token}")
