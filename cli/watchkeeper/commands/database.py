"""`watchkeeper db upgrade`: bring the database to this release's schema."""

from __future__ import annotations

import click

from watchkeeper_shared.db import migrations
from watchkeeper_shared.db.engine import open_engine
from watchkeeper_shared.settings import StoreSettings, environment, read


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the database in WATCHKEEPER_DATABASE_URL to this release's schema."""
    engine = open_engine(read(StoreSettings, environment()).database_url)
    try:
        migrations.upgrade(engine)
    finally:
        engine.dispose()
    click.echo(f"{engine.url.render_as_string(hide_password=True)} is up to date")
