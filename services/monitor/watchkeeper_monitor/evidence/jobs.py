"""What the monitor and the maker's process say to each other: length, then msgpack."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import IO

import msgspec

_LENGTH = struct.Struct(">Q")
MOST_BYTES = 256 << 20
"""A longer message is a broken pipe, not a report."""


class Job(msgspec.Struct, frozen=True, tag="job"):
    """One report to make.

    Parameters
    ----------
    evidence, title, words
        Which; what it is of; and "made of k of n rows".
    timestamp
        The end of the window: equal rows give an equal report, whenever it is made.
    sample, reference
        The frozen rows as Arrow IPC, and the reference artifact.
    """

    evidence: str
    title: str
    words: str
    timestamp: datetime
    sample: bytes
    reference: bytes


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The maker has loaded its libraries."""


class Made(msgspec.Struct, frozen=True, tag="made"):
    """A report: its JSON and a page."""

    json: str
    html: bytes


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """No report; `final` if another try cannot help."""

    reason: str
    final: bool = False


Said = Job | Started | Made | Failed


def write(pipe: IO[bytes], message: Said) -> None:
    """Send one message."""
    data = msgspec.msgpack.encode(message)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def read(pipe: IO[bytes]) -> Said | None:
    """Receive one message; None when the other side ended."""
    head = _exactly(pipe, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MOST_BYTES:
        return None
    data = _exactly(pipe, length)
    return None if data is None else msgspec.msgpack.decode(data, type=Said)


def _exactly(pipe: IO[bytes], length: int) -> bytes | None:
    parts = []
    while length:
        part = pipe.read(length)
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
