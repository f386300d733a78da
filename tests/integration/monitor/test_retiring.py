"""A breach that no rule looks at any more is closed with the reason, and may come back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from watchkeeper_shared.db import tables

RULE = {"id": "drift", "metric": "psi", "columns": ["*"], "breach": 0.25, "min_rows": 100}


def rested(world: Any) -> None:
    """Let the monitor read all, and then find the system silent, so that windows settle."""
    world.settle()
    world.clock.advance(timedelta(minutes=1))
    world.settle()


@pytest.fixture
def breached(referenced: Any) -> Any:
    """A world in which AGE drifted and people were told."""
    referenced.policy([RULE])
    referenced.predict(0, drifted=True)
    referenced.go_to(2)
    rested(referenced)
    ((kind, _),) = referenced.told()
    assert kind == "opened"
    return referenced


CHANGES: dict[str, Any] = {
    "rule 'drift' was removed": [{"id": "another", "metric": "volume", "below": True, "breach": 1}],
    "rule 'drift' no longer looks at psi AGE": [{**RULE, "columns": ["JOB"]}],
}


@pytest.mark.parametrize("reason", CHANGES)
def test_a_breach_whose_rule_is_gone_is_closed_with_the_reason(breached: Any, reason: str) -> None:
    breached.policy(CHANGES[reason])
    rested(breached)

    ((kind, event),) = breached.told()
    (stored,) = breached.all(tables.episodes)

    assert (kind, event.retired, event.withdrawn) == ("cleared", True, False)
    assert event.reason.startswith(reason)
    assert (event.rule, event.limit) == ("drift", 0.25)
    assert (stored.state, stored.cleared_window is not None) == ("cleared", True)
    assert (
        breached.metrics.get_sample_value(
            "watchkeeper_monitor_breach_events_total", {"kind": "retired"}
        )
        == 1
    )


def test_a_policy_that_leaves_a_system_closes_what_it_had_opened(breached: Any) -> None:
    breached.policy([RULE], systems=["another"])
    rested(breached)

    ((kind, event),) = breached.told()

    assert (kind, event.retired) == ("cleared", True)
    assert event.reason.startswith("policy 'loans' no longer watches 'loans'")


def test_a_rule_with_other_limits_goes_on_with_its_breach(breached: Any) -> None:
    breached.policy([{**RULE, "breach": 0.2, "severity": "critical"}])
    rested(breached)

    assert breached.told() == []
    assert [row.state for row in breached.all(tables.episodes)] == ["open"]


def test_a_policy_that_cannot_be_read_now_closes_nothing(breached: Any) -> None:
    breached.apply("OversightPolicy", "loans", {"systems": ["loans"], "rules": "nonsense"})
    rested(breached)

    assert breached.told() == []


def test_a_rule_that_comes_back_raises_its_breach_anew(breached: Any) -> None:
    first = breached.all(tables.episodes)[0].id
    breached.policy([])
    rested(breached)
    breached.told()
    breached.policy([RULE])
    breached.predict(0, 50, drifted=True, seed=5)  # a late row: the same window, judged again
    rested(breached)

    ((kind, event),) = breached.told()

    assert (kind, event.breach != first, event.opened_window) == (
        "opened",
        True,
        breached.all(tables.episodes)[0].opened_window,
    )
    assert [row.generation for row in breached.all(tables.episodes)] == [0, 1]
    sent = [row.event_id for row in breached.all(tables.outbox, topic="watchkeeper.breaches.v1")]
    assert len(sent) == len(set(sent)) == 3


def test_opened_withdrawn_and_opened_again_are_three_events(breached: Any) -> None:
    """The same window each time: nothing of it is swallowed as known."""
    ids = breached.predict(0, 4000, seed=21)  # late rows without drift: it was none
    rested(breached)
    taken_back = breached.told()
    breached.predict(0, 20_000, drifted=True, seed=22)  # and still later ones: it was one
    rested(breached)
    again = breached.told()

    assert len(ids) == 4000
    assert [(kind, event.withdrawn) for kind, event in taken_back] == [("cleared", True)]
    assert [kind for kind, _ in again] == ["opened"]
    assert again[0][1].breach != taken_back[0][1].breach
    assert again[0][1].opened_window == taken_back[0][1].opened_window
