"""The states a measurement can be in. Silence is never health: six answers, not two."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a rule (or its absence) says about one measurement."""

    OK = "ok"
    WARN = "warn"
    BREACH = "breach"
    INSUFFICIENT = "insufficient"  # there is data, not enough to decide
    NO_DATA = "no_data"  # there is nothing to look at
    ERROR = "error"  # it could not be computed
