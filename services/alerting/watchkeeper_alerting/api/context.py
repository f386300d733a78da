"""What every route gets: the database, the time, the caller with a fitting role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from watchkeeper_alerting.backtesting import Backtester
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.observability.callers import anyone, having

_STATE = "watchkeeper_alerting"
_LONGEST_PAGE = 1000
MOST_WHOLE = 2**63 - 1
"""The largest whole number that both databases hold."""


@dataclass(frozen=True, slots=True)
class Context:
    """What routes and pages work with.

    Parameters
    ----------
    database, clock
        Where everything is, and what time it is.
    public_url
        How people reach the console, without a slash at the end; for links.
    body_limit
        The largest applied file or reference artifact that is taken, in bytes.
    session_length
        How long a login to the console lasts.
    backtester
        Replays policies; None where whoever started the process handed none in.
    """

    database: Database
    clock: Clock
    public_url: str
    body_limit: int
    session_length: timedelta = timedelta(hours=12)
    backtester: Backtester | None = None


def install(app: FastAPI, context: Context) -> None:
    """Give the routes of `app` their context."""
    setattr(app.state, _STATE, context)


def context_of(request: Request) -> Context:
    """Return the context of the app that got `request`."""
    context: Context = getattr(request.app.state, _STATE)
    return context


async def body_of(request: Request) -> bytes:
    """Return the whole body; nothing of it is read for somebody who has no key.

    Raises
    ------
    HTTPException
        401: nobody we know; 413: more bytes than the context allows.
    """
    await anyone(request)
    return await bounded(request, context_of(request).body_limit)


async def bounded(request: Request, limit: int) -> bytes:
    """Return the whole body, or refuse it as soon as it is too large.

    Raises
    ------
    HTTPException
        413: more than `limit` bytes.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"the body is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def instant(text: str | None, name: str) -> datetime | None:
    """Read an instant from a query parameter.

    Raises
    ------
    HTTPException
        422: it is no ISO 8601 instant, has no time zone, or is no instant in UTC.
    """
    if text is None:
        return None
    try:
        # A plus sign in a query that nobody encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise HTTPException(422, f"{name}: {text!r} is no ISO 8601 instant") from error
    if moment.tzinfo is None:
        raise HTTPException(422, f"{name}: {text!r} has no time zone; end it with Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise HTTPException(422, f"{name}: {text!r} is outside of the calendar") from error


def page_size(limit: int) -> int:
    """Keep a page within bounds."""
    return max(1, min(limit, _LONGEST_PAGE))


Ctx = Annotated[Context, Depends(context_of)]
Body = Annotated[bytes, Depends(body_of)]
Admin = Annotated[Caller, Depends(having(Role.ADMIN))]
Reader = Annotated[
    Caller,
    Depends(having(Role.VIEWER, Role.ONCALL, Role.REVIEWER, Role.APPROVER, Role.AUDITOR)),
]
OnCall = Annotated[Caller, Depends(having(Role.ONCALL))]
TicketActor = Annotated[Caller, Depends(having(Role.ONCALL, Role.REVIEWER, Role.APPROVER))]
