"""What can be set about the monitor; `WATCHKEEPER_` and the field's name in capitals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.settings import LogSettings, StoreSettings


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is held in memory, and how often things happen.

    Parameters
    ----------
    flush_rows, flush_bytes, flush_interval
        A flush is due at so many rows, so many bytes of records, or after this time.
    sample_rows
        So many rows stand for a pane when a report is made of it.
    judge_interval
        How often changed windows are looked for.
    rejudge_interval
        A window that keeps changing is judged again after this time at the earliest.
    idle_timeout
        A partition that is silent for so long, and wholly read, holds no window open.
    label_patience
        A label whose prediction does not come within this time is given up and counted.
    lease_ttl
        How long a judge that stopped keeps others from judging its systems.
    longest_pause
        The longest time between two tries while the database or the log is away.
    """

    flush_rows: int = 20_000
    flush_bytes: int = 32 << 20
    flush_interval: timedelta = timedelta(seconds=1)
    sample_rows: int = 1_000
    judge_interval: timedelta = timedelta(seconds=1)
    rejudge_interval: timedelta = timedelta(seconds=5)
    idle_timeout: timedelta = timedelta(seconds=30)
    label_patience: timedelta = timedelta(days=35)
    lease_ttl: timedelta = timedelta(seconds=15)
    longest_pause: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be kept."""
        if self.flush_rows < 1 or self.flush_bytes < 1:
            raise ValueError(
                "WATCHKEEPER_FLUSH_ROWS and WATCHKEEPER_FLUSH_BYTES must be at least 1, "
                f"got {self.flush_rows} and {self.flush_bytes}"
            )
        if not 1 <= self.sample_rows <= 5_000:  # noqa: PLR2004 - a report takes no more
            raise ValueError(
                f"WATCHKEEPER_SAMPLE_ROWS must lie between 1 and 5000, got {self.sample_rows}"
            )


@dataclass(frozen=True, kw_only=True)
class EvidenceSettings:
    """How evidence reports are made.

    Parameters
    ----------
    evidence_reports
        Whether to make them at all; without, the frozen sample says that no report was made.
    evidence_timeout
        How long a report may take, the import of its libraries apart.
    """

    evidence_reports: bool = True
    evidence_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class MonitorSettings(StoreSettings, LogSettings, Pace, EvidenceSettings):
    """Everything that `watchkeeper monitor` reads.

    Parameters
    ----------
    host, port
        Where health and metrics are served.
    """

    host: str = "127.0.0.1"
    port: int = 8082

    def __post_init__(self) -> None:
        """Check each part."""
        LogSettings.__post_init__(self)
        Pace.__post_init__(self)
