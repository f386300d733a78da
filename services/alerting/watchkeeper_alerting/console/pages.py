"""Rendering, security headers, and errors as pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from watchkeeper_alerting.console.overview import ago, shown_state
from watchkeeper_alerting.figures import minute, number
from watchkeeper_shared.counted import counted
from watchkeeper_shared.errors import WatchkeeperError
from watchkeeper_shared.observability.problems import status_of

_FOLDER = Path(__file__).parent
CSS = (_FOLDER / "static/console.css").read_bytes()
CSS_PATH = f"/assets/{hashlib.sha256(CSS).hexdigest()[:16]}.css"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

# Meaning is carried by sign and word; colour only repeats it.
SIGNS = {
    "ok": "✓",
    "warn": "▲",
    "breach": "✕",
    "insufficient": "◔",
    "no_data": "○",
    "error": "!",
    "no_limit": "·",
    "firing": "✕",
    "acknowledged": "▲",
    "resolved": "✓",
    "new": "●",
    "closed": "✓",
    "queued": "◔",
    "repeating": "↻",
    "delivered": "✓",
    "failed": "✕",
    "pending": "◔",
    "ready": "✓",
    "missing": "○",
    "withdrawn": "–",
    "critical": "✕",
    "warning": "▲",
    "info": "●",
}


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else minute(moment).removesuffix(" UTC")


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "counted": counted, "minute": _minute, "day": _day}
    made.globals |= {"signs": SIGNS, "css": CSS_PATH, "ago": ago, "shown_state": shown_state}
    return made


_TEMPLATES = _environment()


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a rendered page with the headers that every page has."""
    html = _TEMPLATES.get_template(template).render(**values)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def problem_page(status: int, detail: str, caller: object = None) -> HTMLResponse:
    """Return an error as a page that says what to do."""
    return page("problem.html", status, detail=detail, code=status, caller=caller)


class PageRoute(APIRoute):
    """A route whose errors are pages: a person reads them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI makes."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except HTTPException as error:
                where = (error.headers or {}).get("location")
                if where is not None:
                    return RedirectResponse(where, error.status_code, headers=HEADERS)
                return problem_page(error.status_code, str(error.detail))
            except WatchkeeperError as error:
                return problem_page(status_of(error), str(error))

        return handler
