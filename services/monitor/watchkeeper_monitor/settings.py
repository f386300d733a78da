"""What can be set about the monitor; `WATCHKEEPER_` and the field's name in capitals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper_shared.events.tolerance import Limits
from watchkeeper_shared.settings import LogSettings, StoreSettings


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is held in memory, and how often things happen.

    Parameters
    ----------
    flush_rows, flush_bytes, flush_interval
        A flush is due at so many rows, so many bytes of records, or after this time.
    sample_rows
        So many rows stand for a pane when a report is made of it. Where it is raised, a pane
        that rows were left out of fills up with those that have as small an id hash.
    judge_interval
        How often changed windows are looked for.
    rejudge_interval
        A window that keeps changing is judged again after this time at the earliest.
    idle_timeout
        A partition that is silent for so long, and wholly read, holds no window open.
    label_patience
        A label whose prediction does not come within this time is given up and counted.
    label_horizon
        A prediction is remembered so long after it arrived: its label may come as late, and be
        corrected as late.
    duplicate_rows
        A prediction that comes again is recognised among so many newest ones of its system.
    undeclared_versions
        So many versions of a system that declares none are watched. Rows of any other are refused
        as `unknown_version`, until the panes of one of them are rolled up.
    index_memory
        How many bytes of the prediction index are kept in memory; 10 per prediction are enough
        to recognise duplicates without reading.
    lease_ttl
        How long a judge that stopped keeps others from judging its systems.
    longest_pause
        The longest time between two tries while the database or the log is away.
    dead_letter_share, dead_letter_last, dead_letter_in_a_row
        Reading of a topic stops when more than this share of so many records, or so many in a
        row, are dead letters. 0 in a row takes both limits away.
    dead_letter_pause
        After this time a stopped topic is tried with one record.
    stall_timeout
        A process that stores nothing for so long while records wait ends itself; longer where
        the flush interval is.
    """

    flush_rows: int = 100_000
    flush_bytes: int = 32 << 20
    flush_interval: timedelta = timedelta(seconds=1)
    sample_rows: int = 1_000
    judge_interval: timedelta = timedelta(seconds=1)
    rejudge_interval: timedelta = timedelta(seconds=5)
    idle_timeout: timedelta = timedelta(seconds=30)
    label_patience: timedelta = timedelta(days=35)
    label_horizon: timedelta = timedelta(days=90)
    duplicate_rows: int = 4_000_000
    undeclared_versions: int = 100
    index_memory: int = 64 << 20
    lease_ttl: timedelta = timedelta(seconds=15)
    longest_pause: timedelta = timedelta(seconds=30)
    dead_letter_share: float = 0.5
    dead_letter_last: int = 200
    dead_letter_in_a_row: int = 100
    dead_letter_pause: timedelta = timedelta(seconds=60)
    stall_timeout: timedelta = timedelta(minutes=5)

    @property
    def tolerance(self) -> Limits:
        """From when on poison is too much."""
        return Limits(self.dead_letter_share, self.dead_letter_last, self.dead_letter_in_a_row)

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be kept."""
        if self.flush_rows < 1 or self.flush_bytes < 1:
            raise ValueError(
                "WATCHKEEPER_FLUSH_ROWS and WATCHKEEPER_FLUSH_BYTES must be at least 1, "
                f"got {self.flush_rows} and {self.flush_bytes}"
            )
        if self.label_horizon < self.label_patience or self.duplicate_rows < 1:
            raise ValueError(
                "WATCHKEEPER_LABEL_HORIZON must not be shorter than WATCHKEEPER_LABEL_PATIENCE and "
                "WATCHKEEPER_DUPLICATE_ROWS must be at least 1, "
                f"got {self.label_horizon}, {self.label_patience} and {self.duplicate_rows}"
            )
        if self.undeclared_versions < 1:
            raise ValueError(
                "WATCHKEEPER_UNDECLARED_VERSIONS must be at least 1, "
                f"got {self.undeclared_versions}; it bounds systems that declare no versions only"
            )
        if not 1 <= self.sample_rows <= 5_000:  # noqa: PLR2004 - a report takes no more
            raise ValueError(
                f"WATCHKEEPER_SAMPLE_ROWS must lie between 1 and 5000, got {self.sample_rows}"
            )
        if not 0 <= self.dead_letter_share <= 1 or self.dead_letter_last < 1:
            raise ValueError(
                "WATCHKEEPER_DEAD_LETTER_SHARE must lie between 0 and 1 and "
                "WATCHKEEPER_DEAD_LETTER_LAST must be at least 1, "
                f"got {self.dead_letter_share} and {self.dead_letter_last}"
            )


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long what was counted is kept, and as what; from when it last changed.

    Parameters
    ----------
    pane_retention
        Panes are kept as they were counted, so that late labels amend windows of any length.
    hour_retention
        What was rolled up to hours is kept so: six months, as the AI Act wants logs.
    day_retention
        What was rolled up to days is kept so: one certification cycle.
    sample_retention
        Sampled rows are kept for evidence; evidence that was frozen has its own copy.
    revision_retention
        Numbers that newer ones replaced, and notes of dead letters: while people work on them.
    measurement_retention
        Windows and their numbers since they were judged last: one certification cycle. What
        a breach refers to stays as long as the breach.
    """

    pane_retention: timedelta = timedelta(days=90)
    hour_retention: timedelta = timedelta(days=184)
    day_retention: timedelta = timedelta(days=1096)
    sample_retention: timedelta = timedelta(days=90)
    revision_retention: timedelta = timedelta(days=184)
    measurement_retention: timedelta = timedelta(days=1096)

    def __post_init__(self) -> None:
        """Refuse retentions that contradict each other."""
        if not self.pane_retention <= self.hour_retention <= self.day_retention:
            raise ValueError(
                "WATCHKEEPER_PANE_RETENTION, WATCHKEEPER_HOUR_RETENTION and "
                "WATCHKEEPER_DAY_RETENTION must not become shorter in this order, got "
                f"{self.pane_retention}, {self.hour_retention} and {self.day_retention}"
            )
        if self.sample_retention > self.pane_retention:
            raise ValueError(
                "WATCHKEEPER_SAMPLE_RETENTION must not be longer than WATCHKEEPER_PANE_RETENTION, "
                f"got {self.sample_retention} and {self.pane_retention}"
            )
        if self.measurement_retention < self.pane_retention:
            raise ValueError(
                "WATCHKEEPER_MEASUREMENT_RETENTION must not be shorter than "
                "WATCHKEEPER_PANE_RETENTION, "
                f"got {self.measurement_retention} and {self.pane_retention}: labels may still "
                "amend its windows"
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
class MonitorSettings(StoreSettings, LogSettings, Pace, Retention, EvidenceSettings):
    """Everything that `watchkeeper monitor` reads.

    Parameters
    ----------
    host, port
        Where health and metrics are served.
    """

    host: str = "127.0.0.1"
    port: int = 8082

    def __post_init__(self) -> None:
        """Check each part, and what one asks of another."""
        LogSettings.__post_init__(self)
        Pace.__post_init__(self)
        Retention.__post_init__(self)
        if self.pane_retention < self.label_horizon:
            raise ValueError(
                "WATCHKEEPER_PANE_RETENTION must not be shorter than WATCHKEEPER_LABEL_HORIZON, "
                f"got {self.pane_retention} and {self.label_horizon}: a label that late could not "
                "amend its window any more"
            )
