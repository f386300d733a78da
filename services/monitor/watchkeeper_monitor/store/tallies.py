"""Named counts of systems, which survive a restart (table `tallies`)."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from watchkeeper_shared.db.tables import tallies
from watchkeeper_shared.db.upsert import insert


def count(c: sa.Connection, added: Mapping[tuple[str, str], int]) -> None:
    """Add to named counts of systems."""
    for (system, name), value in sorted(added.items()):
        fresh = insert(c, tallies).values(system=system, name=name, value=value)
        c.execute(
            fresh.on_conflict_do_update(
                index_elements=[tallies.c.system, tallies.c.name],
                set_={"value": tallies.c.value + fresh.excluded.value},
            )
        )


def put(c: sa.Connection, system: str, name: str, value: int) -> None:
    """Set a named number that is a state and no count, such as `labels_waiting`."""
    fresh = insert(c, tallies).values(system=system, name=name, value=value)
    c.execute(
        fresh.on_conflict_do_update(
            index_elements=[tallies.c.system, tallies.c.name],
            set_={"value": fresh.excluded.value},
        )
    )
