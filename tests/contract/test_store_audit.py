"""The audit table only grows, without gaps, in one canonical form."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from watchkeeper_shared.db import audit
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import Conflict

NOW = datetime(2026, 11, 23, 6, 0, 0, 5, tzinfo=UTC)


def record(c: sa.Connection, **changes: Any) -> int:
    values: dict[str, Any] = {
        "at": NOW,
        "actor": "ada",
        "act": "ticket.close",
        "subject": "ticket/1",
        "reason": "fixed in 1.2",
        "body": {"state": "closed", "before": "open"},
    }
    return audit.record(c, **(values | changes))


def test_an_act_is_kept_as_canonical_json(database: Database) -> None:
    with database.transaction() as c:
        index = record(c)
        (entry,) = audit.entries(c)

    assert (index, entry.index, entry.actor, entry.at) == (1, 1, "ada", NOW)
    assert entry.entry == (
        '{"act":"ticket.close","actor":"ada","at":"2026-11-23T06:00:00.000005Z",'
        '"body":{"before":"open","state":"closed"},"reason":"fixed in 1.2","subject":"ticket/1"}'
    )
    assert entry.body == {"before": "open", "state": "closed"}


def test_another_zone_and_another_order_give_the_same_text(database: Database) -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    with database.transaction() as c:
        record(c)
        record(c, at=berlin, body={"before": "open", "state": "closed"})
        first, second = audit.entries(c)

    assert first.entry == second.entry


def test_text_of_any_script_survives(database: Database) -> None:
    with database.transaction() as c:
        record(c, reason="zurückgestellt – 審査中 🛑", body={"µ": [1.5, None, True]})
        (entry,) = audit.entries(c)

    assert json.loads(entry.entry)["reason"] == "zurückgestellt – 審査中 🛑"
    assert entry.body == {"µ": [1.5, None, True]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_a_value_without_canonical_form_is_refused(database: Database, value: object) -> None:
    with pytest.raises((TypeError, ValueError)), database.transaction() as c:
        record(c, body={"x": value})


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET reason = 'another'",
        'UPDATE audit SET "index" = 7',
        "DELETE FROM audit",
    ],
)
def test_nobody_changes_what_was_recorded(database: Database, change: str) -> None:
    with database.transaction() as c:
        record(c)

    with pytest.raises(Conflict, match="append-only"), database.transaction() as c:
        c.execute(sa.text(change))

    with database.read() as c:
        assert [one.reason for one in audit.entries(c)] == ["fixed in 1.2"]


def test_nobody_empties_or_replaces_the_table(database: Database) -> None:
    with database.transaction() as c:
        record(c)
    by_kind = {
        "postgresql": "TRUNCATE audit",
        "sqlite": "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    }

    with pytest.raises(Conflict, match="append-only"), database.transaction() as c:
        c.execute(sa.text(by_kind[c.dialect.name]))


def test_indices_have_no_gaps_after_a_rollback_and_among_rivals(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as c:  # noqa: PT012
        record(c)
        _ = 1 / 0
    together = threading.Barrier(4)

    def act() -> None:
        together.wait(timeout=30)
        for _ in range(5):
            with database.transaction() as c:
                record(c)

    with ThreadPoolExecutor(4) as threads:
        for one in [threads.submit(act) for _ in range(4)]:
            one.result(timeout=60)

    with database.read() as c:
        assert [one.index for one in audit.entries(c)] == list(range(1, 21))
        assert audit.count(c) == 20


def test_entries_are_read_page_by_page_and_by_subject(database: Database) -> None:
    with database.transaction() as c:
        for number in range(5):
            record(c, subject=f"ticket/{number % 2}")

    with database.read() as c:
        assert [one.index for one in audit.entries(c, after=2, limit=2)] == [3, 4]
        assert [one.index for one in audit.entries(c, subject="ticket/1")] == [2, 4]
