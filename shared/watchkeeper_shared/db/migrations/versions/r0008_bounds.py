"""Up to which id hash a sample is whole, where until now its own largest stood.

A part that nothing was left out of is whole whatever its largest hash is. Which parts these
are, their rows tell: all parts of a pane where together they have every row that was counted;
else those after the first that are not full, as only what is in none of them was left out.
The first one keeps what stands there: it may have been full when fewer rows were kept.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_EVERYTHING = 2**63 - 1
_SPOT = ("system", "version", "reference", "pane_start", "pane_end", "source")

_samples = sa.table("samples", *map(sa.column, (*_SPOT, "part", "rows", "largest")))
_profiles = sa.table("profiles", *map(sa.column, (*_SPOT, "rows")))


def upgrade() -> None:
    """Say of every part that nothing was left out of that it is whole."""
    parts = _samples.alias("parts")
    same = [parts.c[name] == _samples.c[name] for name in _SPOT]
    counted = sa.select(_profiles.c.rows).where(
        *(_profiles.c[name] == _samples.c[name] for name in _SPOT)
    )

    def of_parts(value: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
        return sa.select(value).where(*same).scalar_subquery()

    nothing_left_out = of_parts(sa.func.sum(parts.c.rows)) >= counted.scalar_subquery()
    later = _samples.c.part > of_parts(sa.func.min(parts.c.part))
    not_full = _samples.c.rows < of_parts(sa.func.max(parts.c.rows))
    op.execute(
        sa.update(_samples)
        .where(sa.or_(nothing_left_out, sa.and_(later, not_full)))
        .values(largest=_EVERYTHING)
    )


def downgrade() -> None:
    """Leave it: an older release takes it for a hash that no row exceeds."""
