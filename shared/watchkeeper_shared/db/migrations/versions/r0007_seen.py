"""What a window had seen when it was judged; and what is not held is found without a search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; a window without is judged once more when a pane of it changes."""
    op.add_column("windows", sa.Column("seen", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f("ix_panes_system_version_held_pane_start_pane_end"),
        "panes",
        ["system", "version", "held", "pane_start", "pane_end"],
        unique=False,
    )


def downgrade() -> None:
    """Take it away again: an older release finds out by judging."""
    op.drop_index(op.f("ix_panes_system_version_held_pane_start_pane_end"), "panes")
    op.drop_column("windows", "seen")
