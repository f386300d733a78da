"""Why one row was refused: a fixed list of codes, so that they can be counted by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RejectCode(StrEnum):
    """The fixed reasons; a metric label and part of the public API."""

    MALFORMED = "malformed"  # not JSON, not Arrow, not an object
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"  # NaN or infinity
    OUT_OF_RANGE = "out_of_range"  # a score outside 0..1
    TIME_WITHOUT_ZONE = "time_without_zone"
    TIME_IN_FUTURE = "time_in_future"
    TIME_TOO_OLD = "time_too_old"  # older than ingest is set to take
    UNKNOWN_SYSTEM = "unknown_system"
    WITHDRAWN_SYSTEM = "withdrawn_system"  # it was in force, and somebody ended the watch over it
    UNKNOWN_VERSION = "unknown_version"
    FORBIDDEN_SYSTEM = "forbidden_system"  # the key may not publish for it
    UNKNOWN_CLASS = "unknown_class"
    TOO_LONG = "too_long"  # a text over its cap
    CONFLICTING_ID = "conflicting_id"  # one id, two different predictions
    UNSUPPORTED = "unsupported"  # a content type or an encoding nobody agreed on


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused row.

    Parameters
    ----------
    index
        Its place in what the sender sent, from 0.
    code, detail
        Why, for machines and for people; the detail names the field and the value's type.
    system
        Which applied system's sender may be told; empty where the row names none, or no row.
    """

    index: int
    code: RejectCode
    detail: str
    system: str = ""
