"""One breach is one episode: opened once, told when it matters, cleared or withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper_monitor.rule.episodes import Episode, EpisodeState, Turn, TurnKind, diff
from watchkeeper_monitor.rule.stretches import Opening, Point, Stretch, fold, lookback
from watchkeeper_shared.specs import Clear, Rule
from watchkeeper_shared.states import State

STATES = {
    "o": State.OK,
    "w": State.WARN,
    "B": State.BREACH,
    "i": State.INSUFFICIENT,
    "-": State.NO_DATA,
    "e": State.ERROR,
}
VALUES = {"o": 0.1, "w": 0.2}


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def series(states: str, values: list[float] | None = None) -> list[Point]:
    measured = values or [VALUES.get(letter, 0.5) for letter in states]
    return [
        Point(day(index), STATES[letter], measured[index]) for index, letter in enumerate(states)
    ]


def rule(sustained: str = "1 of 1", clear: Clear | None = None, *, below: bool = False) -> Rule:
    return Rule(id="r", metric="psi", breach=0.25, sustained=sustained, clear=clear, below=below)


def told(
    opened: int,
    cleared: int | None = None,
    state: EpisodeState = EpisodeState.OPEN,
    *,
    window: int | None = None,
    value: float = 0.5,
) -> Episode:
    return Episode(
        id=f"episode-{opened}",
        opened=day(opened),
        cleared=None if cleared is None else day(cleared),
        state=state,
        generation=0,
        told_window=day(opened if window is None else window),
        told_state=State.BREACH,
        told_value=value,
    )


def stretches(states: str, one: Rule, values: list[float] | None = None) -> list[Stretch]:
    return fold(series(states, values), one)


def turns(stored: list[Episode], states: str, one: Rule | None = None) -> list[Turn]:
    points = series(states)
    return diff(stored, fold(points, one or rule()), points, one or rule())


def test_one_breaching_window_opens_and_one_good_window_clears() -> None:
    assert stretches("oBBo", rule()) == [Stretch(day(1), day(3))]


def test_a_rule_that_asks_for_two_of_three_ignores_a_single_window() -> None:
    assert stretches("oBooBo", rule("2 of 3")) == []


def test_two_of_three_opens_at_the_second_breaching_window() -> None:
    assert stretches("BoB", rule("2 of 3")) == [Stretch(day(2))]


@pytest.mark.parametrize("silence", ["-", "i", "e"])
def test_silence_does_not_end_a_breach(silence: str) -> None:
    assert stretches("B" + silence * 3, rule()) == [Stretch(day(0))]


def test_a_clear_limit_keeps_the_breach_open_near_the_limit() -> None:
    one = rule(clear=Clear(limit=0.2))

    assert stretches("Boo", one, [0.3, 0.24, 0.1]) == [Stretch(day(0), day(2))]


def test_a_clear_limit_looks_at_the_other_side_where_small_is_bad() -> None:
    one = rule(clear=Clear(limit=0.85), below=True)

    assert stretches("Boo", one, [0.7, 0.82, 0.9]) == [Stretch(day(0), day(2))]


def test_a_value_past_the_limit_with_thin_evidence_does_not_clear() -> None:
    assert stretches("Bw", rule(), [0.5, 0.3]) == [Stretch(day(0))]


def test_silence_breaks_the_run_that_clears() -> None:
    one = rule(clear=Clear(limit=0.2, count=2))
    values = [0.3, 0.1, 0.1, 0.1, 0.1]

    assert stretches("Bo-oo", one, values) == [Stretch(day(0), day(4))]


def test_folding_on_from_a_known_point_gives_what_folding_all_gives() -> None:
    one = rule("2 of 3", Clear(limit=0.2, count=2))
    whole = series("BoBoBooBBoo")
    for start in range(1, len(whole)):
        before = fold(whole[:start], one)
        since = Opening(before[-1].opened) if before and before[-1].cleared is None else None
        known = min(start, lookback(one))

        after = fold(whole[start - known :], one, since, known)

        ended = [stretch for stretch in before if stretch.cleared is not None]
        assert ended + after == fold(whole, one)


def test_a_new_stretch_opens_one_episode_with_the_window_that_opened_it() -> None:
    (turn,) = turns([], "oBB")

    assert (turn.kind, turn.opened, turn.generation) == (TurnKind.OPENED, day(1), 0)
    assert turn.point == Point(day(1), State.BREACH, 0.5)


def test_a_stretch_that_is_over_is_told_whole() -> None:
    assert [turn.kind for turn in turns([], "oBo")] == [TurnKind.OPENED, TurnKind.CLEARED]


def test_what_people_know_is_not_told_again() -> None:
    assert turns([told(1)], "oBB") == []


def test_a_worse_value_is_told_once() -> None:
    points = series("BB", [0.3, 0.4])

    (turn,) = diff([told(0, value=0.3)], fold(points, rule()), points, rule())
    again = diff([told(0, window=1, value=0.4)], fold(points, rule()), points, rule())

    assert (turn.kind, turn.point) == (TurnKind.UPDATED, points[-1])
    assert again == []


def test_a_breach_that_falls_silent_is_told() -> None:
    (turn,) = turns([told(0)], "B-")

    assert turn.kind is TurnKind.UPDATED
    assert turn.point is not None
    assert turn.point.state is State.NO_DATA


def test_a_recovery_clears_the_open_episode() -> None:
    (turn,) = turns([told(1)], "oBo")

    assert (turn.kind, turn.episode) == (TurnKind.CLEARED, told(1))


@pytest.mark.parametrize("ended", [told(1), told(1, 2, EpisodeState.CLEARED)])
def test_an_amendment_that_takes_the_reason_away_withdraws_the_breach(ended: Episode) -> None:
    (turn,) = turns([ended], "ooo")

    assert (turn.kind, turn.episode) == (TurnKind.WITHDRAWN, ended)


def test_an_amendment_that_moves_the_opening_keeps_the_episode_and_tells_since_when() -> None:
    known = told(2)

    (turn,) = turns([known], "oBBB")

    assert (turn.kind, turn.episode, turn.opened) == (TurnKind.MOVED, known, day(1))
    assert turns([replace(known, opened=day(1), first_opened=day(2))], "oBBB") == []


def test_an_amendment_that_moves_the_end_of_a_breach_tells_until_when() -> None:
    (turn,) = turns([told(1, 2, EpisodeState.CLEARED)], "oBBo")

    assert (turn.kind, turn.opened, turn.cleared) == (TurnKind.MOVED, day(1), day(3))
    assert turn.point == Point(day(3), State.OK, 0.1)


def test_a_past_breach_that_joins_an_open_one_while_labels_are_missing_is_told() -> None:
    """Labels come for days 0 and 1, then for days 2 and 3: it was a breach of its own."""
    known = told(4)

    (moved,) = turns([known], "BBiiB")
    split = turns([replace(known, opened=day(0), first_opened=day(4))], "BBooB")

    assert (moved.kind, moved.opened) == (TurnKind.MOVED, day(0))
    assert [(turn.kind, turn.opened, turn.cleared) for turn in split] == [
        (TurnKind.OPENED, day(0), None),
        (TurnKind.CLEARED, day(0), day(2)),
        (TurnKind.MOVED, day(4), None),
    ]


def test_breaches_that_turn_out_to_be_one_are_both_told_its_bounds() -> None:
    known = [told(0, 1, EpisodeState.CLEARED), told(2, 3, EpisodeState.CLEARED)]

    found = turns(known, "BBBo")

    assert [(turn.kind, turn.opened, turn.cleared) for turn in found] == [
        (TurnKind.MOVED, day(0), day(3))
    ] * 2


def test_a_breach_that_comes_back_after_it_was_told_over_is_a_new_episode() -> None:
    (turn,) = turns([told(1, 2, EpisodeState.CLEARED)], "oBBB")

    assert (turn.kind, turn.generation) == (TurnKind.OPENED, 1)


def test_a_breach_that_comes_back_is_told_with_the_window_that_opened_it() -> None:
    """What was folded anew begins later, and its newest window may be inside the limit."""
    points = series("Bwi")[1:]
    stretches = fold(points, rule(clear=Clear(limit=0.15)), Opening(day(0)))

    (turn,) = diff([told(0, 1, EpisodeState.CLEARED)], stretches, points, rule())

    assert (turn.kind, turn.generation) == (TurnKind.OPENED, 1)
    assert turn.point == Point(day(0), State.BREACH, None)
    assert turn.heard == points[-1]


def test_a_withdrawn_breach_that_is_raised_again_is_a_new_episode() -> None:
    (turn,) = turns([told(1, None, EpisodeState.WITHDRAWN)], "oBB")

    assert (turn.kind, turn.generation) == (TurnKind.OPENED, 1)


def test_two_stretches_are_two_episodes() -> None:
    opened = [turn.opened for turn in turns([], "BoB") if turn.kind is TurnKind.OPENED]

    assert opened == [day(0), day(2)]


def test_a_recovery_and_a_new_breach_that_are_seen_at_once_are_two_episodes() -> None:
    known = told(1)

    found = turns([known], "oBooB")

    assert [(turn.kind, turn.episode, turn.opened) for turn in found] == [
        (TurnKind.CLEARED, known, day(1)),
        (TurnKind.OPENED, None, day(4)),
    ]


@pytest.mark.parametrize(
    ("state", "calm", "kind", "said"),
    [
        (State.NO_DATA, 12, TurnKind.CLEARED, "inside its limit over the last 8 windows together"),
        (State.INSUFFICIENT, 2, TurnKind.CLEARED, "inside its limit over the last 2 windows"),
        (State.OK, 12, TurnKind.CLEARED, "no value"),
        (State.NO_DATA, 0, TurnKind.CLEARED, "no value"),
        (State.NO_DATA, 12, TurnKind.WITHDRAWN, "no value"),
    ],
)
def test_a_recovery_that_many_windows_show_is_not_explained_by_the_last_alone(
    state: State, calm: int, kind: TurnKind, said: str
) -> None:
    turn = Turn(kind, None, day(0), 0, Point(day(3), state, None, calm=calm))

    why = turn.why("no value")

    assert why.startswith(said)
    assert why.endswith("no value")
