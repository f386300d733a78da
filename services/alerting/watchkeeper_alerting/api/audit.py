"""`/v1/audit`: every act, in the order in which it was recorded."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query

from watchkeeper_alerting.api.context import MOST_WHOLE, Ctx, Reader, page_size
from watchkeeper_shared.db import audit

router = APIRouter(prefix="/v1", tags=["audit"])


@router.get("/audit")
def list_entries(
    ctx: Ctx,
    _: Reader,
    after: Annotated[int, Query(ge=0, le=MOST_WHOLE)] = 0,
    limit: int = 100,
    subject: str | None = None,
) -> dict[str, Any]:
    """Return entries with an index above `after`; `next` is where to go on, None at the end.

    `entry` is the canonical text of an act: exactly what a proof will be about.
    """
    size = page_size(limit)
    with ctx.database.read() as c:
        found = audit.entries(c, after, size, subject)
        total = audit.count(c)
    following = found[-1].index if len(found) == size else None
    return {
        "entries": [dataclasses.asdict(one) for one in found],
        "next": following,
        "total": total,
    }
