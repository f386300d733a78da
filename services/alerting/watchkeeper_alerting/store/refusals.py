"""What the monitor could not take of each system's senders, read only (table `tallies`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from watchkeeper_shared.db.tables import tallies

_LETTERS = "dead_letters_"
_ROWS = "rejected_"
_NEWEST = "dead_letter_at"


@dataclass(slots=True)
class Refusals:
    """What was refused of one system since it was applied.

    Parameters
    ----------
    letters, rows
        Records that could not be read, and rows of records that could; how many, by reason.
    newest_letter
        When the newest of the records came.
    """

    letters: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    newest_letter: datetime | None = None


def by_system(c: sa.Connection) -> Mapping[str, Refusals]:
    """Return what was refused, by system; records that name none are under the empty name."""
    found: defaultdict[str, Refusals] = defaultdict(Refusals)
    wanted = sa.or_(
        tallies.c.name.startswith(_LETTERS, autoescape=True),
        tallies.c.name.startswith(_ROWS, autoescape=True),
        tallies.c.name == _NEWEST,
    )
    query = sa.select(tallies).where(wanted).order_by(tallies.c.system, tallies.c.name)
    for row in c.execute(query):
        here = found[row.system]
        if row.name == _NEWEST:
            here.newest_letter = datetime.fromtimestamp(row.value, UTC)
        elif row.name.startswith(_LETTERS):
            here.letters[row.name.removeprefix(_LETTERS)] = row.value
        else:
            here.rows[row.name.removeprefix(_ROWS)] = row.value
    return dict(found)
