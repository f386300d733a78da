"""What Alembic runs for each command; the connection comes from `schema.upgrade`."""

from __future__ import annotations

from alembic import context

from watchkeeper_shared.db.tables import metadata


def run() -> None:
    """Apply the revisions on the caller's connection, inside its transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic executes this file under this name. Whoever imports it, such as the collector of
# doctests, must not start an upgrade.
if __name__ == "env_py":
    run()
