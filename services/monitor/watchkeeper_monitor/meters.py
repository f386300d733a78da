"""What the monitor tells Prometheus about itself; measurements are alerting's to export."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from watchkeeper_shared.db.claims import BREAKS
from watchkeeper_shared.events.letters import CRASHED
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.topics import LABELS, PREDICTIONS

UNKNOWN = "unknown"
"""Stands for every name that was not applied: a sender must not choose how many series we have."""

_OPEN = ("opened", "updated", "moved")
_ENDS = ("cleared", "withdrawn", "retired", "system_withdrawn")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meters:
    """All series of one monitor process, at zero from the start.

    Parameters
    ----------
    registry
        Where `/metrics` reads.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Counter(
            "watchkeeper_monitor_rows", "New rows stored, by kind.", ["kind"], registry=registry
        )
        self.batches = Counter(
            "watchkeeper_monitor_batches", "Records read from the log.", registry=registry
        )
        self.decode_errors = Counter(
            "watchkeeper_monitor_decode_errors",
            "Rows and records refused, by reason.",
            ["reason"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "watchkeeper_monitor_dead_letters",
            "Records sent to the dead letter topic, by the applied system they name, and reason.",
            ["system", "reason"],
            registry=registry,
        )
        self.duplicates = Counter(
            "watchkeeper_monitor_duplicate_rows",
            "Predictions whose id was stored before; not counted again.",
            registry=registry,
        )
        self.late_rows = Counter(
            "watchkeeper_monitor_late_rows",
            "Predictions older than the watermark less the lateness; counted in their window.",
            registry=registry,
        )
        self.retired = Counter(
            "watchkeeper_monitor_retired",
            "What was rolled up or dropped because its retention ended, by kind.",
            ["kind"],
            registry=registry,
        )
        self.flush_seconds = Histogram(
            "watchkeeper_monitor_flush_seconds",
            "Time of one flush transaction.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.fenced = Counter(
            "watchkeeper_monitor_fenced",
            "Flushes dropped because another worker owns the partition.",
            registry=registry,
        )
        self.rebalances = Counter(
            "watchkeeper_monitor_rebalances",
            "Partitions that came or went.",
            ["kind"],
            registry=registry,
        )
        self.offset_gap = Counter(
            "watchkeeper_monitor_offset_gap_records",
            "Records that the log had forgotten before they were read.",
            ["topic"],
            registry=registry,
        )
        self.log_breaks = Counter(
            "watchkeeper_monitor_log_breaks",
            "Times that the log did not hold what comes next, by kind.",
            ["topic", "kind"],
            registry=registry,
        )
        self.topic_stopped = Gauge(
            "watchkeeper_monitor_topic_stopped",
            "1 while a topic is not read because too much of it is poison.",
            ["topic"],
            registry=registry,
        )
        self.lag = Gauge(
            "watchkeeper_kafka_consumer_lag_messages",
            "Records in the log behind which the stored position is.",
            ["topic", "partition"],
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "watchkeeper_monitor_consumer_lag_seconds",
            "Age of the newest record that was stored, at the last flush of the partition.",
            ["topic", "partition"],
            registry=registry,
        )
        self.watermark_lag = Gauge(
            "watchkeeper_monitor_watermark_lag_seconds",
            "Age of the newest event time that was stored, at the last flush of the partition.",
            ["topic", "partition"],
            registry=registry,
        )
        self.partitions = Gauge(
            "watchkeeper_monitor_partitions_assigned",
            "Partitions that this process reads.",
            registry=registry,
        )
        self.store_away = Gauge(
            "watchkeeper_monitor_store_away",
            "1 while the database does not answer.",
            registry=registry,
        )
        self.aside = Gauge(
            "watchkeeper_monitor_system_aside",
            "1 while a task fails at what a system holds; the other systems go on.",
            ["system", "task"],
            registry=registry,
        )
        self.evaluation_seconds = Histogram(
            "watchkeeper_evaluation_duration_seconds",
            "Time to measure and judge one window.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.windows = Counter(
            "watchkeeper_monitor_windows_judged",
            "Windows judged, by status.",
            ["status"],
            registry=registry,
        )
        self.breach_events = Counter(
            "watchkeeper_monitor_breach_events",
            "Turns of breaches put into the outbox, by kind.",
            ["kind"],
            registry=registry,
        )
        self.labels_joined = Counter(
            "watchkeeper_monitor_labels_joined",
            "Labels that reached the window of their prediction.",
            registry=registry,
        )
        self.reports = Counter(
            "watchkeeper_monitor_evidence_reports",
            "Evidence reports, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._start_at_zero()

    def log_broke(self, topic: str, kind: str, missed: int) -> None:
        """Count a break of the log, and the records that were never read."""
        self.log_breaks.labels(topic, kind).inc()
        self.offset_gap.labels(topic).inc(missed)

    def show_stopped(self, topic: str, stopped: bool) -> None:  # noqa: FBT001 - a callback
        """Show whether a topic is not read for now."""
        self.topic_stopped.labels(topic).set(stopped)

    def forget(self, topic: str, partition: int) -> None:
        """Stop telling about a partition that others read now."""
        for gauge in (self.lag, self.lag_seconds, self.watermark_lag):
            with suppress(KeyError):
                gauge.remove(topic, str(partition))

    def _start_at_zero(self) -> None:
        """Make every series that has a fixed label: one at zero can be alerted on."""
        for kind in ("predictions", "labels"):
            self.rows.labels(kind)
        for code in (*(one.value for one in RejectCode), CRASHED):
            self.decode_errors.labels(code)
            self.dead_letters.labels(UNKNOWN, code)
        for topic, kind in product((PREDICTIONS.name, LABELS.name), BREAKS):
            self.offset_gap.labels(topic)
            self.topic_stopped.labels(topic)
            self.log_breaks.labels(topic, kind)
        for kind in ("assigned", "lost"):
            self.rebalances.labels(kind)
        for status in ("provisional", "final", "amended"):
            self.windows.labels(status)
        for kind in (*_OPEN, *_ENDS):
            self.breach_events.labels(kind)
        for outcome in ("ready", "missing"):
            self.reports.labels(outcome)
