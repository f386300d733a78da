"""Applying files: checked as a whole, stored, audited and announced in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from watchkeeper_alerting import control
from watchkeeper_alerting.applying.agreement import World, disagreements
from watchkeeper_alerting.applying.documents import Document, SourceFile, read
from watchkeeper_alerting.applying.doubts import doubts
from watchkeeper_alerting.disclosure import shown
from watchkeeper_alerting.store import objects
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.applied import read_snapshot, read_stamp
from watchkeeper_shared.errors import InvalidObject

_ORDER = ("AISystem", "Channel", "OversightPolicy")  # what is named comes before what names it


class Outcome(StrEnum):
    """What an apply did to one object."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    RESTORED = "restored"  # it was withdrawn, and is in force again


@dataclass(frozen=True, slots=True)
class Applied:
    """One object after an apply."""

    kind: str
    name: str
    outcome: Outcome
    revision: int
    hash: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Documents in the order in which they must be applied, and what is doubtful in them."""

    documents: tuple[Document, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What an apply did, and what whoever applied should look at."""

    objects: tuple[Applied, ...]
    warnings: tuple[str, ...]


def check(c: sa.Connection, files: Sequence[SourceFile]) -> Checked:
    """Return what `files` declare.

    Raises
    ------
    InvalidObject
        Something is wrong; all mistakes of all files are in it, each with its line.
    """
    documents, mistakes = read(files)
    world = _world(c)
    problems = tuple(str(one) for one in [*mistakes, *disagreements(documents, world)])
    if not problems and not documents:
        names = ", ".join(file.name for file in files)
        problems = (f"{names}: there is no document in here",)
    if problems:
        raise InvalidObject("\n".join(problems), problems)
    warnings = tuple(str(one) for one in doubts(documents, world))
    ordered = sorted(documents, key=lambda one: (_ORDER.index(one.kind), one.name))
    return Checked(tuple(ordered), warnings)


def apply(
    c: sa.Connection, files: Sequence[SourceFile], author: str, now: datetime, *, key: str = ""
) -> Report:
    """Apply `files` in the transaction `c`: all of it, or nothing.

    The same content again changes nothing and leaves no trace; new content becomes a new
    revision with an audit entry, which names the author's key too, and a control record.

    Raises
    ------
    InvalidObject
        Something is wrong; nothing was applied.
    """
    checked = check(c, files)
    applied = tuple(_apply(c, one, author, now, key) for one in checked.documents)
    return Report(applied, checked.warnings)


def plan(c: sa.Connection, files: Sequence[SourceFile]) -> Report:
    """Return what `apply` would do, without doing it.

    Raises
    ------
    InvalidObject
        Something is wrong with the files.
    """
    checked = check(c, files)
    return Report(tuple(_planned(c, one) for one in checked.documents), checked.warnings)


def _planned(c: sa.Connection, document: Document) -> Applied:
    before = objects.current(c, document.kind, document.name)
    if before is None:
        outcome, revision = Outcome.CREATED, 1
    elif before.withdrawn is not None:
        outcome, revision = Outcome.RESTORED, before.revision + 1
    elif before.hash == document.hash:
        outcome, revision = Outcome.UNCHANGED, before.revision
    else:
        outcome, revision = Outcome.UPDATED, before.revision + 1
    return Applied(document.kind, document.name, outcome, revision, document.hash)


def _apply(c: sa.Connection, document: Document, author: str, now: datetime, key: str) -> Applied:
    applied = _planned(c, document)
    if applied.outcome is Outcome.UNCHANGED:
        return applied
    content = document.content
    objects.add(
        c,
        objects.StoredObject(
            document.kind, document.name, applied.revision, applied.hash, content, author, now
        ),
    )
    body = {
        "revision": applied.revision,
        "hash": applied.hash,
        "spec": shown(document.kind, content),
    }
    audit.record(
        c,
        at=now,
        actor=author,
        act="apply",
        subject=f"{document.kind}/{document.name}",
        reason=f"{applied.outcome}, revision {applied.revision}",
        body={**body, "key": key},
    )
    control.announce(c, document.kind, document.name, body, now)
    return applied


def _world(c: sa.Connection) -> World:
    """Return what is in force and can be read; the rest must not keep it from being replaced."""
    now = read_snapshot(c, read_stamp(c))
    systems = {name: one.spec for name, one in now.withdrawn.items()} | dict(now.systems)
    return World(systems, frozenset(now.channels), _withdrawn(c))


def _withdrawn(c: sa.Connection) -> dict[tuple[str, str], str]:
    """Return who withdrew what, when and why, by kind and name."""
    newest = [one for kind in _ORDER for one in objects.listing(c, kind)]
    return {(one.kind, one.name): one.why for one in newest if one.withdrawn is not None}
