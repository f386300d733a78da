"""Posting over HTTP, and what the answer means: taken, later, or never."""

from __future__ import annotations

import email.utils
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from watchkeeper_shared.errors import ReceiverUnavailable, RejectedByReceiver

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# These are about the notice, or about a receiver that is gone for good. What is about the way to
# it (a login page, a key that was rotated, a route that a deployment took away) is mended.
_NEVER = frozenset({400, 410, 413, 415, 422})
_SHOWN = 300
_LONGEST_WAIT = timedelta(hours=1)


def post(
    client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> None:
    """Post JSON, follow no redirect, and return if the receiver took it.

    Raises
    ------
    ReceiverUnavailable
        No answer in time, or one that is neither 2xx nor the next.
    RejectedByReceiver
        400, 410, 413, 415, 422, or an address that cannot be called.
    """
    sent = {"content-type": "application/json", "user-agent": "watchkeeper", **headers}
    try:
        with client.stream(
            "POST", url, content=body, headers=sent, timeout=TIMEOUT, follow_redirects=False
        ) as answer:
            _judge(answer, _beginning(answer), now)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RejectedByReceiver(f"{place(url)!r} cannot be called: {error}") from error
    except httpx.TransportError as error:
        detail = str(error) or type(error).__name__
        raise ReceiverUnavailable(f"{place(url)} did not answer: {detail}") from error
    except httpx.DecodingError as error:
        raise ReceiverUnavailable(
            f"{place(url)} sent an answer that cannot be read: {error}"
        ) from error


def _beginning(answer: httpx.Response) -> str:
    """Return the first words of an answer; two reads at most, for it may drip without an end."""
    try:
        read = b"".join(itertools.islice(answer.iter_bytes(), 2))
    except httpx.HTTPError:  # its status came, and that is what counts
        read = b""
    return " ".join(read[:_SHOWN].decode(errors="replace").split())


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
    said = f"{place(str(answer.url))} answered {status}: {shown or answer.reason_phrase}"
    if status in _NEVER:
        raise RejectedByReceiver(said)
    if answer.is_redirect:
        said += f" (to {place(answer.headers.get('location', ''))}; redirects are not followed)"
    if not answer.is_success:
        raise ReceiverUnavailable(said, wait_asked(answer.headers.get("retry-after"), now))


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
