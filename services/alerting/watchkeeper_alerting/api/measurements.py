"""`/v1/measurements`: what was measured, with its limits and its state."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from watchkeeper_alerting import reading
from watchkeeper_alerting.api.context import Ctx, Reader, instant
from watchkeeper_alerting.store import measurements, objects
from watchkeeper_alerting.store.measurements import Filter
from watchkeeper_shared.errors import NotFound
from watchkeeper_shared.metric_names import FAMILIES, family_of

router = APIRouter(prefix="/v1", tags=["measurements"])

_MOST = 20_000


@router.get("/measurements")
def list_measurements(  # noqa: PLR0913 - every filter is public
    ctx: Ctx,
    _: Reader,
    *,
    system: str | None = None,
    version: str | None = None,
    metric: str | None = None,
    column: str | None = None,
    segment: str | None = None,
    since: Annotated[str | None, Query(alias="from")] = None,
    until: Annotated[str | None, Query(alias="to")] = None,
    latest: bool = False,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 5_000,
) -> dict[str, Any]:
    """Return current revisions, oldest window first; `truncated` says that there are more.

    With `latest`, only the newest window of each policy, system and version. Beyond
    `limit` the oldest are left out. Nothing at all is an empty list, but a system or a metric
    that does not exist is told as such: silence must not look like health.

    `ended_before` says that windows asked for may have ended with their numbers, those that
    started before; where nothing else was asked for, the answer is 410.
    """
    wanted = Filter(
        system=system,
        version=version,
        metric=metric,
        column=column,
        segment=segment,
        since=instant(since, "from"),
        until=instant(until, "to"),
        latest=latest,
    )
    with ctx.database.read() as c:
        found = measurements.select(c, wanted, limit + 1)
        ended_before = measurements.ended_before(c, wanted)
        if not found:
            _require_names(c, wanted)
            _refuse_ended(wanted, ended_before)
    shown = [reading.measurement_json(one) for one in found[-limit:]]
    return {
        "measurements": shown,
        "truncated": len(found) > limit,
        "ended_before": ended_before,
    }


def _refuse_ended(wanted: Filter, ended_before: datetime | None) -> None:
    if ended_before is not None and wanted.until is not None and wanted.until <= ended_before:
        raise HTTPException(
            410,
            f"windows that started before {ended_before.isoformat()} have ended with their "
            "numbers, but those that a breach refers to; see WATCHKEEPER_MEASUREMENT_RETENTION",
        )


def _require_names(c: sa.Connection, wanted: Filter) -> None:
    if wanted.metric and family_of(wanted.metric) is None:
        names = [name for family in FAMILIES.values() for name in family]
        near = difflib.get_close_matches(wanted.metric, names, 1)
        hint = f"; did you mean {near[0]}?" if near else "; docs/metrics.md lists them"
        raise HTTPException(422, f"metric: there is no metric {wanted.metric!r}{hint}")
    if wanted.system and objects.current(c, "AISystem", wanted.system) is None:
        raise NotFound(f"no system {wanted.system!r}")
