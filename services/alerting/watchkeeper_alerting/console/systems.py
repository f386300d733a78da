"""The pages of the fleet, of one system and of one of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from watchkeeper_alerting.api.context import Ctx
from watchkeeper_alerting.console.access import Visitor
from watchkeeper_alerting.console.charts import chart
from watchkeeper_alerting.console.overview import by_need, fleet, per_system, tables
from watchkeeper_alerting.console.pages import PageRoute, page
from watchkeeper_alerting.console.series import (
    chosen_series,
    one_a_series,
    one_a_window,
    series_link,
    series_of,
)
from watchkeeper_alerting.hearing import unheard_by_policy
from watchkeeper_alerting.store import alerts, measurements, refusals, tickets
from watchkeeper_alerting.store.measurements import Filter
from watchkeeper_shared.db.applied import Snapshot, read_snapshot, read_stamp
from watchkeeper_shared.errors import NotFound
from watchkeeper_shared.specs import AISystem

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST = 100_000
_WINDOWS = 400
_OPEN = 100
_SYSTEMS = 200


@router.get("/")
def show_fleet(ctx: Ctx, caller: Visitor, first: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Show systems and how they are, a page of them from the `first` on."""
    with ctx.database.read() as c:
        applied = read_snapshot(c, read_stamp(c))
        open_alerts, open_tickets = alerts.open_counts(c), tickets.open_counts(c)
        names = by_need(applied.systems, open_alerts, open_tickets)
        first = first if first < len(names) else 0  # systems were withdrawn meanwhile
        shown = names[first : first + _SYSTEMS]
        rows = fleet(
            {name: applied.systems[name] for name in shown},
            measurements.tallies(c, shown),
            open_alerts,
            open_tickets,
            alerts.open_metrics(c),
            [name for name in applied.systems if _unheard(applied, name)],
        )
        refused = refusals.by_system(c)
    return page(
        "fleet.html",
        rows=rows,
        watched=len(names),
        open_alerts=sum(map(per_system(open_alerts).__getitem__, names)),
        open_tickets=sum(map(per_system(open_tickets).__getitem__, names)),
        following=first + _SYSTEMS if len(names) > first + _SYSTEMS else None,
        withdrawn=applied.withdrawn,
        left_open=per_system(open_tickets),
        unreadable=applied.unreadable,
        refused=refused,
        caller=caller,
        now=ctx.clock.now(),
    )


@router.get("/systems/{name}")
def show_system(name: str, ctx: Ctx, caller: Visitor) -> Response:
    """Show the newest measurements of one system."""
    with ctx.database.read() as c:
        applied = read_snapshot(c, read_stamp(c))
        system = _system(applied, name)
        found = measurements.select(c, Filter(system=name, latest=True), _MOST)
        firing = alerts.listing(c, system=name, over=False, limit=_OPEN)
        waiting = tickets.listing(c, system=name, over=False, limit=_OPEN)
        refused = refusals.by_system(c).get(name)
    return page(
        "system.html",
        name=name,
        system=system,
        withdrawal=applied.withdrawn.get(name),
        unheard=_unheard(applied, name),
        refused=refused,
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
    wanted = Filter(system=name, metric=metric, column=column, segment=segment)
    with ctx.database.read() as c:
        _system(read_snapshot(c, read_stamp(c)), name)
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


def _system(applied: Snapshot, name: str) -> AISystem:
    found = applied.systems.get(name)
    if found is None and name in applied.withdrawn:
        return applied.withdrawn[name].spec
    if found is None:
        why = applied.unreadable.get(f"AISystem/{name}")
        raise NotFound(
            f"no system {name!r}" if why is None else f"{name!r} cannot be read, apply it: {why}"
        )
    return found


def _unheard(applied: Snapshot, name: str) -> Mapping[str, tuple[str, ...]]:
    if name in applied.withdrawn:
        return {}
    return unheard_by_policy(applied.policies_of.get(name, ()), applied.channels)
