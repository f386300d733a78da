"""Applied objects as one snapshot in memory, and the cheap question whether it is the newest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from watchkeeper_shared.db.tables import objects, references
from watchkeeper_shared.db.withdrawals import Pause, Withdrawal, read_pauses
from watchkeeper_shared.specs import SPECS, AISystem, Channel, OversightPolicy

SpecT = TypeVar("SpecT", AISystem, OversightPolicy, Channel)


@dataclass(frozen=True, slots=True)
class Applied(Generic[SpecT]):
    """One object as applied.

    Parameters
    ----------
    name, revision, hash
        Which object, how often it was changed, and the hash of its content.
    spec
        What it says.
    """

    name: str
    revision: int
    hash: str
    spec: SpecT


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything applied, at one moment.

    What was withdrawn is in `withdrawn`, if it is a system, and nowhere else.
    """

    stamp: tuple[Any, ...]
    systems: Mapping[str, AISystem] = field(default_factory=dict)
    policies: Mapping[str, Applied[OversightPolicy]] = field(default_factory=dict)
    policies_of: Mapping[str, tuple[Applied[OversightPolicy], ...]] = field(default_factory=dict)
    channels: Mapping[str, Applied[Channel]] = field(default_factory=dict)
    references: Mapping[tuple[str, str], str] = field(default_factory=dict)
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    withdrawn: Mapping[str, Withdrawal] = field(default_factory=dict)
    pauses: Mapping[str, tuple[Pause, ...]] = field(default_factory=dict)


def read_stamp(c: sa.Connection) -> tuple[Any, ...]:
    """Return a value that differs once anything was applied or withdrawn.

    Revisions are only ever added, so the count and the sum of current revisions move with
    every change of objects. Whoever makes a reference current sets its `applied_at`.
    """
    return (*c.execute(_OBJECTS_STAMP).one(), *c.execute(_REFERENCES_STAMP).one())


def read_snapshot(c: sa.Connection, stamp: tuple[Any, ...]) -> Snapshot:
    """Read everything that is current."""
    unreadable: dict[str, str] = {}
    newest = c.execute(sa.select(objects).where(objects.c.current).order_by(objects.c.name)).all()
    rows = [row for row in newest if row.withdrawn is None]
    systems = {one.name: one.spec for one in _applied(rows, AISystem, unreadable)}
    policies = _applied(rows, OversightPolicy, unreadable)
    channels = _applied(rows, Channel, unreadable)
    current, versions = _references(c)
    for name, spec in systems.items():
        versions[name] |= set(spec.versions)
    return Snapshot(
        stamp=stamp,
        systems=systems,
        policies={one.name: one for one in policies},
        policies_of=_by_system(policies),
        channels={one.name: one for one in channels},
        references=current,
        versions={name: frozenset(known) for name, known in versions.items()},
        unreadable=unreadable,
        withdrawn=_withdrawn([row for row in newest if row.withdrawn is not None], unreadable),
        pauses=read_pauses(c),
    )


_OBJECTS_STAMP = sa.select(
    sa.func.count(),
    sa.func.sum(sa.case((objects.c.current, objects.c.revision), else_=0)),
).select_from(objects)

_REFERENCES_STAMP = sa.select(
    sa.func.count(),
    sa.func.sum(sa.case((references.c.current, 1), else_=0)),
    sa.func.max(references.c.applied_at),
).select_from(references)

_KIND_OF = {spec: kind for kind, spec in SPECS.items()}


def _applied(
    rows: list[sa.Row[Any]] | Any, spec: type[SpecT], unreadable: dict[str, str]
) -> list[Applied[SpecT]]:
    """Convert the rows of one kind; one that a newer release wrote must not hide the rest."""
    found = []
    for row in rows:
        if row.kind != _KIND_OF[spec]:
            continue
        try:
            value = msgspec.convert(row.spec, spec)
        except (msgspec.ValidationError, ValueError) as error:
            unreadable[f"{row.kind}/{row.name}"] = f"revision {row.revision}: {error}"
        else:
            found.append(Applied(row.name, row.revision, row.hash, value))
    return found


def _withdrawn(rows: list[sa.Row[Any]], unreadable: dict[str, str]) -> dict[str, Withdrawal]:
    by_name = {row.name: row for row in rows if row.kind == _KIND_OF[AISystem]}
    found = {}
    for one in _applied(rows, AISystem, unreadable):
        row = by_name[one.name]
        found[one.name] = Withdrawal(
            one.revision, one.spec, row.author, row.applied_at, row.withdrawn
        )
    return found


def _by_system(
    policies: list[Applied[OversightPolicy]],
) -> dict[str, tuple[Applied[OversightPolicy], ...]]:
    by_system: dict[str, list[Applied[OversightPolicy]]] = defaultdict(list)
    for policy in policies:
        for system in policy.spec.systems:
            by_system[system].append(policy)
    return {system: tuple(found) for system, found in by_system.items()}


def _references(
    c: sa.Connection,
) -> tuple[dict[tuple[str, str], str], defaultdict[str, set[str]]]:
    """Return the current reference of each version, and the versions that have any."""
    current: dict[tuple[str, str], str] = {}
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for row in c.execute(
        sa.select(
            references.c.id, references.c.system, references.c.version, references.c.current
        ).order_by(references.c.applied_at)
    ):
        versions[row.system].add(row.version)
        if row.current:
            current[row.system, row.version] = row.id
    return current, versions
