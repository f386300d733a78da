"""`/v1/tickets`: the human work that breaches open, and its evidence."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from watchkeeper_alerting import acting, reading
from watchkeeper_alerting.api.context import Body, Context, Ctx, Reader, TicketActor, page_size
from watchkeeper_alerting.reports import html_response, json_response
from watchkeeper_alerting.store import tickets
from watchkeeper_alerting.tickets import Act, Attempt, TicketState
from watchkeeper_shared.errors import InvalidObject

router = APIRouter(prefix="/v1", tags=["tickets"])


class _Transition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    act: Act
    reason: str = ""


@router.get("/tickets")
def list_tickets(
    ctx: Ctx,
    _: Reader,
    state: TicketState | None = None,
    system: str | None = None,
    after: str | None = None,
    limit: int = 200,
) -> dict[str, Any]:
    """Return tickets, newest first; `next` is the `after` of the next page, None at the end."""
    size = page_size(limit)
    with ctx.database.read() as c:
        last = None if after is None else reading.ticket_of(c, after)
        found = tickets.listing(c, state=state, system=system, after=last, limit=size + 1)
    following = found[size - 1].id if len(found) > size else None
    return {"tickets": [reading.ticket_json(one) for one in found[:size]], "next": following}


@router.get("/tickets/{ticket}")
def get_ticket(ticket: str, ctx: Ctx, _: Reader) -> dict[str, Any]:
    """Return one ticket: the frozen numbers, the history, the evidence."""
    return _whole(ctx, ticket)


@router.post("/tickets/{ticket}/transitions")
def act(ticket: str, body: Body, ctx: Ctx, caller: TicketActor) -> dict[str, Any]:
    """Acknowledge, comment, close or reopen."""
    try:
        sent = msgspec.json.decode(body, type=_Transition)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidObject(f'the body must be {{"act": …, "reason": …}}: {error}') from error
    attempt = Attempt(sent.act, sent.reason, caller.name, caller.role, caller.id)
    with ctx.database.transaction() as c:
        acting.act_on_ticket(c, ticket, attempt, ctx.clock.now())
    return _whole(ctx, ticket)


@router.get("/tickets/{ticket}/evidence.json")
def evidence_json(ticket: str, ctx: Ctx, _: Reader) -> Response:
    """Return the report's JSON: exactly the bytes that its hash was taken of."""
    return json_response(ctx.database, ticket)


@router.get("/tickets/{ticket}/evidence.html")
def evidence_html(ticket: str, ctx: Ctx, _: Reader) -> Response:
    """Return the report as a page that can reach nothing outside itself."""
    return html_response(ctx.database, ticket)


def _whole(ctx: Context, ticket: str) -> dict[str, Any]:
    with ctx.database.read() as c:
        view = reading.ticket_view(c, ticket)
    found = None if view.evidence is None else dataclasses.asdict(view.evidence)
    state = "missing" if view.evidence is None else view.evidence.state
    return {
        **reading.ticket_json(view.ticket),
        "evidence": found or {"state": state, "reason": view.evidence_note},
        "acts": [dataclasses.asdict(one) for one in view.history],
        "possible": list(view.possible),
    }
