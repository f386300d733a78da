"""`/v1/apply`, `/v1/withdraw`, systems, policies, channels: what people declared."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request

from watchkeeper_alerting.acting import Person
from watchkeeper_alerting.api.context import Admin, Body, Context, Ctx, Reader
from watchkeeper_alerting.applying import application, withdrawing
from watchkeeper_alerting.applying.documents import API_VERSION, SourceFile, read
from watchkeeper_alerting.disclosure import shown
from watchkeeper_alerting.store import objects
from watchkeeper_alerting.store.objects import StoredObject
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.errors import InvalidObject, NotFound

router = APIRouter(prefix="/v1", tags=["objects"])

Answer = dict[str, Any]


class _NamedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    text: str


class _Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: list[_NamedFile]


class _Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    name: str
    reason: str


@router.post("/apply")
def apply(
    request: Request, body: Body, ctx: Ctx, caller: Admin, *, dry_run: bool = False, file: str = ""
) -> Answer:
    """Apply YAML documents, all or none.

    The body is YAML text (`file` names it in messages), or, for several files at once,
    JSON `{"files": [{"name": …, "text": …}]}` with that content type.
    """
    json = request.headers.get("content-type", "").startswith("application/json")
    files = _files(body) if json else [SourceFile(file or "body", _text(body, file or "body"))]
    return _apply(ctx, files, caller, dry_run=dry_run)


@router.post("/withdraw")
def withdraw(body: Body, ctx: Ctx, caller: Admin) -> Answer:
    """Take one object out of force, with a reason; again, it changes nothing."""
    try:
        sent = msgspec.json.decode(body, type=_Withdrawal)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidObject(
            f'the body must be {{"kind": …, "name": …, "reason": …}}: {error}'
        ) from error
    asked = withdrawing.Asked(sent.kind, sent.name, sent.reason)
    person = Person(caller.name, caller.role, caller.id)
    with ctx.database.transaction() as c:
        return _document(withdrawing.withdraw(c, asked, person, ctx.clock.now()))


@router.get("/systems")
def list_systems(ctx: Ctx, _: Reader) -> Answer:
    """Return every system; `metadata.withdrawn` says which of them are not watched any more."""
    return {"systems": _list(ctx, "AISystem")}


@router.get("/systems/{name}")
def get_system(name: str, ctx: Ctx, _: Reader) -> Answer:
    """Return one system."""
    return _get(ctx, "AISystem", name)


@router.put("/systems/{name}")
def put_system(name: str, body: Body, ctx: Ctx, caller: Admin) -> Answer:
    """Apply one system; the body is its document, as YAML or JSON."""
    return _put(ctx, "AISystem", name, body, caller)


@router.get("/policies")
def list_policies(ctx: Ctx, _: Reader) -> Answer:
    """Return every policy."""
    return {"policies": _list(ctx, "OversightPolicy")}


@router.get("/policies/{name}")
def get_policy(name: str, ctx: Ctx, _: Reader) -> Answer:
    """Return one policy."""
    return _get(ctx, "OversightPolicy", name)


@router.put("/policies/{name}")
def put_policy(name: str, body: Body, ctx: Ctx, caller: Admin) -> Answer:
    """Apply one policy; the body is its document, as YAML or JSON."""
    return _put(ctx, "OversightPolicy", name, body, caller)


@router.get("/channels")
def list_channels(ctx: Ctx, caller: Reader) -> Answer:
    """Return every channel; who may not apply sees the server of an address, not all of it."""
    found = _list(ctx, "Channel")
    if caller.role is not Role.ADMIN:
        found = [{**one, "spec": shown("Channel", one["spec"])} for one in found]
    return {"channels": found}


def _apply(ctx: Context, files: list[SourceFile], author: Caller, *, dry_run: bool) -> Answer:
    if dry_run:
        with ctx.database.read() as c:
            report = application.plan(c, files)
    else:
        with ctx.database.transaction() as c:
            now = ctx.clock.now()
            report = application.apply(c, files, author.name, now, key=author.id)
    return {
        "dry_run": dry_run,
        "objects": [dataclasses.asdict(one) for one in report.objects],
        "warnings": report.warnings,
    }


def _put(ctx: Context, kind: str, name: str, body: bytes, author: Caller) -> Answer:
    file = SourceFile("body", _text(body, "body"))
    found, mistakes = read([file])
    if not mistakes and [(one.kind, one.name) for one in found] != [(kind, name)]:
        raise InvalidObject(f"the body must be one document of kind {kind} named {name}")
    warnings = _apply(ctx, [file], author, dry_run=False)["warnings"]
    return {**_get(ctx, kind, name), "warnings": warnings}


def _list(ctx: Context, kind: str) -> list[Answer]:
    with ctx.database.read() as c:
        return [_document(one) for one in objects.listing(c, kind)]


def _get(ctx: Context, kind: str, name: str) -> Answer:
    with ctx.database.read() as c:
        stored = objects.current(c, kind, name)
    if stored is None:
        raise NotFound(f"no {kind} {name!r}")
    return _document(stored)


def _document(stored: StoredObject) -> Answer:
    metadata = {
        "name": stored.name,
        "revision": stored.revision,
        "hash": stored.hash,
        "author": stored.author,
        "applied_at": stored.applied_at,
        "withdrawn": _withdrawal(stored),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": stored.kind,
        "metadata": metadata,
        "spec": stored.spec,
    }


def _withdrawal(stored: StoredObject) -> Answer | None:
    if stored.withdrawn is None:
        return None
    return {"by": stored.author, "at": stored.applied_at, "reason": stored.withdrawn}


def _files(body: bytes) -> list[SourceFile]:
    try:
        sent = msgspec.json.decode(body, type=_Files)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidObject(
            f'the body must be {{"files": [{{"name", "text"}}]}}: {error}'
        ) from error
    return [SourceFile(one.name, one.text) for one in sent.files]


def _text(body: bytes, file: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidObject(f"{file}: byte {error.start} is not UTF-8") from error
