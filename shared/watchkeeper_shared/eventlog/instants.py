"""Instants as integers: microseconds since 1970, exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970.

    Examples
    --------
    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (instant - EPOCH) // MICROSECOND


def instant(stored: int) -> datetime:
    """Return what was stored, in UTC.

    Examples
    --------
    >>> instant(1000000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return EPOCH + stored * MICROSECOND
