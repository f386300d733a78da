"""Publishing straight onto the event log, past ingest, as an ML service may do itself."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pyarrow as pa

from watchkeeper.publishing import Answer
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import InvalidObject, LogUnavailable
from watchkeeper_shared.eventlog.port import LogWriter, Message
from watchkeeper_shared.events import headers
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.topics import LABELS, PREDICTIONS

_SOURCE = "/watchkeeper/publish"
_PATIENCE = timedelta(minutes=5)
_TOPICS = {Kind.PREDICTIONS: PREDICTIONS, Kind.LABELS: LABELS}


class OntoLog:
    """The topics themselves. Rows are checked by their reader, the monitor.

    Parameters
    ----------
    writer
        Of the log.
    system
        The record key, so that batches of one system keep their order.
    clock
        For the headers.
    """

    def __init__(self, writer: LogWriter, system: str, clock: Clock) -> None:
        self._writer = writer
        self._system = system
        self._clock = clock

    def send(self, batch: pa.RecordBatch, kind: Kind) -> Answer:
        """Append one batch and wait until it is durable.

        Raises
        ------
        InvalidObject
            A row has no time.
        LogUnavailable
            The log did not take it in time; the same file may be sent again, the monitor
            knows its ids.
        """
        if batch.column("time").null_count:
            raise InvalidObject(f"{kind.value}: every row needs a time; some have none")
        value = to_bytes(batch)
        head = headers.build(
            batch,
            kind,
            batch_id=hashlib.sha256(value).hexdigest(),
            source=_SOURCE,
            now=self._clock.now(),
        )
        message = Message(_TOPICS[kind].name, self._system, value, head)
        try:
            self._writer.append(message).result(timeout=_PATIENCE.total_seconds())
        except TimeoutError as error:
            raise LogUnavailable(f"the log took nothing for {_PATIENCE}; try again") from error
        return Answer(batch.num_rows)
