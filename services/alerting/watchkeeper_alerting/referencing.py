"""Taking a reference artifact: checked against its hash, stored, put in force, audited."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_alerting import control
from watchkeeper_alerting.store import objects, references
from watchkeeper_alerting.store.references import StoredReference
from watchkeeper_shared.counted import counted
from watchkeeper_shared.db import audit
from watchkeeper_shared.errors import Conflict, InvalidObject, NotFound


@dataclass(frozen=True, slots=True)
class Upload:
    """A reference artifact as its builder sends it.

    Parameters
    ----------
    system, version
        Whose baseline it is.
    rows
        How many reference rows went into it.
    artifact
        The bytes; opaque here, the monitor's maths reads them.
    sha256
        What the sender says the hash is; empty when it does not say.
    """

    system: str
    version: str
    rows: int
    artifact: bytes
    sha256: str = ""


def accept(
    c: sa.Connection, upload: Upload, author: str, now: datetime, *, key: str = ""
) -> StoredReference:
    """Put a reference in force; the one before it is kept. Idempotent by content.

    Raises
    ------
    InvalidObject
        The bytes are not what the sender hashed, there are none, or no version is named.
    NotFound
        There is no such system.
    Conflict
        The same bytes already are the reference of another system or version.
    """
    identity = _identity(upload)
    if objects.current(c, "AISystem", upload.system) is None:
        raise NotFound(f"no system {upload.system!r}; apply its AISystem file first")
    stored = references.find(c, identity)
    if stored is not None and (stored.system, stored.version) != (upload.system, upload.version):
        where = f"{stored.system} version {stored.version}"
        raise Conflict(f"this artifact already is the reference of {where}")
    if stored is not None and stored.current:
        return stored
    references.retire(c, upload.system, upload.version)
    new = StoredReference(identity, upload.system, upload.version, True, upload.rows, author, now)
    if stored is None:
        references.add(c, new, upload.artifact)
    else:
        references.revive(c, new)
    _tell(c, new, author, now, key)
    return new


def _identity(upload: Upload) -> str:
    if not upload.artifact or not upload.version:
        raise InvalidObject("a reference needs a version and the artifact as the request's body")
    identity = hashlib.sha256(upload.artifact).hexdigest()
    if upload.sha256 and upload.sha256.lower() != identity:
        raise InvalidObject(
            f"the artifact's sha256 is {identity}, the sender says {upload.sha256}; send it again"
        )
    return identity


def _tell(c: sa.Connection, new: StoredReference, author: str, now: datetime, key: str) -> None:
    subject = f"{new.system}/{new.version}"
    body = {"id": new.id, "system": new.system, "version": new.version, "rows": new.rows}
    audit.record(
        c,
        at=now,
        actor=author,
        act="reference",
        subject=f"Reference/{subject}",
        reason=f"{counted(new.rows, 'row')} in force as the baseline",
        body={**body, "key": key},
    )
    control.announce(c, "Reference", subject, body, now)
