"""The two pages on which people act: an alert, and a ticket with its report."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from watchkeeper_alerting import acting, reading, wording
from watchkeeper_alerting.acting import Person
from watchkeeper_alerting.api.context import Context, Ctx
from watchkeeper_alerting.breach_records import breach_of
from watchkeeper_alerting.console.access import Form, Sent, Visitor
from watchkeeper_alerting.console.pages import HEADERS, PageRoute, page
from watchkeeper_alerting.reports import html_response, json_response
from watchkeeper_alerting.tickets import Act, Attempt
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import Conflict, Forbidden, InvalidObject, PermanentError
from watchkeeper_shared.observability.problems import status_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_ACKNOWLEDGING = (Role.ONCALL, Role.ADMIN)
_ACTING = (Role.ONCALL, Role.REVIEWER, Role.APPROVER, Role.ADMIN)


@router.get("/alerts/{alert}")
def show_alert(alert: str, ctx: Ctx, caller: Visitor) -> Response:
    """Show one alert: what, how sure, whose, what to do, who was told."""
    return _alert_page(ctx, alert, caller)


@router.post("/alerts/{alert}/ack")
def acknowledge(alert: str, ctx: Ctx, caller: Visitor, sent: Sent) -> Response:
    """Acknowledge an alert."""
    try:
        _check_may_acknowledge(caller)
        with ctx.database.transaction() as c:
            person = Person(caller.name, caller.role, caller.id)
            acting.acknowledge_alert(c, alert, person, sent.text("reason"), ctx.clock.now())
    except (Conflict, InvalidObject, Forbidden) as error:
        return _alert_page(ctx, alert, caller, str(error), status_of(error))
    return RedirectResponse(f"/alerts/{alert}", 303, headers=HEADERS)


@router.get("/tickets/{ticket}")
def show_ticket(ticket: str, ctx: Ctx, caller: Visitor) -> Response:
    """Show one ticket: breach, frozen numbers, evidence, history, what can be done."""
    return _ticket_page(ctx, ticket, caller)


@router.post("/tickets/{ticket}/acts")
def act(ticket: str, ctx: Ctx, caller: Visitor, sent: Sent) -> Response:
    """Do one act on a ticket."""
    try:
        attempt = _attempt(sent, caller)
        with ctx.database.transaction() as c:
            acting.act_on_ticket(c, ticket, attempt, ctx.clock.now())
    except (Conflict, InvalidObject, Forbidden) as error:
        return _ticket_page(ctx, ticket, caller, error, sent)
    return RedirectResponse(f"/tickets/{ticket}#history", 303, headers=HEADERS)


@router.get("/tickets/{ticket}/evidence")
def show_report(ticket: str, ctx: Ctx, _: Visitor) -> Response:
    """Show the evidence report, in its sandbox."""
    return html_response(ctx.database, ticket)


@router.get("/tickets/{ticket}/evidence.json")
def show_report_json(ticket: str, ctx: Ctx, _: Visitor) -> Response:
    """Return the report's JSON: exactly the bytes that its hash was taken of."""
    return json_response(ctx.database, ticket)


def _check_may_acknowledge(caller: Caller) -> None:
    if caller.role not in _ACKNOWLEDGING:
        raise Forbidden(f"the role {caller.role} may not acknowledge alerts")


def _attempt(sent: Form, caller: Caller) -> Attempt:
    try:
        wanted = Act(sent.text("act"))
    except ValueError as error:
        raise InvalidObject(f"there is no act {sent.text('act')!r}") from error
    return Attempt(wanted, sent.text("reason"), caller.name, caller.role, caller.id)


def _alert_page(
    ctx: Context, alert: str, caller: Caller, problem: str = "", status: int = 200
) -> Response:
    with ctx.database.read() as c:
        view = reading.alert_view(c, alert)
    breach = breach_of(view.alert.content)
    return page(
        "alert.html",
        status,
        view=view,
        alert=view.alert,
        facts=wording.facts(breach),
        summary=wording.summary(breach),
        runbook=_safe(breach.runbook),
        problem=problem,
        may_act=caller.role in _ACKNOWLEDGING,
        caller=caller,
        now=ctx.clock.now(),
    )


def _ticket_page(
    ctx: Context,
    ticket: str,
    caller: Caller,
    problem: PermanentError | None = None,
    sent: Form | None = None,
) -> Response:
    with ctx.database.read() as c:
        view = reading.ticket_view(c, ticket)
    breach = breach_of(view.ticket.frozen)
    return page(
        "ticket.html",
        200 if problem is None else status_of(problem),
        view=view,
        ticket=view.ticket,
        breach=breach,
        facts=wording.facts(breach),
        summary=wording.summary(breach),
        how_sure=wording.how_sure(breach),
        runbook=_safe(breach.runbook),
        problem="" if problem is None else str(problem),
        typed="" if sent is None else sent.text("reason"),
        may_act=caller.role in _ACTING,
        caller=caller,
        now=ctx.clock.now(),
    )


def _safe(url: str) -> str:
    """Return a link that is one; a runbook is free text, and `javascript:` is a link too."""
    return url if url.startswith(("https://", "http://")) else ""
