"""Batches that come again whole are dropped before they are decoded.

A producer that did not hear an acknowledgement sends the same record again. It is known by
the identity that CloudEvents gives it (source and id) together with its content: an identity
alone would lose the rows of a sender that gives every batch the same. What is not dropped here
costs more and is no less exact: its rows are known by their own ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from watchkeeper_shared.eventlog.port import Record

KEPT = 10_000
"""So many of the newest batches of a partition are remembered."""

LEAST = 4_096
"""Smaller records are read again rather than remembered: that costs less."""

_WORD = 8
_ODD = np.arange(1, 1 << 15, 2, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A record whose content was read before."""

    system: str
    rows: int


@dataclass(slots=True)
class Repeats:
    """The batches of one partition that were read.

    Parameters
    ----------
    stored
        Fingerprints that are in the database, oldest first.
    fresh
        Those of what is pending.
    """

    stored: dict[int, None] = field(default_factory=dict)
    fresh: dict[int, None] = field(default_factory=dict)

    @classmethod
    def of(cls, fingerprints: Iterable[int]) -> Repeats:
        """Return what was stored."""
        return cls(dict.fromkeys(fingerprints))

    def knows(self, fingerprint: int) -> bool:
        """Return whether a batch was read before."""
        return fingerprint in self.stored or fingerprint in self.fresh

    def kept(self, *, whole: bool) -> Repeats:
        """Return what is remembered after a flush.

        Parameters
        ----------
        whole
            Whether all rows were taken. A batch with refused rows may be sent again once its
            version was applied, and is then read.
        """
        known = [*self.stored, *(self.fresh if whole else ())]
        return Repeats.of(known[-KEPT:])


def fingerprint(record: Record) -> int | None:
    """Return what a repetition of a record has too; None where that is not worth knowing.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from watchkeeper_shared.eventlog.port import TopicPartition
    >>> at, now = TopicPartition("t", 0), datetime.now(UTC)
    >>> big = Record(at, 1, "s", b"x" * 5000, {"ce_id": "1", "rows": "7"}, now)
    >>> small = Record(at, 2, "s", b"x", {"ce_id": "1", "rows": "7"}, now)
    >>> fingerprint(big) is None, fingerprint(small) is None
    (False, True)
    """
    named = {name.lower(): text for name, text in record.headers.items()}
    the_id, rows = named.get("ce_id"), named.get("rows", "")
    if len(record.value) < LEAST or not the_id or not record.key or not rows.isdigit():
        return None
    whole = len(record.value) // _WORD
    words = np.frombuffer(record.value, dtype="<u8", count=whole)
    parts = (named.get("ce_source", ""), the_id, record.key, rows, str(len(record.value)))
    said = "\x1f".join((*parts, str(_turned(words)), record.value[whole * _WORD :].hex()))
    digest = hashlib.blake2b(said.encode(), digest_size=_WORD).digest()
    return int.from_bytes(digest, "little", signed=True)


def _turned(words: NDArray[np.uint64]) -> int:
    """Return the sum of the words, each times another odd number so that their order counts."""
    total = 0
    for start in range(0, len(words), len(_ODD)):
        part = words[start : start + len(_ODD)]
        total += int(np.dot(part, _ODD[: len(part)]))
        if start:
            total += 2 * start * int(part.sum())
    return total % (1 << 64)


def repeated(record: Record) -> Repeated:
    """Return what a record holds that has a fingerprint, without reading it."""
    rows = next(text for name, text in record.headers.items() if name.lower() == "rows")
    return Repeated((record.key or "").partition("|")[0], int(rows))
