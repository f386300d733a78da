"""Ends what alerting stores and nobody needs any more; who was told stays in the audit log.

A notification ends `WATCHKEEPER_DELIVERY_RETENTION` after its alert was resolved and its ticket
closed, all of an alert's together: one entry of the audit log then says what they were.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from watchkeeper_alerting import reading
from watchkeeper_alerting.handling import ACTOR
from watchkeeper_alerting.store import deliveries
from watchkeeper_alerting.store.deliveries import StoredDelivery
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import RetryableError

_BATCH = 50
_IDLE = 30.0
_BETWEEN = timedelta(hours=1)

logger = logging.getLogger(__name__)


class Retention:
    """Ends the notifications of alerts that are long over. Any number of replicas may work.

    Parameters
    ----------
    database, clock
        Where they are, and what time it is.
    keep
        How long they stay after the alert was resolved and its ticket closed.
    """

    def __init__(self, database: Database, clock: Clock, keep: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work once an hour until `stop` is set; call `beat` on every turn."""
        due = self._clock.monotonic()
        while not stop.is_set():
            beat()
            if self._clock.monotonic() >= due and not self._is_behind():
                due = self._clock.monotonic() + _BETWEEN.total_seconds()
            stop.wait(_IDLE)

    def _is_behind(self) -> bool:
        """Do some of the work; return whether there is more."""
        try:
            return self.step() == _BATCH
        except RetryableError as error:
            logger.warning("retention_waits", extra={"reason": str(error)})
            return True

    def step(self) -> int:
        """End the notifications of some alerts, in one transaction; return of how many.

        Raises
        ------
        StoreUnavailable
            The database does not answer; nothing ended.
        """
        now = self._clock.now()
        with self._database.transaction() as c:
            over = deliveries.over(c, now - self._keep, _BATCH)
            for alert in over:
                _record(c, alert, deliveries.end(c, alert), self._keep, now)
        if over:
            logger.info("deliveries_ended", extra={"alerts": len(over)})
        return len(over)


def _record(
    c: sa.Connection, alert: str, told: list[StoredDelivery], keep: timedelta, now: datetime
) -> None:
    audit.record(
        c,
        at=now,
        actor=ACTOR,
        act=reading.DELIVERIES_ENDED,
        subject=f"Alert/{alert}",
        reason=f"over for more than {keep.days} days (WATCHKEEPER_DELIVERY_RETENTION)",
        body={"told": [_said(one) for one in told]},
    )


def _said(one: StoredDelivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "channel": one.channel,
        "event": one.event,
        "state": str(one.state),
        "attempts": one.attempts,
        "created_at": one.created_at,
        "delivered_at": one.delivered_at,
        "last_error": one.last_error,
    }
