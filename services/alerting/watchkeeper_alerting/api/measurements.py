"""`/v1/measurements`: what was measured, with its limits and its state."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from watchkeeper_alerting import reading
from watchkeeper_alerting.api.context import Ctx, Reader, instant
from watchkeeper_alerting.store import measurements
from watchkeeper_alerting.store.measurements import Filter

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
    `limit` the oldest are left out.
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
    shown = [reading.measurement_json(one) for one in found[-limit:]]
    return {"measurements": shown, "truncated": len(found) > limit}
