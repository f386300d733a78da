"""Owners of a partition that ended without a word, and events by the age of their handling."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what tells a record that kills its reader from one that was only next in line."""
    tries = sa.Column("tries", sa.Integer(), nullable=False, server_default="0")
    op.add_column("positions", tries)
    op.add_column("positions", sa.Column("suspect", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_inbox_consumer_seen_at"), "inbox", ["consumer", "seen_at"])


def downgrade() -> None:
    """Refuse: an older release would forget which record kills its reader."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
