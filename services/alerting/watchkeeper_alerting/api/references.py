"""`/v1/references`: baselines, built elsewhere and kept here as opaque bytes."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query

from watchkeeper_alerting.api.context import MOST_WHOLE, Admin, Body, Ctx, Reader
from watchkeeper_alerting.referencing import Upload, accept
from watchkeeper_alerting.store import references

router = APIRouter(prefix="/v1", tags=["references"])


@router.put("/references")
@router.post("/references")
def put_reference(  # noqa: PLR0913, PLR0917 - the caller, the context, the body, four facts
    body: Body,
    ctx: Ctx,
    caller: Admin,
    system: str,
    version: str,
    rows: Annotated[int, Query(ge=0, le=MOST_WHOLE)],
    sha256: str = "",
) -> dict[str, Any]:
    """Put an artifact in force as the baseline of a version; idempotent by content."""
    upload = Upload(system, version, rows, body, sha256)
    with ctx.database.transaction() as c:
        stored = accept(c, upload, caller.name, ctx.clock.now(), key=caller.id)
    return dataclasses.asdict(stored)


@router.get("/references")
def list_references(ctx: Ctx, _: Reader, system: str | None = None) -> dict[str, Any]:
    """Return the references without their bytes, newest first; earlier ones are kept."""
    with ctx.database.read() as c:
        found = references.listing(c, system)
    return {"references": [dataclasses.asdict(one) for one in found]}
