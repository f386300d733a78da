"""Since when panes rest, what they are held as, and where superseded numbers stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what roll-ups and retention need; panes of before begin to rest when they are seen."""
    op.add_column("panes", sa.Column("judged_at", sa.BigInteger(), nullable=True))
    held = sa.Column("held", sa.String(length=8), nullable=False, server_default="pane")
    op.add_column("panes", held)
    op.create_index(
        "ix_measurements_superseded",
        "measurements",
        ["system", "computed_at"],
        sqlite_where=sa.text("current IS 0"),
        postgresql_where=sa.text("current IS false"),
    )


def downgrade() -> None:
    """Refuse: an older release would take hours for panes that it may divide."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
