"""Where the pools that breached stand: few rows of many, asked for whenever windows are judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their index."""
    op.create_index(
        "ix_measurements_pooled",
        "measurements",
        ["policy", "system", "version", "window_start"],
        sqlite_where=sa.text("scale > 1"),
        postgresql_where=sa.text("scale > 1"),
    )


def downgrade() -> None:
    """Take it away: an older release reads without it."""
    op.drop_index("ix_measurements_pooled", "measurements")
