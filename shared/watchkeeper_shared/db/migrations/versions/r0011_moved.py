"""What people were told first of a breach whose bounds amendments have moved since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both bounds; empty where what is known now is what was told."""
    for name in ("first_opened", "first_cleared"):
        op.add_column("episodes", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Refuse: an older release would take moved bounds for those that were told."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
