"""Posting over HTTP, and what the answer means: taken, later, or never."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_LATER = frozenset({408, 425, 429})
_SHOWN = 300
_LONGEST_WAIT = timedelta(hours=1)


def post(
    client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> None:
    """Post JSON, follow no redirect, and return if the receiver took it.

    Raises
    ------
    ReceiverUnavailable
        408, 425, 429, 5xx, or no answer in time.
    RejectedByReceiver
        Any other answer that is not 2xx, or an address that cannot be called.
    """
    sent = {"content-type": "application/json", "user-agent": "watchkeeper", **headers}
    try:
        with client.stream(
            "POST", url, content=body, headers=sent, timeout=TIMEOUT, follow_redirects=False
        ) as answer:
            shown = next(answer.iter_bytes(_SHOWN), b"").decode(errors="replace")
            _judge(answer, " ".join(shown.split()), now)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RejectedByReceiver(f"{place(url)!r} cannot be called: {error}") from error
    except httpx.TransportError as error:
        detail = str(error) or type(error).__name__
        raise ReceiverUnavailable(f"{place(url)} did not answer: {detail}") from error
    except httpx.DecodingError as error:
        raise ReceiverUnavailable(
            f"{place(url)} sent an answer that cannot be read: {error}"
        ) from error


def place(url: str) -> str:
    """Return what may be shown of an address: the rest of a webhook's is often its secret.

    Examples
    --------
    >>> place("https://user:word@hooks.example.org:8443/T0/B0/XXXX?token=abc")
    'https://hooks.example.org:8443'
    """
    try:
        split = urlsplit(url)
    except ValueError:
        return "the url of the channel"
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"


def _judge(answer: httpx.Response, shown: str, now: datetime) -> None:
    status = answer.status_code
    said = f"{place(str(answer.url))} answered {status}: {shown}"
    if status in _LATER or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise ReceiverUnavailable(said, wait_asked(answer.headers.get("retry-after"), now))
    if not answer.is_success:
        raise RejectedByReceiver(said)


def wait_asked(value: str | None, now: datetime) -> timedelta | None:
    """Return the wait in a Retry-After header: seconds, or an HTTP date; at most an hour.

    Examples
    --------
    >>> wait_asked("120", datetime(2026, 1, 1, tzinfo=UTC))
    datetime.timedelta(seconds=120)
    >>> wait_asked("soon", datetime(2026, 1, 1, tzinfo=UTC)) is None
    True
    """
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        # More digits than this are past the cap anyway, and timedelta has an end.
        return min(timedelta(seconds=int(value.strip()[:9])), _LONGEST_WAIT)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)
