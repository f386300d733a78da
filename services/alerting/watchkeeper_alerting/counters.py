"""What this process counts about its own work; on /metrics beside the exporter."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

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
        # A channel's series appears with its first notification: its name is not known before.
        self.notifications = Counter(
            "watchkeeper_notifications_total",
            "Attempts to deliver a notification, by channel and outcome.",
            ["channel", "outcome"],
            registry=registry,
        )
        for outcome in EVENT_OUTCOMES:
            self.breach_events.labels(outcome)
