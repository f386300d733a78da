"""`watchkeeper key`: API keys, made, listed and taken back on the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from watchkeeper.folder import Folder
from watchkeeper_alerting import keys
from watchkeeper_alerting.store import api_keys
from watchkeeper_alerting.store.api_keys import StoredKey
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.db.keys import Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.settings import StoreSettings, environment, read

_ACTOR = "command line"

_data = click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of `watchkeeper up`; left out: the database of WATCHKEEPER_DATABASE_URL.",
)


@click.group()
def key() -> None:
    """Create API keys, list them, take them back."""


@key.command()
@_data
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", required=True, help="Whose key it is; stands in the audit log.")
@click.option(
    "--system",
    "systems",
    multiple=True,
    help="A system that a publisher may publish for. Repeatable; left out: all of them.",
)
def create(data: Path | None, role: str, name: str, systems: tuple[str, ...]) -> None:
    """Make a key and print its token, once, last on its line."""
    with _opened(data) as database, database.transaction() as c:
        token = keys.create(
            c,
            Role(role),
            name,
            systems or keys.EVERY_SYSTEM,
            actor=_ACTOR,
            now=SystemClock().now(),
        )
    click.echo(f"{role} key for {name}, shown only now: {token}")


@key.command("list")
@_data
def listed(data: Path | None) -> None:
    """Print every key without its secret, a line each, oldest first."""
    with _opened(data) as database, database.read() as c:
        found = api_keys.listing(c)
    now = SystemClock().now()
    for one in found:
        click.echo(_line(one, now))


@key.command()
@_data
@click.argument("key_id")
@click.option("--reason", required=True, help="Why; stands in the audit log.")
def revoke(data: Path | None, key_id: str, reason: str) -> None:
    """Take a key back for good: the id is what `key list` shows, never the whole token.

    Services notice within seconds, and the console ends its sessions.
    """
    with _opened(data) as database, database.transaction() as c:
        keys.revoke(c, key_id, actor=_ACTOR, reason=reason, now=SystemClock().now())
    click.echo(f"key {key_id} is revoked")


@contextmanager
def _opened(data: Path | None) -> Iterator[Database]:
    env = environment() if data is None else Folder(data.absolute()).environment(environment())
    engine = open_engine(read(StoreSettings, env).database_url)
    try:
        yield Database(engine)
    finally:
        engine.dispose()


def _line(one: StoredKey, now: datetime) -> str:
    of = f" for {', '.join(one.systems)}" if one.role is Role.PUBLISHER else ""
    if one.revoked_at is not None:
        state = f"revoked {one.revoked_at:%Y-%m-%d %H:%M}Z"
    elif one.expires_at is not None and one.expires_at <= now:
        state = f"expired {one.expires_at:%Y-%m-%d %H:%M}Z"
    else:
        state = f"made {one.created_at:%Y-%m-%d %H:%M}Z"
    return f"{one.id} {one.role}{of} {one.name!r} {state}"
