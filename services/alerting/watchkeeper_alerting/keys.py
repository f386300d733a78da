"""Giving API keys out and taking them back; each an audited act.

Works on a transaction, so that the command line can make the first key on a database that
no service serves yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_alerting.store import api_keys
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.keys import Role, mint
from watchkeeper_shared.errors import Conflict, InvalidObject, NotFound

EVERY_SYSTEM = ("*",)
_LONGEST_NAME = 128
_MACHINE = ("watchkeeper", "command line")
"""How the names begin under which the audit log has what no key did."""


def create(  # noqa: PLR0913 - a key has no fewer parts
    c: sa.Connection,
    role: Role,
    name: str,
    systems: Sequence[str] = EVERY_SYSTEM,
    *,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a key and return its token, which nobody can read again.

    Parameters
    ----------
    c
        The transaction that the key and its audit entry become part of.
    role, name
        What it is for, and for whom: the name stands in the audit log behind each act.
    systems
        For which systems a publisher may publish; `*` is all.
    actor
        Who gives it out.
    now, expires_at
        When; and until when, if not for ever.

    Raises
    ------
    InvalidObject
        The name is empty, too long or the machine's own, no system is named, one is named
        for a role that works on all of them, or the key would be expired already.
    """
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise InvalidObject(f"a key needs a name of at most {_LONGEST_NAME} characters")
    if name.strip().casefold().startswith(_MACHINE):
        raise InvalidObject(f"{name!r} would read as an act of the machine; take another name")
    if not systems:
        raise InvalidObject("a key needs at least one system, or * for all")
    if role is not Role.PUBLISHER and tuple(systems) != EVERY_SYSTEM:
        raise InvalidObject(
            f"only a publisher's key is for some systems, one of role {role} works on all of "
            "them; leave the systems out, or make a publisher's key"
        )
    if expires_at is not None and expires_at <= now:
        raise InvalidObject(f"the key would have expired at {expires_at.isoformat()} already")
    minted = mint()
    stored = api_keys.StoredKey(minted.id, name, role, tuple(systems), now, expires_at, None)
    api_keys.add(c, stored, minted.secret_hash)
    body = {"role": str(role), "name": name, "systems": list(systems), "expires_at": expires_at}
    _record(c, "key.create", stored, actor, now, body)
    return minted.token


def revoke(c: sa.Connection, key: str, *, actor: str, reason: str, now: datetime) -> None:
    """Take a key back for good; services notice within seconds.

    Raises
    ------
    NotFound
        There is no key of this id.
    Conflict
        It was revoked before.
    """
    stored = api_keys.find(c, key)
    if stored is None:
        raise NotFound(f"no key {key!r}; the id is the part of the token between underscores")
    if stored.revoked_at is not None:
        raise Conflict(f"key {key} was revoked at {stored.revoked_at.isoformat()}")
    api_keys.revoke(c, key, now)
    _record(c, "key.revoke", stored, actor, now, {"role": str(stored.role)}, reason)


def _record(  # noqa: PLR0913, PLR0917 - the parts of an audit entry
    c: sa.Connection,
    act: str,
    stored: api_keys.StoredKey,
    actor: str,
    now: datetime,
    body: Mapping[str, object],
    reason: str = "",
) -> None:
    audit.record(
        c,
        at=now,
        actor=actor,
        act=act,
        subject=f"ApiKey/{stored.id}",
        reason=reason or f"{stored.role} {stored.name}",
        body=body,
    )
