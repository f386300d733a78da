"""The desk where reports are asked for: one at a time, in a process of their own.

Alert and ticket never wait for it. Whatever goes wrong here ends as evidence in state
`missing` with the reason, beside the frozen rows, which are the evidence proper.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
from collections.abc import Callable

from watchkeeper_monitor.evidence.jobs import Job, Made
from watchkeeper_monitor.evidence.process import STOPPING, MakerProcess
from watchkeeper_monitor.meters import Meters
from watchkeeper_monitor.settings import EvidenceSettings
from watchkeeper_monitor.store import evidence
from watchkeeper_monitor.store.evidence import Frozen, Report
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import NotFound, RetryableError

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 2
_IDLE_SECONDS = 1.0


class Desk:
    """Makes the reports that are pending. One thread.

    Parameters
    ----------
    database, registry, clock
        Where frozen rows and references are.
    settings
        Whether reports are made.
    maker
        Makes them, in a process of its own.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        clock: Clock,
        settings: EvidenceSettings,
        maker: MakerProcess,
        meters: Meters,
    ) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._meters = meters
        self._maker = maker

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set."""
        threading.Thread(
            target=self._end_with, args=(stop,), name="monitor-evidence-stop", daemon=True
        ).start()
        while not stop.is_set():
            beat()
            try:
                busy = self.step()
            except RetryableError as error:
                logger.warning("evidence_waits", extra={"reason": str(error)})
                busy = False
            if not busy:
                stop.wait(_IDLE_SECONDS)

    def _end_with(self, stop: threading.Event) -> None:
        """End the maker's process with us: a report under way is made again next time."""
        stop.wait()
        self._maker.close()

    def step(self) -> bool:
        """Make one report, if one is pending; return whether there was one.

        Raises
        ------
        StoreUnavailable
            The database is away; the report is made later.
        """
        with self._database.read() as c:
            frozen = evidence.next_pending(c)
        if frozen is None:
            return False
        reason, report = self._reported(frozen)
        if report is None and not reason:
            return True  # it is tried once more
        with self._database.transaction() as c:
            evidence.finish(c, frozen.id, report, reason, self._clock.now())
        outcome = "missing" if report is None else "ready"
        self._meters.reports.labels(outcome).inc()
        logger.info("evidence_report", extra={"evidence": frozen.id, "outcome": outcome})
        return True

    def _reported(self, frozen: Frozen) -> tuple[str, Report | None]:
        """Return the report, or why there is none; neither where a second try is left."""
        if not self._settings.evidence_reports:
            return "reports are switched off (WATCHKEEPER_EVIDENCE_REPORTS)", None
        if frozen.attempts >= MOST_ATTEMPTS:
            return "the process that makes reports ended twice without an answer", None
        try:
            reference = self._registry.artifact(frozen.reference)
        except NotFound:
            return "the version has no reference to compare the rows with", None
        return self._tried(frozen, reference)

    def _tried(self, frozen: Frozen, reference: bytes) -> tuple[str, Report | None]:
        with self._database.transaction() as c:
            evidence.attempt(c, frozen.id)
        answer = self._maker.make(_job(frozen, reference))
        if isinstance(answer, Made):
            return _words(frozen), _report(answer)
        if answer.reason == STOPPING:
            return self._later(frozen)
        if answer.final or frozen.attempts + 1 >= MOST_ATTEMPTS:
            return f"no report could be made: {answer.reason}", None
        logger.warning("evidence_attempt_failed", extra={"reason": answer.reason})
        return "", None

    def _later(self, frozen: Frozen) -> tuple[str, Report | None]:
        """Take the try back: it was ended by us, and the next start makes the report."""
        with self._database.transaction() as c:
            evidence.attempt(c, frozen.id, -1)
        return "", None

    def close(self) -> None:
        """End the maker's process. Idempotent."""
        self._maker.close()


def _words(frozen: Frozen) -> str:
    start, end = (f"{edge:%Y-%m-%d %H:%M}" for edge in (frozen.window.start, frozen.window.end))
    rows = f"{frozen.sample_rows:,} of {frozen.window_rows:,} rows"
    return f"made of {rows} from {start} to {end} UTC"


def _job(frozen: Frozen, reference: bytes) -> Job:
    return Job(
        evidence=frozen.id,
        title=f"{frozen.system} {frozen.version}, rows from {frozen.window.start.isoformat()}"
        f" to {frozen.window.end.isoformat()}, revision {frozen.revision}",
        words=_words(frozen),
        timestamp=frozen.window.end,
        sample=frozen.sample,
        reference=reference,
    )


def _report(made: Made) -> Report:
    digest = hashlib.sha256(made.json.encode()).hexdigest()
    return Report(made.json, digest, gzip.compress(made.html, mtime=0))
