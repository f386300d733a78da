"""The figures of ingest, on a registry passed in, each label value at zero from the start."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind

MAX_MODELS = 200
OTHER = "__other__"
UNKNOWN = "unknown"
"""Stands where nobody's events were refused, or those of a system that was not applied."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Refusal(StrEnum):
    """Why a whole request was not taken; counted once, whatever it held."""

    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    OVERLOADED = "overloaded"
    LOG_UNAVAILABLE = "log_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"


class IngestMetrics:
    """What ingest counts.

    Parameters
    ----------
    registry
        Where the page reads from.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ingested = {
            kind: Counter(
                f"watchkeeper_{kind.value}_ingested",
                f"Events of kind {kind.value} that were acknowledged, by system.",
                ["model"],
                registry=registry,
            )
            for kind in Kind
        }
        self._rejected = Counter(
            "watchkeeper_ingest_rejected",
            "Events (or whole requests) that were refused, by system and reason.",
            ["model", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "watchkeeper_ingest_request_duration_seconds",
            "Time from the first byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._duplicates = Counter(
            "watchkeeper_ingest_duplicates",
            "Events that came twice in one request and were passed on once.",
            registry=registry,
        )
        self._produce_errors = Counter(
            "watchkeeper_ingest_produce_errors",
            "Records that the log did not confirm.",
            registry=registry,
        )
        self._records = Counter(
            "watchkeeper_ingest_records",
            "Records that the log confirmed; each holds many events.",
            registry=registry,
        )
        self._inflight = Gauge(
            "watchkeeper_ingest_inflight_bytes",
            "Bytes of request bodies that were not answered yet.",
            registry=registry,
        )
        self._models: set[str] = set()
        # A series at zero can be alerted on; an absent one cannot.
        for reason in (*RejectCode, *Refusal):
            self._rejected.labels(UNKNOWN, reason.value)
        for kind in Kind:
            self._seconds.labels(f"/v1/{kind.value}")

    def ingested(self, kind: Kind, system: str, rows: int) -> None:
        """Count acknowledged events. Only registered systems come here, and a bounded few."""
        self._ingested[kind].labels(self._model(system)).inc(rows)

    def rejected(self, reason: RejectCode | Refusal, system: str = "") -> None:
        """Count a refused event, of a registered system or of none, or a refused request."""
        model = self._model(system) if system else UNKNOWN
        self._rejected.labels(model, reason.value).inc()

    def _model(self, system: str) -> str:
        if system not in self._models:
            if len(self._models) >= MAX_MODELS:
                return OTHER
            self._models.add(system)
        return system

    def duplicates(self, rows: int) -> None:
        """Count events that came twice in one request."""
        self._duplicates.inc(rows)

    def answered(self, kind: Kind, seconds: float) -> None:
        """Note how long a request took."""
        self._seconds.labels(f"/v1/{kind.value}").observe(seconds)

    def inflight(self, number: int) -> None:
        """Show the bytes in flight."""
        self._inflight.set(number)

    def appended(self, *, confirmed: bool) -> None:
        """Count a record, by whether the log confirmed it."""
        (self._records if confirmed else self._produce_errors).inc()
