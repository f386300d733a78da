"""Serves the latest measurements on /metrics, read from the database when scraped.

Nothing is remembered from the log, so a restart, a rebalance or a second replica shows the
same numbers. Replicas give the same series under different `instance`: use `max by`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from watchkeeper_alerting import outgoing
from watchkeeper_alerting.exposition import Facts, expose, first_models
from watchkeeper_alerting.gauges import Caps
from watchkeeper_alerting.store import alerts, measurements, progress, refusals, tickets
from watchkeeper_alerting.store.measurements import Filter
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import StoreUnavailable

REASONS = ("models", "features", "groups", "series")

_FRESH = timedelta(seconds=2)  # several scrapers share one reading

logger = logging.getLogger(__name__)


class Exporter(Collector):
    """A collector for the registry of the alerting process.

    Parameters
    ----------
    database, registry, clock
        What is measured, what is declared, and what time it is.
    caps
        The bounds on labels and series.
    """

    def __init__(
        self, database: Database, registry: Registry, clock: Clock, caps: Caps | None = None
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._caps = caps or Caps()
        self._lock = threading.Lock()
        self._dropped: Counter[str] = Counter()
        self._page: list[GaugeMetricFamily] = []
        self._read_at: float | None = None

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing beforehand: registering must not need the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield everything; without a database only what needs none."""
        with self._lock:
            try:
                self._refresh()
            except StoreUnavailable as error:
                # An old number that looks new is worse than none.
                self._page = []
                logger.warning("exporter_without_database", extra={"reason": str(error)})
            page, dropped = list(self._page), Counter(self._dropped)
        yield from page
        family = CounterMetricFamily(
            "watchkeeper_exporter_series_dropped",
            "Series left out of a scrape because of a cap, by reason.",
            labels=["reason"],
        )
        for reason in REASONS:
            family.add_metric([reason], dropped[reason])
        yield family

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if self._read_at is not None and now - self._read_at < _FRESH.total_seconds():
            return
        self._read_at = None
        self._registry.refresh()
        with self._database.read() as c:
            facts, waiting = self._facts(c), outgoing.families(c)
        found, dropped = expose(facts, self._caps)
        # Systems may be missing then altogether; to say so by a count, the rest is not read.
        dropped["series"] += len(facts.measurements) == self._caps.rows
        self._page = [*found, *waiting, self._unreadable()]
        self._dropped.update(dropped)
        self._read_at = now

    def _unreadable(self) -> GaugeMetricFamily:
        """Name what was applied and nobody watches: on no other series is it missed."""
        family = GaugeMetricFamily(
            "watchkeeper_object_unreadable",
            "1 for what was applied and this release cannot read; it is left out.",
            labels=["kind", "name"],
        )
        for name in sorted(self._registry.unreadable()):
            family.add_metric(name.split("/", 1), 1)
        return family

    def _facts(self, c: sa.Connection) -> Facts:
        systems = self._registry.systems()
        shown = Filter(latest=True, systems=tuple(first_models(systems, self._caps)))
        return Facts(
            systems=systems,
            measurements=measurements.select(c, shown, self._caps.rows),
            last_prediction=progress.newest_events(c),
            alerts=alerts.open_counts(c),
            tickets=tickets.open_counts(c),
            oldest_ticket=tickets.oldest_open(c),
            untold=alerts.untold_counts(c),
            refused={
                (system, reason): rows
                for system, found in refusals.by_system(c).items()
                for reason, rows in found.rows.items()
            },
        )
