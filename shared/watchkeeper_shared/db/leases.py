"""Who does a piece of work that only one process may do at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from watchkeeper_shared.db.tables import leases
from watchkeeper_shared.db.upsert import insert


def take(c: sa.Connection, name: str, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take a free or expired lease, or renew one's own; False while another holds it.

    A lease only saves double work. A holder that was frozen may wake up after its lease
    went to another, so whatever it writes must also be guarded where it is written.
    """
    fresh = insert(c, leases).values(name=name, holder=holder, expires_at=now + ttl)
    taken = fresh.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": fresh.excluded.holder, "expires_at": fresh.excluded.expires_at},
        where=sa.or_(leases.c.holder == fresh.excluded.holder, leases.c.expires_at <= now),
    )
    return c.execute(taken.returning(leases.c.name)).one_or_none() is not None


def of_others(c: sa.Connection, prefix: str, holder: str, now: datetime) -> frozenset[str]:
    """Return what follows the prefix in the names of leases that others hold: not to be tried."""
    theirs = (leases.c.holder != holder) & (leases.c.expires_at > now)
    names = c.execute(sa.select(leases.c.name).where(theirs, leases.c.name.startswith(prefix)))
    return frozenset(name.removeprefix(prefix) for name in names.scalars())


def held(c: sa.Connection, prefix: str, now: datetime) -> dict[str, list[str]]:
    """Return what each holder holds now, as what follows the prefix, in order."""
    alive = (leases.c.expires_at > now) & leases.c.name.startswith(prefix)
    rows = c.execute(sa.select(leases.c.holder, leases.c.name).where(alive).order_by(leases.c.name))
    found: dict[str, list[str]] = {}
    for holder, name in rows:
        found.setdefault(holder, []).append(name.removeprefix(prefix))
    return found


def locked(c: sa.Connection, prefix: str, now: datetime) -> frozenset[str]:
    """Return who holds leases of a prefix, which nobody changes until the transaction ends."""
    alive = (leases.c.expires_at > now) & leases.c.name.startswith(prefix)
    rows = sa.select(leases.c.holder).where(alive).order_by(leases.c.name).with_for_update()
    return frozenset(c.execute(rows).scalars())


def give(c: sa.Connection, names: Iterable[str], holder: str, to: str) -> None:
    """Hand leases over as they are: whoever takes no care of them loses them in time."""
    ours = leases.c.name.in_(list(names)) & (leases.c.holder == holder)
    c.execute(sa.update(leases).where(ours).values(holder=to))


def forget_expired(c: sa.Connection, before: datetime) -> int:
    """Drop leases that ended before an instant: their systems or services are gone."""
    return c.execute(sa.delete(leases).where(leases.c.expires_at < before)).rowcount


def release(c: sa.Connection, name: str, holder: str) -> None:
    """Give a lease back, so that the next one need not wait. Idempotent."""
    c.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))
