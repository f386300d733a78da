"""Days of a system's life: what is measured, amended, told, cleared and withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from watchkeeper_shared.db import tables

GOOD, BAD = 0, 1


def labels_of(world: Any, ids: list[str], kind: int) -> list[str]:
    """The labels that make every prediction right, or every one wrong."""
    return [str(world.said[one] ^ kind) for one in ids]


def live(world: Any, *days: bool | None) -> None:
    """Let days go by, drifted or not; None is a day without any prediction."""
    for day, drifted in enumerate(days):
        world.go_to(day + 1)
        if drifted is not None:
            world.predict(day, drifted=drifted)
        world.settle()


def kinds(world: Any) -> list[str]:
    return [kind for kind, _ in world.told()]


def test_a_window_is_provisional_until_the_watermark_is_past_its_lateness(referenced: Any) -> None:
    live(referenced, False)
    first = referenced.now_measured("volume", 0)
    referenced.predict(1, rows=10)  # from midnight on: the watermark passes one in the morning
    referenced.go_to(2)
    referenced.settle()

    final = referenced.now_measured("volume", 0)

    assert (first.status, first.revision) == ("provisional", 1)
    assert (final.status, final.revision, final.value) == ("final", 1, 400.0)
    assert referenced.now_measured("volume", 1).status == "provisional"


def test_an_idle_system_settles_its_last_window(referenced: Any) -> None:
    live(referenced, False)
    referenced.clock.advance(timedelta(minutes=1))
    referenced.settle()

    assert referenced.now_measured("volume", 0).status == "final"


def test_silence_at_noon_settles_nothing_of_the_day_that_goes_on(referenced: Any) -> None:
    referenced.go_to(0.5)
    referenced.predict(0, drifted=True)
    referenced.settle()
    referenced.clock.advance(timedelta(minutes=1))
    referenced.settle()
    at_noon, told_at_noon = referenced.now_measured("volume", 0).status, kinds(referenced)
    referenced.go_to(1)
    referenced.settle()

    assert (at_noon, told_at_noon) == ("provisional", [])
    assert referenced.now_measured("volume", 0).status == "final"
    assert "opened" in kinds(referenced)


def test_late_rows_amend_a_final_window(referenced: Any) -> None:
    live(referenced, False, False, False)
    referenced.predict(0, rows=100, seed=77)
    referenced.settle()

    old, new = referenced.measured("volume", 0)

    assert (old.revision, old.value, old.current, old.status) == (1, 400.0, False, "final")
    assert (new.revision, new.value, new.current, new.status) == (2, 500.0, True, "amended")
    assert referenced.metrics.get_sample_value("watchkeeper_monitor_late_rows_total") == 100


def test_late_labels_reach_the_window_of_their_prediction(referenced: Any) -> None:
    ids = referenced.predict(0)
    live(referenced, None, False, False)
    before = referenced.now_measured("accuracy", 0)
    referenced.label(ids, labels_of(referenced, ids, GOOD))
    referenced.settle()

    after = referenced.now_measured("accuracy", 0)

    assert (before.value, before.status) == (None, "final")
    assert (after.value, after.n, after.status, after.revision) == (1.0, 400, "amended", 2)
    assert referenced.now_measured("label_coverage", 0).value == 1.0


def test_a_label_may_come_before_its_prediction(referenced: Any) -> None:
    ids = [f"day0-None-{number}" for number in range(400)]
    referenced.label(ids, ["1"] * 400)
    referenced.settle()
    referenced.predict(0)
    referenced.settle()

    assert referenced.now_measured("accuracy", 0).n == 400


def test_a_label_for_an_unknown_prediction_waits_and_is_given_up_by_name(referenced: Any) -> None:
    referenced.label(["never-seen"], ["1"])
    live(referenced, False)
    waiting = referenced.tally("labels_waiting")
    referenced.go_to(40)
    referenced.predict(39)
    referenced.settle()

    assert waiting == 1
    assert referenced.tally("label_unknown") == 1
    assert referenced.tally("labels_waiting") == 0


def test_a_corrected_label_takes_the_old_one_back(referenced: Any) -> None:
    ids = referenced.predict(0)
    referenced.settle()
    referenced.label(ids, labels_of(referenced, ids, BAD))
    referenced.settle()
    first = referenced.now_measured("accuracy", 0)
    referenced.clock.advance(timedelta(hours=1))
    referenced.label(ids[:300], labels_of(referenced, ids[:300], GOOD))
    referenced.settle()

    corrected = referenced.now_measured("accuracy", 0)

    assert (first.value, first.n) == (0.0, 400)
    assert (corrected.value, corrected.n) == (0.75, 400)


def test_an_older_label_corrects_nothing(referenced: Any) -> None:
    ids = referenced.predict(0)
    referenced.settle()
    referenced.label(ids, labels_of(referenced, ids, GOOD))
    referenced.settle()
    referenced.label(ids, labels_of(referenced, ids, BAD), days=-0.5)
    referenced.settle()

    assert referenced.now_measured("accuracy", 0).value == 1.0


def test_a_label_said_again_is_not_corrected_by_what_was_known_in_between(
    referenced: Any,
) -> None:
    ids = referenced.predict(0)
    referenced.settle()
    good, bad = labels_of(referenced, ids, GOOD), labels_of(referenced, ids, BAD)
    for values, days in ((good, -0.9), (good, -0.1), (bad, -0.5)):
        referenced.label(ids, values, days=days)
        referenced.settle()

    assert referenced.now_measured("accuracy", 0).value == 1.0


def test_a_day_without_predictions_is_no_data_and_never_ok(referenced: Any) -> None:
    live(referenced, False, None, None, False)

    for day in (1, 2):
        assert referenced.now_measured("volume", day).state == "no_data"
        assert referenced.now_measured("psi", day, "AGE").state == "no_data"


def test_a_system_that_falls_silent_is_no_data_for_a_week_and_then_no_more(referenced: Any) -> None:
    live(referenced, False)
    referenced.go_to(30)
    referenced.settle()

    days = [row.start for row in referenced.all(tables.windows, rows=0)]

    assert len(days) == 7
    assert referenced.now_measured("volume", 1).state == "no_data"


def test_years_between_a_replayed_stream_and_now_are_no_silence(referenced: Any) -> None:
    referenced.go_to(3000)
    referenced.predict(0)
    referenced.settle()

    assert [row.rows for row in referenced.all(tables.windows)] == [400]


def test_a_breach_opens_once_is_not_repeated_and_clears(referenced: Any) -> None:
    live(referenced, False, True, True, False, False)

    told = referenced.told()

    assert [kind for kind, _ in told] == ["opened", "cleared"]
    opened, cleared = told[0][1], told[1][1]
    assert (opened.rule, opened.metric, opened.column) == ("drift", "psi", "AGE")
    assert opened.value is not None
    assert opened.value >= 0.25
    assert (opened.owner_team, opened.limit, opened.n) == ("credit", 0.25, 400)
    assert opened.window.start == opened.opened_window
    assert cleared.breach == opened.breach
    assert not cleared.withdrawn
    (episode,) = referenced.all(tables.episodes)
    assert (episode.state, episode.id) == ("cleared", opened.breach)


def test_a_provisional_window_opens_no_breach(referenced: Any) -> None:
    live(referenced, True)

    assert referenced.now_measured("psi", 0, "AGE").state == "breach"
    assert kinds(referenced) == []


def test_wrong_labels_open_a_breach_and_corrected_ones_withdraw_it(referenced: Any) -> None:
    ids = referenced.predict(0)
    live(referenced, None, False, False)
    referenced.label(ids, labels_of(referenced, ids, BAD))
    referenced.settle()
    opened = referenced.told()
    referenced.clock.advance(timedelta(hours=1))
    referenced.label(ids, labels_of(referenced, ids, GOOD))
    referenced.settle()

    cleared = referenced.told()

    assert [(kind, event.rule, event.severity) for kind, event in opened] == [
        ("opened", "accuracy", "critical")
    ]
    assert [(kind, event.withdrawn) for kind, event in cleared] == [("cleared", True)]
    assert cleared[0][1].breach == opened[0][1].breach
    assert cleared[0][1].window.status == "amended"


def test_an_open_breach_that_falls_silent_is_told_and_stays_open(referenced: Any) -> None:
    live(referenced, False, True, None, None)
    referenced.clock.advance(timedelta(days=2))
    referenced.settle()

    told = referenced.told()

    assert [kind for kind, _ in told] == ["opened", "updated"]
    assert told[1][1].value is None
    assert [row.state for row in referenced.all(tables.episodes)] == ["open"]


def test_a_rule_that_asks_for_two_of_three_waits_for_the_second_day(referenced: Any) -> None:
    rule = {"id": "drift", "metric": "psi", "columns": ["AGE"], "breach": 0.25, "min_rows": 100}
    referenced.policy([rule | {"sustained": "2 of 3"}])
    live(referenced, True, False, False)
    assert kinds(referenced) == []
    referenced.go_to(4)
    referenced.predict(3, drifted=True)
    referenced.settle()
    live_on(referenced, 4, True)
    live_on(referenced, 5, True)

    (opened,) = referenced.told()

    assert (opened[1].opened_window - opened[1].window.start) == timedelta(0)
    assert opened[1].opened_window.day == 6


def live_on(world: Any, day: int, drifted: bool) -> None:  # noqa: FBT001 - reads like `live`
    world.go_to(day + 1)
    world.predict(day, drifted=drifted)
    world.settle()


def test_a_rule_that_looks_at_nothing_says_so(referenced: Any) -> None:
    referenced.policy([{"id": "ghost", "metric": "psi", "columns": ["NOPE"], "breach": 0.1}])
    live(referenced, False)

    blind = referenced.now_measured("psi", 0, "NOPE")

    assert (blind.state, blind.rule) == ("error", "ghost")
    assert "nothing measures psi" in blind.reason


def test_a_sliding_window_is_judged_at_every_step(referenced: Any) -> None:
    referenced.policy(window={"size": "2d", "step": "1d", "lateness": "1h"})
    live(referenced, False, False, False)

    sizes = {row.start.day: row.rows for row in referenced.all(tables.windows) if row.rows}

    assert sizes == {1: 400, 2: 800, 3: 800, 4: 400}


def test_judging_twice_what_did_not_change_changes_nothing(referenced: Any) -> None:
    live(referenced, False, True, True)
    before = referenced.all(tables.measurements)
    with referenced.database.transaction() as c:
        c.execute(tables.panes.update().values(judged=0))

    referenced.settle()

    assert referenced.all(tables.measurements) == before


def test_the_sample_behind_a_breach_is_frozen_with_it(referenced: Any) -> None:
    ids = referenced.predict(0)
    live(referenced, None, True, False)
    referenced.label(ids[:10], labels_of(referenced, ids[:10], GOOD))
    referenced.settle()

    (opened,) = [event for kind, event in referenced.told() if kind == "opened"]
    (frozen,) = referenced.all(tables.evidence)

    assert opened.evidence == frozen.id
    assert (frozen.sample_rows, frozen.window_rows, frozen.state) == (400, 400, "pending")
    assert frozen.window_start == opened.window.start


def learning(world: Any) -> Callable[[list[int], int], list[tuple[str, Any]]]:
    """Let a week go by; return what is told of accuracy when labels of some days come."""
    ids = []
    for day in range(7):
        world.go_to(day + 1)
        ids.append(world.predict(day))
        world.settle()

    def learn(days: list[int], kind: int) -> list[tuple[str, Any]]:
        for day in days:
            world.label(ids[day], labels_of(world, ids[day], kind))
        world.settle()
        world.clock.advance(timedelta(hours=1))
        return [(kind, event) for kind, event in world.told() if event.rule == "accuracy"]

    return learn


def test_a_past_breach_is_told_though_later_labels_come_after_its_own(referenced: Any) -> None:
    """Labels of the fifth day come first, then those of the first two, then what lay between."""
    learn = learning(referenced)

    ((_, first),) = learn([4], BAD)
    ((moved, joined),) = learn([0, 1], BAD)
    split = learn([2, 3], GOOD)

    assert (moved, joined.breach) == ("updated", first.breach)
    assert (joined.opened_window.day, joined.first_opened.day) == (2, 6)
    told = [(kind, one.opened_window.day, one.breach == first.breach) for kind, one in split]
    assert told == [("opened", 2, False), ("cleared", 2, False), ("updated", 6, True)]
    assert split[1][1].cleared_window.day == 4
    assert split[2][1].first_opened is None


def test_a_breach_is_raised_anew_for_a_window_whose_breach_has_moved_away(referenced: Any) -> None:
    """Raised for the third day, found to begin on the first, and then to be over on the second."""
    learn = learning(referenced)
    ((_, first),) = learn([2], BAD)
    learn([3], GOOD)
    learn([0, 1], BAD)
    ((_, moved),) = learn([1, 2], GOOD)

    again = learn([2], BAD)

    assert moved.breach == first.breach
    assert (moved.opened_window.day, moved.cleared_window.day, moved.first_opened.day) == (2, 3, 4)
    assert [kind for kind, _ in again] == ["opened", "cleared"]
    assert {event.opened_window for _, event in again} == {first.opened_window}
    assert {event.breach for _, event in again} != {first.breach}
