"""Who looks at the console, and whether a form was sent from one of its own pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from watchkeeper_alerting.api.context import bounded, context_of
from watchkeeper_alerting.console.sessions import COOKIE, Sessions
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import Forbidden
from watchkeeper_shared.observability.callers import authenticator

_STATE = "watchkeeper_console"
_NOT_FOR = (Role.PUBLISHER,)
_LONGEST_FORM = 64 << 10  # a reason of 4,000 characters, each of four bytes, each written as %XX


def install(app: FastAPI, sessions: Sessions) -> None:
    """Give the pages of `app` their sessions."""
    setattr(app.state, _STATE, sessions)


def sessions_of(request: Request) -> Sessions:
    """Return the sessions of the app that got `request`."""
    sessions: Sessions = getattr(request.app.state, _STATE)
    return sessions


def visitor(request: Request) -> Caller:
    """Return who looks, or send them to the login page.

    Raises
    ------
    HTTPException
        303: there is no session, it is over, or its key is no longer good.
    Forbidden
        The key is for publishing, not for looking.
    """
    token = sessions_of(request).token(request.cookies.get(COOKIE, ""))
    caller = None if token is None else authenticator(request).authenticate(token)
    if caller is None:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = here if request.method == "GET" else "/"
        raise HTTPException(303, headers={"location": f"/login?next={quote(wanted, safe='')}"})
    if caller.role in _NOT_FOR:
        raise Forbidden(f"the key {caller.name} is for publishing; log in with another one")
    return caller


@dataclass(frozen=True, slots=True)
class Form:
    """What a form said; a field that is not there is an empty text."""

    fields: dict[str, str]

    def text(self, name: str) -> str:
        """Return one field."""
        return self.fields.get(name, "").strip()


async def form(request: Request) -> Form:
    """Read a form that one of our own pages sent.

    Raises
    ------
    HTTPException
        403: the browser says that it comes from another site, or does not say; 413: it is
        longer than any form of ours.
    """
    if not _is_own(request):
        raise HTTPException(403, "this form was not sent from the console; open the page again")
    body = await bounded(request, _LONGEST_FORM)
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    return Form(dict(pairs))


def local(path: str) -> str:
    """Return `path` if it stays on this site, else the first page.

    Examples
    --------
    >>> local("/tickets"), local("https://evil.example.org/"), local("//evil.example.org")
    ('/tickets', '/', '/')
    """
    # Browsers read a backslash as a slash, and drop tabs and line ends.
    plain = path.startswith("/") and path.isprintable() and "\\" not in path
    return path if plain and not path.startswith("//") else "/"


def _is_own(request: Request) -> bool:
    sent = request.headers.get("origin") or request.headers.get("referer") or ""
    origin = urlsplit(sent).netloc
    own = {request.headers.get("host", ""), urlsplit(context_of(request).public_url).netloc}
    return bool(origin) and origin in own


Visitor = Annotated[Caller, Depends(visitor)]
Sent = Annotated[Form, Depends(form)]
