"""Numbers and instants as people read them."""

from __future__ import annotations

from datetime import datetime

_DIGITS = 4


def number(value: float | None) -> str:
    """Return a number as people read it.

    Examples
    --------
    >>> number(0.31415926), number(-0.0), number(None)
    ('0.3142', '0', 'no value')
    """
    if value is None:
        return "no value"
    shown = f"{value:.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
    return "0" if shown == "-0" else shown


def minute(moment: datetime) -> str:
    """Return an instant to the minute, in UTC as everything here is."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")
