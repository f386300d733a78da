"""The pages: read, compute, render."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from watchkeeper_alerting import reading
from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.api.context import Context, Ctx
from watchkeeper_alerting.console.access import Sent, Visitor, local, sessions_of
from watchkeeper_alerting.console.charts import chart
from watchkeeper_alerting.console.overview import fleet, tables
from watchkeeper_alerting.console.pages import CSS, CSS_PATH, HEADERS, PageRoute, page
from watchkeeper_alerting.console.series import (
    chosen_series,
    one_a_series,
    one_a_window,
    series_link,
    series_of,
)
from watchkeeper_alerting.console.sessions import COOKIE
from watchkeeper_alerting.reports import html_response, json_response
from watchkeeper_alerting.store import alerts, measurements, objects, tickets
from watchkeeper_alerting.store.measurements import Filter
from watchkeeper_alerting.tickets import TicketState
from watchkeeper_shared.db import audit
from watchkeeper_shared.errors import NotFound
from watchkeeper_shared.observability.callers import authenticator
from watchkeeper_shared.specs import AISystem

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST = 100_000
_WINDOWS = 400
_ENTRIES = 100
_LISTED = 200
_OPEN = 100


@router.get(CSS_PATH)
def style() -> Response:
    """Return the style sheet; its address changes with its content."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(CSS, media_type="text/css", headers=headers)


@router.get("/login")
def login_page(next: str = "/") -> Response:  # noqa: A002 - the public query parameter
    """Ask for an API key."""
    return page("login.html", next=local(next), problem="", caller=None)


@router.post("/login")
def login(request: Request, sent: Sent, ctx: Ctx) -> Response:
    """Begin a session."""
    token, wanted = sent.text("token"), local(sent.text("next"))
    if authenticator(request).authenticate(token) is None:
        problem = "This key is unknown, expired or revoked."
        return page("login.html", 401, next=wanted, problem=problem, caller=None)
    sessions = sessions_of(request)
    answer = RedirectResponse(wanted, 303, headers=HEADERS)
    answer.set_cookie(
        COOKIE,
        sessions.open(token),
        max_age=int(sessions.length.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or ctx.public_url.startswith("https://"),
    )
    return answer


@router.post("/logout")
def logout(request: Request, _: Sent) -> Response:
    """End the session."""
    sessions_of(request).close(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", 303, headers=HEADERS)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/")
def show_fleet(ctx: Ctx, caller: Visitor) -> Response:
    """Show every system and how it is."""
    with ctx.database.read() as c:
        systems = {
            one.name: msgspec.convert(one.spec, AISystem) for one in objects.listing(c, "AISystem")
        }
        found, told = measurements.tallies(c), alerts.open_metrics(c)
        rows = fleet(systems, found, alerts.open_counts(c), tickets.open_counts(c), told)
    return page("fleet.html", rows=rows, caller=caller, now=ctx.clock.now())


@router.get("/systems/{name}")
def show_system(name: str, ctx: Ctx, caller: Visitor) -> Response:
    """Show the newest measurements of one system."""
    system = _system(ctx, name)
    with ctx.database.read() as c:
        found = measurements.select(c, Filter(system=name, latest=True), _MOST)
        firing = alerts.listing(c, system=name, over=False, limit=_OPEN)
        waiting = tickets.listing(c, system=name, over=False, limit=_OPEN)
    return page(
        "system.html",
        name=name,
        system=system,
        tables=tables(found),
        newest=max(found, key=lambda one: one.window_end, default=None),
        alerts=firing,
        tickets=waiting,
        caller=caller,
        now=ctx.clock.now(),
        link=series_link,
    )


@router.get("/systems/{name}/series")
def show_series(  # noqa: PLR0913, PLR0917 - the caller, the context, and what names a series
    name: str,
    ctx: Ctx,
    caller: Visitor,
    metric: str,
    column: str = "",
    segment: str = "",
    policy: str | None = None,
    version: str | None = None,
) -> Response:
    """Show one metric over time, as a picture and as a table."""
    _system(ctx, name)
    wanted = Filter(system=name, metric=metric, column=column, segment=segment)
    with ctx.database.read() as c:
        newest = measurements.select(c, replace(wanted, latest=True), _MOST)
        chosen = chosen_series(newest, policy, version)
        if chosen is None:
            raise NotFound(f"nothing was measured yet for {metric} {column} {segment} of {name}")
        wanted = replace(wanted, policy=chosen.policy, version=chosen.version)
        series = one_a_window(measurements.select(c, wanted, 2 * _WINDOWS))[-_WINDOWS:]
    return page(
        "series.html",
        name=name,
        newest=series[-1],
        series=series,
        others=[one for one in one_a_series(newest) if series_of(one) != series_of(chosen)],
        chart=chart(series),
        caller=caller,
        link=series_link,
    )


@router.get("/alerts")
def show_alerts(
    ctx: Ctx, caller: Visitor, state: AlertState | None = None, after: str | None = None
) -> Response:
    """Show alerts, newest first, a page at a time."""
    with ctx.database.read() as c:
        last = None if after is None else reading.alert_of(c, after)
        found = alerts.listing(c, state=state, after=last, limit=_LISTED + 1)
    return page(
        "alerts.html",
        alerts=found[:_LISTED],
        older=found[_LISTED - 1].id if len(found) > _LISTED else None,
        states=[str(one) for one in AlertState],
        chosen=state,
        caller=caller,
        now=ctx.clock.now(),
    )


@router.get("/tickets")
def show_tickets(
    ctx: Ctx, caller: Visitor, state: TicketState | None = None, after: str | None = None
) -> Response:
    """Show tickets, newest first, a page at a time."""
    with ctx.database.read() as c:
        last = None if after is None else reading.ticket_of(c, after)
        found = tickets.listing(c, state=state, after=last, limit=_LISTED + 1)
    return page(
        "tickets.html",
        tickets=found[:_LISTED],
        older=found[_LISTED - 1].id if len(found) > _LISTED else None,
        states=[str(one) for one in TicketState],
        chosen=state,
        caller=caller,
        now=ctx.clock.now(),
    )


@router.get("/tickets/{ticket}/evidence")
def show_report(ticket: str, ctx: Ctx, _: Visitor) -> Response:
    """Show the evidence report, in its sandbox."""
    return html_response(ctx.database, ticket)


@router.get("/tickets/{ticket}/evidence.json")
def show_report_json(ticket: str, ctx: Ctx, _: Visitor) -> Response:
    """Return the report's JSON: exactly the bytes that its hash was taken of."""
    return json_response(ctx.database, ticket)


@router.get("/audit")
def show_audit(ctx: Ctx, caller: Visitor, before: int | None = None) -> Response:
    """Show what was done, newest first."""
    with ctx.database.read() as c:
        total = audit.count(c)
        end = total + 1 if before is None else min(max(1, before), total + 1)
        found = audit.entries(c, max(0, end - 1 - _ENTRIES), min(_ENTRIES, max(end - 1, 0)))
    older = found[0].index if found and found[0].index > 1 else None
    return page(
        "audit.html", entries=list(reversed(found)), total=total, older=older, caller=caller
    )


def _system(ctx: Context, name: str) -> AISystem:
    with ctx.database.read() as c:
        stored = objects.current(c, "AISystem", name)
    if stored is None:
        raise NotFound(f"no system {name!r}")
    return msgspec.convert(stored.spec, AISystem)
