"""From bodies to decisions: one by one, or many small ones together.

Columns pay off from some fifty rows on: a body of one event costs as much to read and check
as one of fifty. So small bodies of row JSON that are here at the same moment become one batch,
and each gets back what was decided on its own events.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper_ingest.acceptance import Accepted, Known, Part, accept
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Caller
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.errors import WatchkeeperError
from watchkeeper_shared.events.codec import Decoded, decode_items
from watchkeeper_shared.events.pooling import MAX_POOLED_BYTES, Pooled, pool
from watchkeeper_shared.events.rejects import Reject
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.shapes import MIXED

_ANSWERS = ("prediction", "label")

_EXACT_BELOW = 2.0**53
"""Every whole number below has a float of its own."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """What one request says, unpacked.

    Parameters
    ----------
    value, content_type
        The bytes, and how to read them.
    kind, caller
        What they are, and who sends them.
    """

    value: bytes
    content_type: str
    kind: Kind
    caller: Caller

    @property
    def is_small(self) -> bool:
        """Whether it is decided on together with others; a thread would cost more."""
        return len(self.value) <= MAX_POOLED_BYTES


class Decider:
    """Reads bodies and decides on their events. Safe to use from several threads.

    Parameters
    ----------
    registry, clock
        What was declared, and what time it is.
    max_rows, max_age
        The most events in one body, and how old one may be.
    """

    def __init__(self, registry: Registry, clock: Clock, max_rows: int, max_age: timedelta) -> None:
        self._registry = registry
        self._clock = clock
        self._max_rows = max_rows
        self._max_age = max_age

    def decide(self, body: Body) -> Accepted:
        """Decide on the events of one body.

        Raises
        ------
        MalformedRecord
            It cannot be read.
        StoreUnavailable
            What was declared was never read.
        """
        decoded = decode_items(body.value, body.content_type, body.kind, self._max_rows)
        return accept(decoded, body.kind, self._known(body.caller))

    def decide_all(self, bodies: Sequence[Body]) -> list[Accepted | Exception]:
        """Decide on several bodies; each has the answer or the error that it has alone."""
        answers: dict[int, Accepted | Exception] = {}
        alike: defaultdict[tuple[Kind, str], list[int]] = defaultdict(list)
        for place, body in enumerate(bodies):
            alike[body.kind, body.caller.id].append(place)
        for places in alike.values():
            if len(places) > 1:
                together = self._tried([bodies[place] for place in places])
                answers |= {places[at]: one for at, one in together.items()}
        return [
            answers[place] if place in answers else self._alone(body)
            for place, body in enumerate(bodies)
        ]

    def _alone(self, body: Body) -> Accepted | Exception:
        try:
            return self.decide(body)
        except Exception as error:  # noqa: BLE001 - the sender of this body is told, no other
            return error

    def _tried(self, bodies: Sequence[Body]) -> dict[int, Accepted]:
        try:
            return self._together(bodies)
        except WatchkeeperError:
            return {}
        except Exception:
            # Nobody may wait for good, and one body that we fail at is not the others' fault.
            logger.exception("deciding together failed", extra={"bodies": len(bodies)})
            return {}

    def _together(self, bodies: Sequence[Body]) -> dict[int, Accepted]:
        """Return the decisions that can be made in one go; the other bodies are left out."""
        kind, caller = bodies[0].kind, bodies[0].caller
        pooled = pool([(body.value, body.content_type) for body in bodies], kind)
        counts = np.bincount(pooled.owners, minlength=len(bodies))
        # Whether an id comes twice is asked within one request only.
        if counts.max() > self._max_rows or _repeats(pooled.batch) or _blurs(pooled.batch):
            return {}
        places = np.arange(pooled.batch.num_rows, dtype=np.int64)
        accepted = accept(Decoded(pooled.batch, places), kind, self._known(caller))
        shares = _shares(accepted, pooled, len(bodies))
        return {at: one for at, one in enumerate(shares) if at not in pooled.apart}

    def _known(self, caller: Caller) -> Known:
        now = self._clock.now()
        return Known(
            systems=self._registry.systems(),
            versions=self._registry.versions,
            may_publish=caller.may_publish,
            now=now,
            oldest=now - self._max_age,
            withdrawn=self._registry.withdrawn(),
        )


def _repeats(batch: pa.RecordBatch) -> bool:
    if "id" not in batch.schema.names:
        return True
    return bool(pc.count_distinct(batch.column("id"), mode="all").as_py() < batch.num_rows)


def _blurs(batch: pa.RecordBatch) -> bool:
    """Tell whether one body's values could read otherwise because of another's kind.

    Texts make classes of the numbers beside them, and fractions make floats of the whole
    numbers, of which the large ones are then no longer told apart.
    """
    return any(
        (name in _ANSWERS and column.type == MIXED) or _is_inexact(column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    )


def _is_inexact(column: pa.Array) -> bool:
    numbers = column.field("number") if column.type == MIXED else column
    if not pa.types.is_float64(numbers.type):
        return False
    values = numbers.to_numpy(zero_copy_only=False)
    return bool((np.abs(values) >= _EXACT_BELOW).any())


def _shares(accepted: Accepted, pooled: Pooled, count: int) -> list[Accepted]:
    """Give each of `count` bodies its own part of what was decided on all."""
    parts: list[list[Part]] = [[] for _ in range(count)]
    for part in accepted.parts:
        # No id comes twice, so it tells where a row came from; rows keep their order.
        found = pc.index_in(part.batch.column("id"), value_set=pooled.batch.column("id"))
        owners = pooled.owners[found.to_numpy()]
        bounds = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        for start, end in pairwise(bounds):
            mine = part.batch.slice(start, end - start)
            parts[owners[start]].append(Part(part.system, part.version, mine))
    rejects: list[list[Reject]] = [[] for _ in range(count)]
    firsts = np.searchsorted(pooled.owners, np.arange(count))
    for reject in accepted.rejects:
        owner = pooled.owners[reject.index]
        rejects[owner].append(replace(reject, index=reject.index - int(firsts[owner])))
    return [
        Accepted(tuple(mine), 0, tuple(refused))
        for mine, refused in zip(parts, rejects, strict=True)
    ]
