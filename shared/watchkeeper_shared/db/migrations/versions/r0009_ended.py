"""From when on windows are judged, where older ones have ended; and whose windows there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; until a window ends, all of them are judged."""
    op.create_table(
        "ended",
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("system", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("policy", "system", "version", name=op.f("pk_ended")),
    )
    op.create_index(op.f("ix_ended_system"), "ended", ["system"], unique=False)
    op.create_index(
        op.f("ix_windows_system_policy_version"),
        "windows",
        ["system", "policy", "version"],
        unique=False,
    )


def downgrade() -> None:
    """Refuse: an older release would judge windows whose neighbours have ended."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
