"""Whatever order rivals act in: each record is counted once, and none is skipped."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper_shared.db import positions
from watchkeeper_shared.db.positions import Claim
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Fenced
from watchkeeper_shared.eventlog.port import TopicPartition

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
AT = TopicPartition("predictions", 0)
WORKERS = st.integers(0, 2)
ACTS = st.one_of(
    st.tuples(st.just("claim"), WORKERS, st.just(0)),
    st.tuples(st.just("flush"), WORKERS, st.integers(0, 5)),
    st.tuples(st.just("flush twice"), WORKERS, st.integers(0, 5)),
)
_names = itertools.count()


@settings(
    max_examples=40,
    deadline=None,
    # The database is shared by the examples on purpose; each has a consumer of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(ACTS, max_size=25))
def test_what_was_counted_is_what_the_position_says(
    database: Database, acts: list[tuple[str, int, int]]
) -> None:
    consumer = f"monitor-{next(_names)}"
    held: dict[int, Claim] = {}
    newest = -1
    counted: list[int] = []

    def flush(claim: Claim, rows: int) -> Claim | None:
        end = claim.next_offset + rows
        try:
            with database.transaction() as c:
                moved = positions.advance(c, claim, end, NOW)
        except Fenced:
            return None
        counted.extend(range(claim.next_offset, end))
        return moved

    for act, worker, rows in acts:
        if act == "claim":
            with database.transaction() as c:
                held[worker] = positions.claim(c, consumer, AT, "t", str(worker), 0, NOW)
            newest = worker
        elif worker in held:
            claim = held.pop(worker)
            moved = flush(claim, rows)
            assert (moved is not None) == (worker == newest)
            if moved is not None:
                held[worker] = moved
            if act == "flush twice" and rows:  # as after a commit of unknown outcome
                assert flush(claim, rows) is None

    assert counted == list(range(len(counted)))
    with database.transaction() as c:
        assert positions.claim(c, consumer, AT, "t", "last", 0, NOW).next_offset == len(counted)
