"""What this process counts about its own work; on /metrics beside the exporter."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from watchkeeper_shared.db.claims import BREAKS

EVENT_OUTCOMES = ("handled", "ignored", "duplicate", "dead_letter")
DELIVERY_OUTCOMES = ("delivered", "retried", "failed")


class Counters:
    """Declared once, on a registry passed in.

    Parameters
    ----------
    registry
        Of this process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.breach_events = Counter(
            "watchkeeper_breach_events_total",
            "Breach events read from the log, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self.offset_gap = Counter(
            "watchkeeper_breach_offset_gap_records_total",
            "Breach events that the log had forgotten before they were read.",
            registry=registry,
        )
        self.log_breaks = Counter(
            "watchkeeper_breach_log_breaks_total",
            "Times that the log of breaches did not hold what comes next, by kind.",
            ["kind"],
            registry=registry,
        )
        self.stopped = Gauge(
            "watchkeeper_breach_reading_stopped",
            "1 while breaches are not read because too many of their records are poison.",
            registry=registry,
        )
        # A channel's series appears with its first notification: its name is not known before.
        self.notifications = Counter(
            "watchkeeper_notifications_total",
            "Attempts to deliver a notification, by channel and outcome.",
            ["channel", "outcome"],
            registry=registry,
        )
        for outcome in EVENT_OUTCOMES:
            self.breach_events.labels(outcome)
        for kind in BREAKS:
            self.log_breaks.labels(kind)

    def log_broke(self, _topic: str, kind: str, missed: int) -> None:
        """Count a break of the log, and the events that were never read."""
        self.log_breaks.labels(kind).inc()
        self.offset_gap.inc(missed)

    def show_stopped(self, _topic: str, stopped: bool) -> None:  # noqa: FBT001 - a callback
        """Show whether breaches are not read for now."""
        self.stopped.set(stopped)
