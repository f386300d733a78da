"""The headers of a batch on the log: CloudEvents in binary mode, and three of ours.

One record is one event, whose data is the whole batch. `rows`, `mintime` and `maxtime` let
a reader plan without decoding. A record from elsewhere needs only its `content-type`.

References
----------
.. [1] CloudEvents Kafka protocol binding 1.0, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.codec import ARROW
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind


@dataclass(frozen=True, slots=True)
class BatchHeaders:
    """What the headers of a record say; None for what was not sent.

    Parameters
    ----------
    content_type
        How to read the value.
    id, type, source, time, dataschema
        The CloudEvents attributes. `id` is the batch's: the same id is the same batch.
    rows
        How many events are in the value.
    mintime, maxtime
        The oldest and the newest event time in it.
    """

    content_type: str
    id: str | None = None
    type: str | None = None
    source: str | None = None
    time: datetime | None = None
    dataschema: str | None = None
    rows: int | None = None
    mintime: datetime | None = None
    maxtime: datetime | None = None


def event_type(kind: Kind) -> str:
    """Return the CloudEvents type of a batch."""
    return f"watchkeeper.{kind.value}.batch"


def build(
    batch: pa.RecordBatch, kind: Kind, *, batch_id: str, source: str, now: datetime
) -> dict[str, str]:
    """Return the headers for a checked batch that is sent as an Arrow stream.

    Parameters
    ----------
    batch
        At least one row, each with a time.
    batch_id
        The identity of the batch; a second sending must carry the same one.
    source
        Who sends it, as a URI reference, such as `/watchkeeper/ingest`.
    now
        When the batch was made.
    """
    span = pc.min_max(batch.column("time"))
    return {
        "ce_specversion": "1.0",
        "ce_id": batch_id,
        "ce_type": event_type(kind),
        "ce_source": source,
        "ce_time": _text(now),
        "ce_dataschema": f"urn:watchkeeper:{kind.value}:v1",
        "content-type": ARROW,
        "rows": str(batch.num_rows),
        "mintime": _text(span["min"].as_py()),
        "maxtime": _text(span["max"].as_py()),
    }


def parse(headers: Mapping[str, str]) -> BatchHeaders:
    """Read the headers of a record.

    Raises
    ------
    MalformedRecord
        There is no content type, or a header does not hold what its name says.
    """
    named = {name.lower(): text for name, text in headers.items()}
    content_type = named.get("content-type", "")
    if not content_type:
        raise MalformedRecord(
            RejectCode.UNSUPPORTED, f"the record has no content-type header; send {ARROW!r}"
        )
    return BatchHeaders(
        content_type=content_type,
        id=named.get("ce_id"),
        type=named.get("ce_type"),
        source=named.get("ce_source"),
        time=_instant(named, "ce_time"),
        dataschema=named.get("ce_dataschema"),
        rows=_count(named, "rows"),
        mintime=_instant(named, "mintime"),
        maxtime=_instant(named, "maxtime"),
    )


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _instant(headers: Mapping[str, str], name: str) -> datetime | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            detail = f"header {name} has no zone: {text!r}"
            raise MalformedRecord(RejectCode.TIME_WITHOUT_ZONE, detail)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        detail = f"header {name} is no RFC 3339 instant: {text[:40]!r}"
        raise MalformedRecord(RejectCode.MALFORMED, detail) from error


def _count(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004  a billion rows
        raise MalformedRecord(
            RejectCode.MALFORMED, f"header {name} is no count of events: {text[:40]!r}"
        )
    return int(text)
