"""Why an object is not in force any more, with the revision that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the reason; what was applied is in force."""
    op.add_column("objects", sa.Column("withdrawn", sa.Text()))


def downgrade() -> None:
    """Refuse: an older release would judge what was withdrawn."""
    raise NotImplementedError("there is no way back from this schema; use a new database")
