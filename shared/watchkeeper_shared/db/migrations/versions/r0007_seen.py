"""What a window had seen when it was judged."""

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


def downgrade() -> None:
    """Take it away again: an older release finds out by judging."""
    op.drop_column("windows", "seen")
