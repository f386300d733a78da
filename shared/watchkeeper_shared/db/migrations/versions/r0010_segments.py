"""Segments of any length: two long groups of an intersection did not fit, and judging ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget the length where one is held; SQLite holds none."""
    if op.get_bind().dialect.name != "sqlite":
        for table in ("measurements", "episodes"):
            op.alter_column(table, "segment", type_=sa.Text(), existing_nullable=False)


def downgrade() -> None:
    """Leave it: an older release reads any length."""
