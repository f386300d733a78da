"""What the embedded log forgets while `watchkeeper up` runs; a Kafka does so by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import EventLog
from watchkeeper_shared.observability.health import Health
from watchkeeper_shared.settings import LogSettings
from watchkeeper_shared.topics import TOPICS

_EVERY_SECONDS = 60.0
_TURN = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def forget(log: EmbeddedLog, settings: LogSettings) -> int:
    """Forget what is too old or too much; return how many records went.

    Never of a compacted topic: there the newest record of a key counts however old it is.
    Like a Kafka it does not wait for readers; one that is overtaken says so by name.

    Raises
    ------
    LogUnavailable
        The file cannot be written.
    """
    age, size = settings.log_retention, settings.log_retention_bytes
    gone = 0
    for topic in TOPICS:
        names = (topic.dead_letters,) if topic.compacted else (topic.name, topic.dead_letters)
        gone += sum(log.retain(name, age=age, size=size) for name in names)
    if gone:
        logger.info("log_shortened", extra={"records": gone})
    return gone


@contextmanager
def forgetting(log: EventLog, settings: LogSettings, health: Health) -> Iterator[None]:
    """Forget once a minute while the block runs."""
    if not isinstance(log, EmbeddedLog):
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(
        target=_run, args=(log, settings, health, stop), name="log-retention", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run(log: EmbeddedLog, settings: LogSettings, health: Health, stop: threading.Event) -> None:
    beat = health.loop("log-retention", _TURN)
    while not stop.is_set():
        beat()
        try:
            forget(log, settings)
        except LogUnavailable as error:
            logger.warning("log_not_shortened", extra={"reason": str(error)})
        stop.wait(_EVERY_SECONDS)
    health.ended("log-retention")
