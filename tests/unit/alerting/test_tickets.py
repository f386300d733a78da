"""Only the table moves a ticket, only people with a role do, and closing needs a reason."""

from __future__ import annotations

import pytest

from watchkeeper_alerting.tickets import (
    TRANSITIONS,
    Act,
    Attempt,
    TicketState,
    acts_from,
    kind_of,
    move,
)
from watchkeeper_shared.errors import Conflict, Forbidden, InvalidObject

ALLOWED = {
    (TicketState.NEW, Act.ACKNOWLEDGE): TicketState.ACKNOWLEDGED,
    (TicketState.NEW, Act.COMMENT): TicketState.NEW,
    (TicketState.NEW, Act.CLOSE): TicketState.CLOSED,
    (TicketState.ACKNOWLEDGED, Act.COMMENT): TicketState.ACKNOWLEDGED,
    (TicketState.ACKNOWLEDGED, Act.CLOSE): TicketState.CLOSED,
    (TicketState.CLOSED, Act.COMMENT): TicketState.CLOSED,
    (TicketState.CLOSED, Act.REOPEN): TicketState.ACKNOWLEDGED,
}


def by(role: str, act: Act, reason: str = "because") -> Attempt:
    return Attempt(act, reason, "kim", role)


@pytest.mark.parametrize("state", TicketState)
@pytest.mark.parametrize("act", Act)
def test_no_act_outside_the_table(state: TicketState, act: Act) -> None:
    wanted = ALLOWED.get((state, act))

    if wanted is not None:
        assert move(state, by("oncall", act)) is wanted
        assert act in acts_from(state)
    else:
        with pytest.raises(Conflict, match="possible: "):
            move(state, by("oncall", act))


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: row.act)
@pytest.mark.parametrize("role", ["viewer", "auditor", "publisher", "watchkeeper-alerting"])
def test_nobody_else_acts(row: object, role: str) -> None:
    transition = next(one for one in TRANSITIONS if one is row)

    with pytest.raises(Forbidden, match=role):
        move(transition.before[0], by(role, transition.act))


@pytest.mark.parametrize("act", [Act.COMMENT, Act.CLOSE])
@pytest.mark.parametrize("words", [" \n", "\u200b\u2060", "\0"])
def test_closing_and_commenting_need_words(act: Act, words: str) -> None:
    with pytest.raises(InvalidObject, match="reason"):
        move(TicketState.ACKNOWLEDGED, by("reviewer", act, words))


def test_words_have_an_end() -> None:
    with pytest.raises(InvalidObject, match="4000"):
        move(TicketState.NEW, by("reviewer", Act.COMMENT, "x" * 4001))


def test_the_kind_of_work_follows_the_family_of_the_metric() -> None:
    kinds = [str(kind_of(metric)) for metric in ("psi", "missing_share", "selection_rate", "new")]

    assert kinds == ["metric_breach", "data", "fairness", "metric_breach"]
