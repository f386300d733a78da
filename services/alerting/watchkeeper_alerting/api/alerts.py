"""`/v1/alerts`: what fires, and who looks into it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter

from watchkeeper_alerting import acting, reading
from watchkeeper_alerting.acting import Person
from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.api.context import Body, Ctx, OnCall, Reader, page_size
from watchkeeper_alerting.store import alerts
from watchkeeper_shared.errors import InvalidObject

router = APIRouter(prefix="/v1", tags=["alerts"])


class _Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


@router.get("/alerts")
def list_alerts(
    ctx: Ctx,
    _: Reader,
    state: AlertState | None = None,
    system: str | None = None,
    after: str | None = None,
    limit: int = 200,
) -> dict[str, Any]:
    """Return alerts, newest first; `next` is the `after` of the next page, None at the end."""
    size = page_size(limit)
    with ctx.database.read() as c:
        last = None if after is None else reading.alert_of(c, after)
        found = alerts.listing(c, state=state, system=system, after=last, limit=size + 1)
    following = found[size - 1].id if len(found) > size else None
    return {"alerts": [reading.alert_json(one) for one in found[:size]], "next": following}


@router.get("/alerts/{alert}")
def get_alert(alert: str, ctx: Ctx, _: Reader) -> dict[str, Any]:
    """Return one alert, its ticket, and what was told to whom."""
    with ctx.database.read() as c:
        view = reading.alert_view(c, alert)
    told = reading.deliveries_json(view)
    return {**reading.alert_json(view.alert), "ticket": view.ticket, "deliveries": told}


@router.post("/alerts/{alert}/ack")
def acknowledge(alert: str, body: Body, ctx: Ctx, caller: OnCall) -> dict[str, Any]:
    """Say that somebody looks into it, and what they are going to do."""
    try:
        sent = msgspec.json.decode(body, type=_Acknowledgement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidObject(f'the body must be {{"reason": …}}: {error}') from error
    person = Person(caller.name, caller.role, caller.id)
    with ctx.database.transaction() as c:
        after = acting.acknowledge_alert(c, alert, person, sent.reason, ctx.clock.now())
    return reading.alert_json(after)
