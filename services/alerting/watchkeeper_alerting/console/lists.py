"""The pages that list what happened, newest first, a page at a time: alerts, tickets, acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from watchkeeper_alerting import reading
from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.api.context import Context, Ctx
from watchkeeper_alerting.console.access import Visitor
from watchkeeper_alerting.console.pages import PageRoute, page
from watchkeeper_alerting.store import alerts, tickets
from watchkeeper_alerting.store.alerts import StoredAlert
from watchkeeper_alerting.store.tickets import StoredTicket
from watchkeeper_alerting.tickets import TicketState
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.keys import Caller

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ENTRIES = 100
_LISTED = 200


@dataclass(frozen=True, slots=True)
class _Shape:
    """What differs between the two lists: the word, the states, and the last column."""

    word: str
    states: type[StrEnum]
    heading: str
    last: Callable[[Any], str]


_ALERTS = _Shape("alert", AlertState, "Who", lambda one: one.acknowledged_by or "")
_TICKETS = _Shape("ticket", TicketState, "Kind", lambda one: one.kind.replace("_", " "))


@router.get("/alerts")
def show_alerts(
    ctx: Ctx, caller: Visitor, state: AlertState | None = None, after: str | None = None
) -> Response:
    """Show alerts."""
    with ctx.database.read() as c:
        last = None if after is None else reading.alert_of(c, after)
        found = alerts.listing(c, state=state, after=last, limit=_LISTED + 1)
    return _list(_ALERTS, found, state, ctx, caller)


@router.get("/tickets")
def show_tickets(
    ctx: Ctx, caller: Visitor, state: TicketState | None = None, after: str | None = None
) -> Response:
    """Show tickets."""
    with ctx.database.read() as c:
        last = None if after is None else reading.ticket_of(c, after)
        found = tickets.listing(c, state=state, after=last, limit=_LISTED + 1)
    return _list(_TICKETS, found, state, ctx, caller)


@router.get("/audit")
def show_audit(ctx: Ctx, caller: Visitor, before: int | None = None) -> Response:
    """Show what was done."""
    with ctx.database.read() as c:
        total = audit.count(c)
        end = total + 1 if before is None else min(max(1, before), total + 1)
        found = audit.entries(c, max(0, end - 1 - _ENTRIES), min(_ENTRIES, max(end - 1, 0)))
    older = found[0].index if found and found[0].index > 1 else None
    return page(
        "audit.html", entries=list(reversed(found)), total=total, older=older, caller=caller
    )


def _list(
    shape: _Shape,
    found: Sequence[StoredAlert | StoredTicket],
    chosen: StrEnum | None,
    ctx: Context,
    caller: Caller,
) -> Response:
    return page(
        "list.html",
        shape=shape,
        found=found[:_LISTED],
        older=found[_LISTED - 1].id if len(found) > _LISTED else None,
        states=[str(one) for one in shape.states],
        chosen=chosen,
        caller=caller,
        now=ctx.clock.now(),
    )
