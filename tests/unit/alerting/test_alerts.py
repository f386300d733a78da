"""An alert fires once, is acknowledged by a person and resolved by its breach."""

from __future__ import annotations

import pytest

from watchkeeper_alerting.alerts import (
    Action,
    AlertState,
    Reason,
    Turn,
    acknowledge,
    decide,
)
from watchkeeper_shared.errors import Conflict, InvalidObject

FIRING, ACKNOWLEDGED, RESOLVED = AlertState

TABLE = [
    (None, Turn.OPENED, Action.OPEN, Reason.BREACH_OPENED, FIRING, "firing"),
    (None, Turn.UPDATED, Action.OPEN, Reason.OPENING_MISSED, FIRING, "firing"),
    (None, Turn.CLEARED, Action.NOTHING, Reason.NEVER_OPENED, None, None),
    (None, Turn.RETIRED, Action.NOTHING, Reason.NEVER_OPENED, None, None),
    (None, Turn.SYSTEM_WITHDRAWN, Action.NOTHING, Reason.NEVER_OPENED, None, None),
    (None, Turn.WITHDRAWN, Action.NOTHING, Reason.NEVER_OPENED, None, None),
    (FIRING, Turn.OPENED, Action.UPDATE, Reason.NEWER_NUMBERS, FIRING, None),
    (FIRING, Turn.UPDATED, Action.UPDATE, Reason.NEWER_NUMBERS, FIRING, None),
    (FIRING, Turn.CLEARED, Action.RESOLVE, Reason.RECOVERED, RESOLVED, "resolved"),
    (FIRING, Turn.RETIRED, Action.RESOLVE, Reason.RULE_REMOVED, RESOLVED, "resolved"),
    (
        FIRING,
        Turn.SYSTEM_WITHDRAWN,
        Action.RESOLVE,
        Reason.SYSTEM_WITHDRAWN,
        RESOLVED,
        "resolved",
    ),
    (FIRING, Turn.WITHDRAWN, Action.RESOLVE, Reason.WITHDRAWN_BY_AMENDMENT, RESOLVED, "resolved"),
    (ACKNOWLEDGED, Turn.OPENED, Action.UPDATE, Reason.NEWER_NUMBERS, ACKNOWLEDGED, None),
    (ACKNOWLEDGED, Turn.UPDATED, Action.UPDATE, Reason.NEWER_NUMBERS, ACKNOWLEDGED, None),
    (ACKNOWLEDGED, Turn.CLEARED, Action.RESOLVE, Reason.RECOVERED, RESOLVED, "resolved"),
    (ACKNOWLEDGED, Turn.RETIRED, Action.RESOLVE, Reason.RULE_REMOVED, RESOLVED, "resolved"),
    (
        ACKNOWLEDGED,
        Turn.SYSTEM_WITHDRAWN,
        Action.RESOLVE,
        Reason.SYSTEM_WITHDRAWN,
        RESOLVED,
        "resolved",
    ),
    (
        ACKNOWLEDGED,
        Turn.WITHDRAWN,
        Action.RESOLVE,
        Reason.WITHDRAWN_BY_AMENDMENT,
        RESOLVED,
        "resolved",
    ),
    (RESOLVED, Turn.OPENED, Action.REOPEN, Reason.RAISED_AGAIN, FIRING, "firing"),
    (RESOLVED, Turn.UPDATED, Action.UPDATE, Reason.ALREADY_RESOLVED, RESOLVED, None),
    (RESOLVED, Turn.CLEARED, Action.NOTHING, Reason.ALREADY_RESOLVED, RESOLVED, None),
    (RESOLVED, Turn.RETIRED, Action.NOTHING, Reason.ALREADY_RESOLVED, RESOLVED, None),
    (
        RESOLVED,
        Turn.SYSTEM_WITHDRAWN,
        Action.NOTHING,
        Reason.ALREADY_RESOLVED,
        RESOLVED,
        None,
    ),
    (RESOLVED, Turn.WITHDRAWN, Action.UPDATE, Reason.WITHDRAWN_BY_AMENDMENT, RESOLVED, None),
]


@pytest.mark.parametrize(("state", "turn", "action", "reason", "after", "notify"), TABLE)
def test_what_a_turn_means(
    state: AlertState | None,
    turn: Turn,
    action: Action,
    reason: Reason,
    after: AlertState | None,
    notify: str | None,
) -> None:
    decision = decide(state, turn)

    assert (decision.action, decision.reason, decision.after) == (action, reason, after)
    assert decision.notify == notify


def test_the_table_above_is_complete() -> None:
    assert {(row[0], row[1]) for row in TABLE} == {
        (state, turn) for state in (None, *AlertState) for turn in Turn
    }


def test_only_a_firing_alert_can_be_acknowledged_and_only_with_a_reason() -> None:
    assert acknowledge(FIRING, "looking at the input feed") is ACKNOWLEDGED
    for words in ("  ", "\u200b", "x" * 4001):
        with pytest.raises(InvalidObject, match="reason"):
            acknowledge(FIRING, words)
    for state in (ACKNOWLEDGED, RESOLVED):
        with pytest.raises(Conflict, match=f"is {state}"):
            acknowledge(state, "again")
