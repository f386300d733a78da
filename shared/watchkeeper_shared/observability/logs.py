"""Logs: one JSON object a line, an event name and its fields.

Write `logger.info("breach_opened", extra={"system": name, "reason": reason})`: the event
never has values in it, so it can be counted; the values are fields, so they can be searched.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# DEBUG lines of kafka hold record contents, and its INFO lines tell of groups, which helps, but
# also of each connection in a dozen lines. INFO lines of httpx hold whole URLs with what is
# secret in them; uvicorn and alembic tell of their own starting and stopping.
_LOWEST = {
    "kafka": logging.INFO,
    "kafka.net": logging.WARNING,
    "kafka.cluster": logging.WARNING,
    "confluent_kafka": logging.INFO,
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "uvicorn": logging.WARNING,
}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: ts, level, service, logger, event, fields.

    Parameters
    ----------
    service
        Who speaks.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "ts": _text(record.created),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if fields:
            line["fields"] = fields
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(service: str, stream: TextIO, level: int = logging.INFO) -> None:
    """Send every log record of the process to `stream`; replaces what was set before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, lowest in _LOWEST.items():
        logging.getLogger(name).setLevel(max(level, lowest))
    logging.captureWarnings(capture=True)


def _text(created: float) -> str:
    instant = datetime.fromtimestamp(created, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
