"""Logging in and out, and the style sheet that needs no login."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from watchkeeper_alerting.api.context import Ctx
from watchkeeper_alerting.console.access import Sent, local, sessions_of
from watchkeeper_alerting.console.pages import CSS, CSS_PATH, HEADERS, PageRoute, page
from watchkeeper_alerting.console.sessions import COOKIE
from watchkeeper_shared.observability.callers import authenticator

router = APIRouter(route_class=PageRoute, include_in_schema=False)


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
