"""A client of a running Watchkeeper: one token, patient with 429 and 503."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from watchkeeper_shared.errors import (
    Conflict,
    Forbidden,
    InvalidObject,
    NotFound,
    PermanentError,
    ReceiverUnavailable,
    WatchkeeperError,
)

_AGAIN = frozenset({408, 425, 429, 502, 503, 504})
_FIRST_PAUSE = timedelta(milliseconds=200)
_LONGEST_PAUSE = timedelta(seconds=15)
_ERRORS: Mapping[int, type[PermanentError]] = {
    400: InvalidObject,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidObject,
}


def pause_before(attempt: int, retry_after: timedelta | None) -> timedelta:
    """Return how long to wait before trying again.

    Parameters
    ----------
    attempt
        How many tries have failed, from 1.
    retry_after
        What the server asked for, which outranks our own idea.

    Examples
    --------
    >>> pause_before(3, None).total_seconds()
    0.8
    >>> pause_before(1, timedelta(seconds=2)).total_seconds()
    2.0
    """
    if retry_after is not None:
        return min(retry_after, _LONGEST_PAUSE)
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(attempt - 1, 10)
    return min(doubled, _LONGEST_PAUSE)


def problem_of(response: httpx.Response) -> str:
    """Return what a problem document says, or what there is instead of one."""
    fallback = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    if "json" not in response.headers.get("content-type", ""):
        return fallback
    try:
        body = response.json()
    except ValueError:
        return fallback
    if not isinstance(body, dict):
        return fallback
    return str(body.get("detail") or body.get("title") or fallback)


def _listed(response: httpx.Response) -> tuple[str, ...]:
    """Return the single mistakes of a problem document, where it lists them."""
    try:
        return tuple(str(one) for one in response.json().get("errors", ()))
    except (ValueError, AttributeError):
        return ()


def error_of(response: httpx.Response) -> WatchkeeperError:
    """Translate an answer above 399 into our error tree."""
    what = problem_of(response)
    where = f"{response.request.method} {response.request.url}"
    status = response.status_code
    if status == httpx.codes.UNAUTHORIZED:
        return Forbidden(f"{where}: the token is missing or unknown; set WATCHKEEPER_TOKEN")
    if status in _AGAIN:
        return ReceiverUnavailable(f"{where}: {what}", _asked_wait(response))
    kind = _ERRORS.get(status, PermanentError)
    if kind is InvalidObject and (problems := _listed(response)):
        return InvalidObject("\n".join(problems), problems)
    return kind(f"{what} ({where}: {status})")


def _asked_wait(response: httpx.Response) -> timedelta | None:
    """Read `Retry-After` in seconds; the form with a date is not worth a clock here."""
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isdigit() else None


class Client:
    """Talk to one Watchkeeper over HTTP.

    Parameters
    ----------
    url
        Where it serves, such as `http://127.0.0.1:8080`.
    token
        An API key; empty for pages that need none.
    tries
        How often one request is sent before it counts as failed.
    pause
        How to wait between tries, given seconds.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        tries: int = 8,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)
        self._tries = tries
        self._pause = threading.Event().wait if pause is None else pause

    def __enter__(self) -> Self:
        """Open nothing: connections open at the first request."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        params: Mapping[str, str | int | bool] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """Send one request until it is answered; every request here may be sent twice.

        Parameters
        ----------
        expected
            Statuses above 399 that the caller reads itself.

        Raises
        ------
        ReceiverUnavailable
            No answer, or 408, 425, 429 or 5xx, for all tries.
        PermanentError
            The answer says that trying again cannot help.
        """
        headers = {} if content_type is None else {"content-type": content_type}
        request = self._http.build_request(
            method, path, content=body, headers=headers, params=params
        )
        for attempt in range(1, self._tries):
            try:
                return self._once(request, expected)
            except ReceiverUnavailable as error:
                self._pause(pause_before(attempt, error.retry_after).total_seconds())
        return self._once(request, expected)

    def _once(self, request: httpx.Request, expected: frozenset[int]) -> httpx.Response:
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise ReceiverUnavailable(
                f"{request.url} does not answer ({error}); is Watchkeeper running, "
                "and is WATCHKEEPER_URL right?"
            ) from error
        if response.status_code >= httpx.codes.BAD_REQUEST and response.status_code not in expected:
            raise error_of(response)
        return response

    def get(self, path: str, **params: str | int | bool) -> Any:
        """Return the JSON at `path`."""
        return self.send("GET", path, params=params).json()
