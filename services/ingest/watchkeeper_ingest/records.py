"""Gathered events become records on the log, and the log's answer becomes everybody's."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from watchkeeper_ingest.admission import Fuse
from watchkeeper_ingest.metrics import IngestMetrics
from watchkeeper_shared import topics
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import LogUnavailable, RetryableError, WatchkeeperError
from watchkeeper_shared.eventlog.port import LogWriter, Message, Position
from watchkeeper_shared.events import headers
from watchkeeper_shared.events.batches import concatenate, slices, to_bytes
from watchkeeper_shared.events.rows import Kind

logger = logging.getLogger(__name__)

SOURCE = "/watchkeeper/ingest"

_TOPICS = {Kind.PREDICTIONS: topics.PREDICTIONS, Kind.LABELS: topics.LABELS}


@dataclass(frozen=True, slots=True)
class Cut:
    """The most events and, roughly, bytes in one record."""

    rows: int
    size: int

    def rows_of(self, batch: pa.RecordBatch) -> int:
        """Return how many rows of a batch go into one record."""
        # What it is as a stream; `nbytes` would take twenty times as long to find out.
        fitting: int = batch.num_rows * self.size // pa.ipc.get_record_batch_size(batch)
        return max(1, min(self.rows, fitting))


def _random_id() -> str:
    return uuid.uuid4().hex


class Records:
    """Encodes batches and appends them.

    Parameters
    ----------
    writer
        Where records go.
    fuse, metrics
        Told how it went.
    clock
        For the time of each record.
    cut
        Larger batches are cut.
    new_id
        Makes the identity of a batch.
    """

    def __init__(
        self,
        writer: LogWriter,
        fuse: Fuse,
        metrics: IngestMetrics,
        clock: Clock,
        cut: Cut,
        *,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self._writer = writer
        self._fuse = fuse
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id
        self._cut = cut

    def append(
        self,
        kind: Kind,
        system: str,
        batches: Sequence[pa.RecordBatch],
        callers: Sequence[Future[None]],
    ) -> None:
        """Append the events and settle the callers once all of them are durable."""
        try:
            messages = list(self._messages(kind, system, concatenate(batches)))
        except Exception as error:  # a bug of ours must fail its callers, not the thread
            logger.exception("batch_not_encoded", extra={"system": system, "batches": len(batches)})
            for caller in callers:
                caller.set_exception(error)
            return
        group = _Group(len(messages), callers)
        for message in messages:
            self._send(message, group)

    def _send(self, message: Message, group: _Group) -> None:
        def settle(confirmed: Future[Position]) -> None:
            error = confirmed.exception()
            self._note(message, error)
            group.settle(error)

        self._writer.append(message).add_done_callback(settle)

    def _messages(self, kind: Kind, system: str, batch: pa.RecordBatch) -> Iterator[Message]:
        for piece in slices(batch, self._cut.rows_of(batch)):
            described = headers.build(
                piece, kind, batch_id=self._new_id(), source=SOURCE, now=self._clock.now()
            )
            yield Message(_TOPICS[kind].name, system, to_bytes(piece), described)

    def _note(self, message: Message, error: BaseException | None) -> None:
        self._metrics.appended(confirmed=error is None)
        if error is None:
            self._fuse.mend()
            return
        if isinstance(error, RetryableError):
            self._fuse.blow()
        logger.warning(
            "record_not_confirmed",
            extra={
                "topic": message.topic,
                "system": message.key,
                "batch": message.headers["ce_id"],
                "rows": message.headers["rows"],
                "reason": str(error),
            },
        )


class _Group:
    """The records that a set of callers waits for; settles them with the worst answer."""

    def __init__(self, records: int, callers: Sequence[Future[None]]) -> None:
        self._open = records
        self._callers = callers
        self._error: BaseException | None = None
        self._lock = Lock()

    def settle(self, error: BaseException | None) -> None:
        """Take the log's answer for one record."""
        with self._lock:
            self._open -= 1
            self._error = self._error or error
            if self._open:
                return
        for caller in self._callers:
            if self._error is None:
                caller.set_result(None)
            else:
                caller.set_exception(_for_callers(self._error))


def _for_callers(error: BaseException) -> BaseException:
    """Return the error as the sender should read it."""
    if isinstance(error, LogUnavailable) or not isinstance(error, WatchkeeperError):
        return error
    return LogUnavailable(f"the log did not take the batch: {error}")
