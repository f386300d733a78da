"""What several windows said together, beside what the last of them says alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the numbers that a pooled breach was judged by; older breaches keep them in words."""
    op.add_column("measurements", sa.Column("pooled", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Refuse: an older release would tell the last window's numbers for those of all."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
