"""A process that sends the traffic of a plan: what somebody's ML service does.

    python -m havoc.publisher NOTE SECONDS SEED HOURS ROWS BATCH PARTITIONS

It may be killed at any moment: it goes on after the last record that it noted in the file
NOTE as acknowledged, so records are sent again that were, and never noted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Event

from havoc.story import Plan
from havoc.traffic import traffic
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.opening import open_log
from watchkeeper_shared.eventlog.port import LogWriter, Message, Position
from watchkeeper_shared.settings import LogSettings, environment, read

AT_ONCE = 8


def main(note: Path, seconds: float, plan: Plan) -> None:
    """Send what was not noted as sent, evenly over `seconds` (0: as fast as it goes)."""
    settings = read(LogSettings, environment())
    log = open_log(settings.kafka_bootstrap, settings.log_path, SystemClock())
    messages = traffic(plan).messages
    pause, writer = seconds * AT_ONCE / len(messages), log.writer()
    try:
        for start in range(_noted(note), len(messages), AT_ONCE):
            _send(writer, messages[start : start + AT_ONCE])
            _take_note(note, start + AT_ONCE)
            Event().wait(pause)
    finally:
        log.close()


def _send(writer: LogWriter, messages: Sequence[Message]) -> None:
    """Append until all are acknowledged; what got no answer is sent again."""
    left = list(messages)
    while left:
        promised: list[tuple[Message, Future[Position]]] = [(m, writer.append(m)) for m in left]
        wait([future for _, future in promised])
        left = [m for m, future in promised if isinstance(future.exception(), LogUnavailable)]
        if left:
            Event().wait(0.3)
        for _, future in promised:
            if not isinstance(future.exception(), LogUnavailable):
                future.result()


def _noted(note: Path) -> int:
    return int(note.read_text()) if note.exists() else 0


def _take_note(note: Path, count: int) -> None:
    fresh = note.with_suffix(".new")
    while True:
        try:
            fresh.write_text(str(count))
            fresh.replace(note)
        except OSError:  # the disk is full, or so it was made to seem
            Event().wait(0.3)
        else:
            return


def words(note: Path, seconds: float, plan: Plan) -> list[str]:
    """Return the command that runs this."""
    numbers = (plan.seed, plan.hours, plan.rows_per_hour, plan.batch_rows, plan.partitions)
    return [sys.executable, "-m", "havoc.publisher", str(note), str(seconds), *map(str, numbers)]


def _plan(numbers: Sequence[str]) -> Plan:
    seed, hours, rows, batch, partitions = map(int, numbers)
    return Plan(seed=seed, hours=hours, rows_per_hour=rows, batch_rows=batch, partitions=partitions)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), _plan(sys.argv[3:]))
    sys.stdout.flush()
    os._exit(0)  # the client's threads do not keep a finished publisher
