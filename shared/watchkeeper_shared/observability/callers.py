"""Who calls: bearer tokens in, a `Caller` with a role out, or 401 and 403.

A route names the roles that may use it in its signature:

    @router.post("/v1/apply")
    def apply(caller: Annotated[Caller, Depends(having(Role.ADMIN))]) -> …
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import Forbidden

_STATE = "watchkeeper_keys"


class Authenticator(Protocol):
    """Knows tokens; `watchkeeper_shared.db.keys.Keys` is the one in production."""

    def authenticate(self, token: str) -> Caller | None:
        """Return who holds `token`, or None when nobody does (any more)."""
        ...

    def remembered(self, token: str) -> Caller | None:
        """Return who holds `token` if that is known at once; if not, `authenticate` is asked."""
        ...


def install(app: FastAPI, keys: Authenticator) -> None:
    """Let the routes of `app` know who calls. Several services may share one app and its keys."""
    setattr(app.state, _STATE, keys)


def authenticator(request: Request) -> Authenticator:
    """Return what knows the tokens of this app; the console's login asks it too."""
    keys: Authenticator = getattr(request.app.state, _STATE)
    return keys


async def anyone(request: Request) -> Caller:
    """Return the caller of a request, whatever the role.

    Raises
    ------
    HTTPException
        401: there is no bearer token, or it is unknown, expired or revoked.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("send an API key: `Authorization: Bearer watchkeeper_…`")
    token, keys = token.strip(), authenticator(request)
    # One question: a key that grew old between two would be looked up on the event loop.
    caller = keys.remembered(token)
    if caller is None:
        caller = await run_in_threadpool(keys.authenticate, token)
    if caller is None:
        raise _unauthorized("this API key is unknown, expired or revoked")
    return caller


def having(*roles: Role) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that lets in callers with one of `roles`; admins always.

    Raises
    ------
    Forbidden
        The caller is known and has none of the roles (403).
    """
    allowed = frozenset((*roles, Role.ADMIN))

    async def dependency(request: Request) -> Caller:
        caller = await anyone(request)
        if caller.role not in allowed:
            names = ", ".join(sorted(allowed))
            message = f"key {caller.name} has the role {caller.role}; this needs one of: {names}"
            raise Forbidden(message)
        return caller

    return dependency


def _unauthorized(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})
