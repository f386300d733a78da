"""The routes of ingest: parse, take, answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from watchkeeper_ingest.acceptance import Accepted
from watchkeeper_ingest.admission import Overloaded
from watchkeeper_ingest.bodies import TooLarge, TooSlow
from watchkeeper_ingest.intake import Intake, Sent
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import MalformedRecord, RetryableError
from watchkeeper_shared.events.codec import CONTENT_TYPES
from watchkeeper_shared.events.rejects import Reject, RejectCode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.observability.callers import having
from watchkeeper_shared.observability.problems import Problem

Publisher = Annotated[Caller, Depends(having(Role.PUBLISHER))]

_LATER: Mapping[type[RetryableError], int] = {TooSlow: 408, Overloaded: 429}
_SAFE = "sending the whole request again with the same ids is safe"

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One object, an array, lines, columns, or an Arrow IPC stream.",
        "content": {media: {} for media in CONTENT_TYPES},
    }
}


def router(intake: Intake) -> APIRouter:
    """Return `POST /v1/predictions` and `POST /v1/labels`, for including into an app.

    The app needs `problems.install` and `callers.install` of `watchkeeper_shared`, once.
    """
    routes = APIRouter(prefix="/v1", tags=["ingest"])

    async def predictions(request: Request, caller: Publisher) -> Response:
        """Take predictions; 202 once the log has them, with what was refused per item."""
        return await _answer(intake, request, caller, Kind.PREDICTIONS)

    async def labels(request: Request, caller: Publisher) -> Response:
        """Take labels; 202 once the log has them, with what was refused per item."""
        return await _answer(intake, request, caller, Kind.LABELS)

    for kind, endpoint in ((Kind.PREDICTIONS, predictions), (Kind.LABELS, labels)):
        routes.add_api_route(
            f"/{kind.value}",
            endpoint,
            methods=["POST"],
            status_code=202,
            response_class=JSONResponse,
            openapi_extra=_BODY,
        )
    return routes


async def _answer(intake: Intake, request: Request, caller: Caller, kind: Kind) -> Response:
    sent = Sent(
        kind=kind,
        content_type=request.headers.get("content-type", ""),
        encoding=request.headers.get("content-encoding", ""),
        chunks=request.stream(),
        caller=caller,
    )
    where = request.url.path
    try:
        accepted = await intake.take(sent)
    except TooLarge as error:
        # The rest of the body was not read, so the connection cannot be used again.
        return Problem(413, str(error), instance=where, headers={"Connection": "close"})
    except ClientDisconnect:
        return Problem(400, "the body ended early; nothing of it was taken", instance=where)
    except MalformedRecord as error:
        return _unreadable(error, where)
    except RetryableError as error:
        return _later(error, where)
    return _taken(accepted, where)


def _unreadable(error: MalformedRecord, where: str) -> Problem:
    if error.code == RejectCode.UNSUPPORTED:
        headers = {"Accept": ", ".join(CONTENT_TYPES), "Accept-Encoding": "gzip"}
        return Problem(415, error.detail, code=error.code, instance=where, headers=headers)
    status = 413 if error.code == RejectCode.TOO_LONG else 400
    return Problem(status, error.detail, code=error.code, instance=where)


def _later(error: RetryableError, where: str) -> Problem:
    """Answer 408 to a stalled body, 429 when others must finish first, 503 without the log."""
    wait = 1 if error.retry_after is None else math.ceil(error.retry_after.total_seconds())
    status = next((code for kind, code in _LATER.items() if isinstance(error, kind)), 503)
    headers = {"Retry-After": str(max(1, wait)), "Connection": "close"}
    return Problem(status, f"{error}; {_SAFE}", instance=where, headers=headers)


def _taken(accepted: Accepted, where: str) -> Response:
    body: dict[str, Any] = {
        "accepted": accepted.rows,
        "duplicates": accepted.duplicates,
        "rejected": [_as_json(reject) for reject in accepted.rejects],
    }
    if accepted.rows or not accepted.rejects:
        return JSONResponse(body, status_code=202)
    first = accepted.rejects[0]
    detail = f"nothing was accepted; the first reason (item {first.index}): {first.detail}"
    codes = {reject.code for reject in accepted.rejects}
    status = 403 if codes == {RejectCode.FORBIDDEN_SYSTEM} else 422
    return Problem(status, detail, instance=where, **body)


def _as_json(reject: Reject) -> dict[str, int | str]:
    return {"index": reject.index, "code": reject.code.value, "detail": reject.detail}
