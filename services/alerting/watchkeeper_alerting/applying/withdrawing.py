"""Taking an applied object out of force: decided, stored, audited and announced in one go.

Nothing is deleted. The withdrawal is one more revision, with the spec of the one before and
the reason; applying the object again is the next, and puts it in force.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_alerting import control, tickets
from watchkeeper_alerting.acting import Person
from watchkeeper_alerting.applying.checking import suggestion
from watchkeeper_alerting.disclosure import shown
from watchkeeper_alerting.handling import ACTOR
from watchkeeper_alerting.store import objects
from watchkeeper_alerting.store import tickets as ticket_store
from watchkeeper_alerting.store.objects import StoredObject
from watchkeeper_alerting.store.tickets import StoredAct
from watchkeeper_shared.db import audit
from watchkeeper_shared.db.applied import read_snapshot, read_stamp
from watchkeeper_shared.errors import Conflict, InvalidObject, NotFound
from watchkeeper_shared.specs import SPECS


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to take out of force, and why."""

    kind: str
    name: str
    reason: str


def decide(asked: Asked, *, is_withdrawn: bool, named_by: Collection[str] = ()) -> bool:
    """Return whether there is anything to do: what is withdrawn already stays as it is.

    Parameters
    ----------
    is_withdrawn
        Whether it is out of force already.
    named_by
        The policies in force that cannot do without it.

    Raises
    ------
    InvalidObject
        No reason was given, or one that is too long.
    Conflict
        Policies in force name it.
    """
    if not tickets.is_readable(asked.reason):
        raise InvalidObject("withdrawing needs a reason that a later reader understands")
    if len(asked.reason) > tickets.LONGEST_REASON:
        raise InvalidObject(f"a reason has at most {tickets.LONGEST_REASON} characters")
    if is_withdrawn:
        return False
    if named_by:
        policies = ", ".join(sorted(named_by))
        raise Conflict(
            f"{asked.kind} {asked.name!r} is named by policies in force: {policies}; "
            "apply them without it first"
        )
    return True


def withdraw(c: sa.Connection, asked: Asked, person: Person, now: datetime) -> StoredObject:
    """Take one object out of force in the transaction `c`; return its newest revision.

    Of a system, the monitor ends what is open once it reads this, and tickets stay with people.

    Raises
    ------
    NotFound, InvalidObject, Conflict
        As `decide` says; nothing was done.
    """
    stored = _stored(c, asked)
    is_withdrawn = stored.withdrawn is not None
    if not decide(asked, is_withdrawn=is_withdrawn, named_by=_named_by(c, asked)):
        return stored
    after = replace(
        stored,
        revision=stored.revision + 1,
        author=person.name,
        applied_at=now,
        withdrawn=asked.reason,
    )
    objects.add(c, after)
    _tell(c, after, person, now)
    if asked.kind == "AISystem":
        _note(c, after)
    return after


def _stored(c: sa.Connection, asked: Asked) -> StoredObject:
    if asked.kind not in SPECS:
        raise InvalidObject(f"unknown kind {asked.kind!r}{suggestion(asked.kind, list(SPECS))}")
    stored = objects.current(c, asked.kind, asked.name)
    if stored is None:
        names = [one.name for one in objects.in_force(c, asked.kind)]
        hint = suggestion(asked.name, names) if names else ""
        raise NotFound(f"no {asked.kind} {asked.name!r} was ever applied{hint}")
    return stored


def _named_by(c: sa.Connection, asked: Asked) -> list[str]:
    """Return the policies whose breaches would have nobody to go to."""
    if asked.kind != "Channel":
        return []
    return [
        name
        for name, policy in read_snapshot(c, read_stamp(c)).policies.items()
        if any(asked.name in (rule.on_breach.channels or ()) for rule in policy.spec.rules)
    ]


def _tell(c: sa.Connection, after: StoredObject, person: Person, now: datetime) -> None:
    """Write it to the audit log and to the control topic."""
    body = {"revision": after.revision, "hash": after.hash}
    audit.record(
        c,
        at=now,
        actor=person.name,
        act="withdraw",
        subject=f"{after.kind}/{after.name}",
        reason=str(after.withdrawn),
        body={**body, "role": person.role, "key": person.key},
    )
    record = {
        **body,
        "withdrawn": {"by": after.author, "reason": after.withdrawn},
        "spec": shown(after.kind, after.spec),
    }
    control.announce(c, after.kind, after.name, record, now, control.WITHDRAWN)


def _note(c: sa.Connection, after: StoredObject) -> None:
    """Tell it in the history of every open ticket; closing one is a person's decision."""
    text = f"The system was {after.why}. This ticket stays open until a person closes it."
    for one in ticket_store.listing(c, system=after.name, over=False, limit=None):
        state = str(one.state)
        act = StoredAct(one.id, after.applied_at, ACTOR, tickets.NOTE, state, state, text)
        ticket_store.add_act(c, act)
