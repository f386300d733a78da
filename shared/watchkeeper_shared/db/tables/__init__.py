"""Every table, and the one service that writes it (`info["owner"]`).

Others read through the read models of this package's neighbours.
"""

from __future__ import annotations

from watchkeeper_shared.db.tables.alerting import (
    alerts,
    api_keys,
    deliveries,
    objects,
    references,
    ticket_acts,
    tickets,
)
from watchkeeper_shared.db.tables.counted import (
    dead_letters,
    index_heads,
    labels,
    panes,
    predictions,
    profiles,
    progress,
    repeats,
    samples,
    tallies,
)
from watchkeeper_shared.db.tables.judged import (
    blocks,
    ended,
    episodes,
    evidence,
    measurements,
    sights,
    windows,
)
from watchkeeper_shared.db.tables.metadata import metadata
from watchkeeper_shared.db.tables.shared import audit, inbox, leases, outbox, positions

__all__ = [
    "alerts",
    "api_keys",
    "audit",
    "blocks",
    "dead_letters",
    "deliveries",
    "ended",
    "episodes",
    "evidence",
    "inbox",
    "index_heads",
    "labels",
    "leases",
    "measurements",
    "metadata",
    "objects",
    "outbox",
    "panes",
    "positions",
    "predictions",
    "profiles",
    "progress",
    "references",
    "repeats",
    "samples",
    "sights",
    "tallies",
    "ticket_acts",
    "tickets",
    "windows",
]
