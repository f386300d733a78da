"""Instants as integers: microseconds since 1970, exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MILLISECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MILLISECOND


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


def nearest(milliseconds: int) -> datetime:
    """Return an instant that anybody may have written, or the nearest that a calendar has.

    Examples
    --------
    >>> nearest(1000).isoformat()
    '1970-01-01T00:00:01+00:00'
    >>> nearest(1_790_000_000_000_000_000).year  # somebody wrote nanoseconds
    9999
    """
    return EPOCH + min(max(milliseconds, _FIRST), _LAST) * MILLISECOND
