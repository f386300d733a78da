"""How far the monitor is, read only (table `progress`)."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import progress
from watchkeeper_shared.topics import PREDICTIONS


def newest_events(c: sa.Connection) -> dict[str, datetime]:
    """Return the newest event time of each system's predictions."""
    query = (
        sa.select(progress.c.system, sa.func.max(progress.c.watermark))
        .where(progress.c.topic == PREDICTIONS.name, progress.c.watermark.is_not(None))
        .group_by(progress.c.system)
    )
    return {row[0]: row[1] for row in c.execute(query)}
