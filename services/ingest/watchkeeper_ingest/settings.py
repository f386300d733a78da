"""What can be set about ingest; the variables are the field names with `WATCHKEEPER_`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.settings import LogSettings, StoreSettings

MOST_AGE = timedelta(days=36525)
"""A hundred years. Nobody watched longer ago, and calendars end: no instant is before year 1."""


@dataclass(frozen=True, kw_only=True)
class IngestSettings(StoreSettings, LogSettings):
    """The settings of one ingest process.

    Parameters
    ----------
    ingest_max_body_bytes
        The largest request body, packed and unpacked.
    ingest_max_rows
        The most events in one request.
    ingest_soft_inflight_bytes
        Above this, new requests are answered with 429.
    ingest_hard_inflight_bytes
        Above this, requests that are being read are answered with 503.
    ingest_linger_ms
        How long a small request waits for others of its system, in milliseconds.
    ingest_batch_rows
        A gathering of so many rows does not wait.
    ingest_record_rows, ingest_batch_bytes
        The most rows and, roughly, bytes in one record on the log.
    ingest_max_age
        Events that are older are refused: most likely a time that was never set, and it would
        open windows and breaches in years that nobody watched.
    ingest_body_deadline
        How long a body may take to arrive before 408; what arrived of it counts as in flight.
    ingest_deadline
        How long a caller waits for the log before 503; shorter than the log's own deadline
        and than the time that a stopping process has left.
    """

    ingest_max_body_bytes: int = 16 << 20
    ingest_max_rows: int = 50_000
    ingest_soft_inflight_bytes: int = 64 << 20
    ingest_hard_inflight_bytes: int = 128 << 20
    ingest_linger_ms: int = 20
    ingest_batch_rows: int = 1000
    ingest_batch_bytes: int = 512 << 10
    ingest_record_rows: int = 2000
    ingest_max_age: timedelta = timedelta(days=7300)
    ingest_body_deadline: timedelta = timedelta(seconds=60)
    ingest_deadline: timedelta = timedelta(seconds=20)

    def __post_init__(self) -> None:
        """Refuse limits that leave no room for a request."""
        super().__post_init__()
        numbers = {
            name: value
            for name, value in vars(self).items()
            if name.startswith("ingest_") and isinstance(value, int)
        }
        low = [
            f"WATCHKEEPER_{name.upper()}={value}" for name, value in numbers.items() if value < 1
        ]
        if low:
            raise ValueError(f"{', '.join(low)} must be above 0")
        if not timedelta(0) < self.ingest_max_age <= MOST_AGE:
            raise ValueError(
                f"WATCHKEEPER_INGEST_MAX_AGE={self.ingest_max_age} must be above 0 and at most "
                f"{MOST_AGE.days}d"
            )
        if self.ingest_hard_inflight_bytes < self.ingest_soft_inflight_bytes:
            raise ValueError(
                "WATCHKEEPER_INGEST_HARD_INFLIGHT_BYTES must not be below "
                "WATCHKEEPER_INGEST_SOFT_INFLIGHT_BYTES"
            )
