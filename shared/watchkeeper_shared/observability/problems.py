"""Every error as `application/problem+json` (RFC 9457), the same in each service.

Routes raise from the error tree and never build an error answer themselves; `install`
is the one place where an error becomes a status code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from watchkeeper_shared.errors import (
    Conflict,
    Forbidden,
    InvalidObject,
    MalformedRecord,
    NotFound,
    PermanentError,
    RetryableError,
    WatchkeeperError,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[WatchkeeperError], int], ...] = (
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
    (InvalidObject, 422),
    (MalformedRecord, 422),
    (RetryableError, 503),
    (PermanentError, 400),
)
_DEFAULT_WAIT_SECONDS = 1


class Problem(JSONResponse):
    """A problem document as a response.

    Parameters
    ----------
    status
        The HTTP status; the title is its phrase.
    detail
        What was wrong, where, and what to do, for the person who reads it.
    headers
        Further response headers, such as `Retry-After`.
    members
        Further members of the document, such as `code` or `errors`.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        super().__init__({**body, **members}, status_code=status, headers=headers)


def status_of(error: WatchkeeperError) -> int:
    """Return the HTTP status that says what `error` says.

    Examples
    --------
    >>> status_of(NotFound("no such system"))
    404
    """
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def of_error(error: WatchkeeperError) -> Problem:
    """Return the answer for an error that was raised on purpose."""
    if isinstance(error, RetryableError):
        wait = error.retry_after.total_seconds() if error.retry_after else _DEFAULT_WAIT_SECONDS
        headers = {"Retry-After": str(max(1, math.ceil(wait)))}
        return Problem(status_of(error), str(error), headers=headers)
    if isinstance(error, MalformedRecord):
        return Problem(status_of(error), error.detail, code=error.code)
    if isinstance(error, InvalidObject) and error.problems:
        return Problem(status_of(error), str(error), errors=list(error.problems))
    return Problem(status_of(error), str(error))


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    app.add_exception_handler(WatchkeeperError, _on_ours)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(Exception, _on_bug)


async def _on_ours(_: Request, error: Exception) -> Problem:
    return of_error(cast("WatchkeeperError", error))


async def _on_http(request: Request, error: Exception) -> Problem:
    known = cast("HTTPException", error)
    detail = known.detail
    if known.status_code in (404, 405) and detail == HTTPStatus(known.status_code).phrase:
        detail = f"nothing answers {request.method} {request.url.path} here"
    return Problem(known.status_code, detail, headers=known.headers)


async def _on_validation(_: Request, error: Exception) -> Problem:
    found = cast("Sequence[dict[str, Any]]", cast("RequestValidationError", error).errors())
    errors = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
    return Problem(422, "; ".join(errors), errors=errors)


async def _on_bug(_: Request, __: Exception) -> Problem:
    # The server logs the traceback; what it says may hold secrets, so the caller gets none of it.
    return Problem(500, "this is a fault of ours; the service's log has the details")
