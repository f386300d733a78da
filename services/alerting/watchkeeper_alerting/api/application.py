"""The routes of this service on an app, which may carry other services' routes too."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from watchkeeper_alerting.api import (
    alerts,
    audit,
    backtests,
    context,
    measurements,
    objects,
    references,
    tickets,
)
from watchkeeper_alerting.api.context import Context
from watchkeeper_alerting.console import access, acts, entrance, lists, systems
from watchkeeper_alerting.console.sessions import Sessions

ROUTERS: tuple[APIRouter, ...] = (
    objects.router,
    references.router,
    alerts.router,
    tickets.router,
    measurements.router,
    audit.router,
    backtests.router,
)


PAGES: tuple[APIRouter, ...] = (entrance.router, systems.router, lists.router, acts.router)
"""The console."""


def install(app: FastAPI, ctx: Context) -> None:
    """Put every route of the API and every page of the console on `app`.

    The app also needs `problems.install` and `callers.install` of `watchkeeper_shared`,
    once for all services on it.
    """
    context.install(app, ctx)
    access.install(app, Sessions(ctx.clock, ctx.session_length))
    for router in (*ROUTERS, *PAGES):
        app.include_router(router)
