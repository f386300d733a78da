"""What was decided and is not on the log yet, as Prometheus series: a breach that waits is untold.

Served by alerting for every owner, from the database: a monitor that ended cannot say it itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily

from watchkeeper_shared.db import outbox

OWNERS = ("monitor", "alerting", "dlq")
"""Who enqueues: two services, and people who replay dead letters."""


def families(c: sa.Connection) -> list[GaugeMetricFamily]:
    """Return how many messages wait or were refused, and since when the oldest waits."""
    messages = GaugeMetricFamily(
        "watchkeeper_outbox_messages",
        "Messages that wait for the log, or that it will never take, by owner.",
        labels=["owner", "state"],
    )
    oldest = GaugeMetricFamily(
        "watchkeeper_outbox_oldest_timestamp_seconds",
        "Since when the oldest message waits for the log; absent while none does.",
        labels=["owner"],
    )
    for owner in OWNERS:
        waiting, since = outbox.backlog(c, owner)
        messages.add_metric([owner, "waiting"], waiting)
        messages.add_metric([owner, "refused"], outbox.refused(c, owner))
        if since is not None:
            oldest.add_metric([owner], since.timestamp())
    return [messages, oldest]
