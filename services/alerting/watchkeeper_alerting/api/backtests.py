"""`/v1/backtests`: what a changed policy would have told, before anybody applies it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from watchkeeper_alerting.api.context import Body, Context, Ctx, instant
from watchkeeper_alerting.applying import application
from watchkeeper_alerting.applying.documents import SourceFile
from watchkeeper_alerting.backtesting import Asked
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import InvalidObject
from watchkeeper_shared.observability.callers import having
from watchkeeper_shared.specs import parse_duration

router = APIRouter(prefix="/v1", tags=["backtests"])

Tester = Annotated[Caller, Depends(having(Role.REVIEWER, Role.APPROVER, Role.AUDITOR))]
Named = Annotated[list[str], Query()]


@router.post("/backtests")
def backtest(
    body: Body,
    ctx: Ctx,
    _: Tester,
    since: str = "90d",
    until: str | None = None,
    system: Named = [],  # noqa: B006 - FastAPI copies defaults
) -> Response:
    """Replay one policy document and list the breaches gained and lost; nothing is applied.

    Compared with the policy of the same name that is in force. Answers when it is done.
    """
    if ctx.backtester is None:
        raise HTTPException(501, "this process replays nothing; use `watchkeeper backtest`")
    end = instant(until, "until") or ctx.clock.now()
    asked = Asked(_policy(ctx, body), _start(since, end), end, tuple(system))
    return Response(ctx.backtester(asked), media_type="application/json")


def _policy(ctx: Context, body: bytes) -> str:
    """Return the text of the one policy in the body, checked like one to apply."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidObject(f"body: byte {error.start} is not UTF-8") from error
    with ctx.database.read() as c:
        kinds = [one.kind for one in application.check(c, [SourceFile("body", text)]).documents]
    if kinds != ["OversightPolicy"]:
        raise InvalidObject(
            f"body: a backtest takes one OversightPolicy, got {', '.join(kinds) or 'nothing'}"
        )
    return text


def _start(since: str, end: datetime) -> datetime:
    try:
        return end - parse_duration(since)
    except ValueError:
        return instant(since, "since") or end
