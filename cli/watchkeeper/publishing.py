"""Sending the rows of a file, batch by batch, until all of it is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from watchkeeper.client import Client, error_of
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.events.batches import to_bytes
from watchkeeper_shared.events.codec import ARROW
from watchkeeper_shared.events.rows import REQUIRED, Kind

_SHOWN_REJECTS = 5
_NOTHING_TAKEN = frozenset({422})
"""Ingest's answer when it refused every row; the reasons are in it as for a part of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one batch came to; rejects are lines for people."""

    accepted: int
    duplicates: int = 0
    rejected: int = 0
    rejects: tuple[str, ...] = ()


class Destination(Protocol):
    """Where batches go; returns once the batch is durable, or raises."""

    def send(self, batch: pa.RecordBatch, kind: Kind) -> Answer:
        """Send one batch of canonical columns."""
        ...


@dataclass
class Outcome:
    """What a whole run came to.

    Parameters
    ----------
    accepted, duplicates, rejected
        Counts of rows.
    rejects
        The first few rejects, as lines.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return self.accepted + self.duplicates + self.rejected

    def add(self, answer: Answer, first_row: int) -> None:
        """Take in the answer for the batch that began at `first_row` of the file."""
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates
        self.rejected += answer.rejected
        room = max(0, _SHOWN_REJECTS - len(self.rejects))
        self.rejects.extend(f"batch at row {first_row}: {one}" for one in answer.rejects[:room])


class OverHTTP:
    """Ingest's `/v1/predictions` and `/v1/labels`, as Arrow."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, batch: pa.RecordBatch, kind: Kind) -> Answer:
        """Send one batch; a try that got no answer is repeated, ingest knows its ids."""
        response = self._client.send(
            "POST",
            f"/v1/{kind.value}",
            body=to_bytes(batch),
            content_type=ARROW,
            expected=_NOTHING_TAKEN,
        )
        reply = response.json()
        if response.is_error and "rejected" not in reply:
            raise error_of(response)
        rejected = reply.get("rejected", [])
        return Answer(
            int(reply.get("accepted", 0)),
            int(reply.get("duplicates", 0)),
            len(rejected),
            tuple(f"item {one['index']}: {one['code']}: {one['detail']}" for one in rejected),
        )


def publish(
    batches: Iterable[pa.RecordBatch],
    kind: Kind,
    to: Destination,
    show: Callable[[int], None],
) -> Outcome:
    """Send every batch in order and add the answers up.

    Raises
    ------
    InvalidObject
        A batch lacks a column without which its rows mean nothing.
    """
    outcome = Outcome()
    for batch in batches:
        check_columns(batch, kind)
        outcome.add(to.send(batch, kind), outcome.rows)
        show(outcome.rows)
    return outcome


def check_columns(batch: pa.RecordBatch, kind: Kind) -> None:
    """Refuse a table that lacks what every row needs, before anything is sent.

    Raises
    ------
    InvalidObject
        Names the missing columns.
    """
    missing = [name for name in REQUIRED[kind] if name not in batch.schema.names]
    if missing:
        raise InvalidObject(
            f"{kind.value} need the column {', '.join(missing)}; the file has "
            f"{', '.join(batch.schema.names)}; name others with --map {missing[0]}=COLUMN"
        )


def stamped(batch: pa.RecordBatch, kind: Kind, system: str, version: str) -> pa.RecordBatch:
    """Set the system, and for predictions the version, of every row."""
    fixed = {"system": system} | ({"version": version} if kind is Kind.PREDICTIONS else {})
    kept = {
        name: batch.column(name)
        for name in batch.schema.names
        if name not in fixed and not (kind is Kind.PREDICTIONS and name == "label")
    }
    constant = {name: pa.array([value] * batch.num_rows) for name, value in fixed.items()}
    return pa.RecordBatch.from_pydict(constant | kept)
