"""Whatever the windows say: episodes are a fold of them, told once, and do not flap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper_monitor.judge.telling import turns_of
from watchkeeper_monitor.rule.episodes import Episode, EpisodeState, TurnKind
from watchkeeper_monitor.rule.stretches import Opening, Point, Stretch, fold, lookback
from watchkeeper_shared.specs import Clear, Rule
from watchkeeper_shared.states import State

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCALES = (1, 1, 1, 2, 4, 8)

rules = st.builds(
    lambda kn, clear: Rule(
        id="r", metric="psi", breach=0.25, sustained=f"{min(kn)} of {max(kn)}", clear=clear
    ),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.none() | st.builds(Clear, limit=st.just(0.2), count=st.integers(1, 4)),
)
said = st.tuples(
    st.sampled_from(list(State)),
    st.sampled_from((0.1, 0.22, 0.24, 0.3, 0.5)),
    st.sampled_from(SCALES),
    st.sampled_from((0, 2, 4, 6, 8, 14)),
)
lives = st.lists(said, min_size=1, max_size=24)


def points_of(life: list[tuple[State, float, int, int]]) -> list[Point]:
    return [
        Point(START + place * DAY, state, value, scale if state is State.BREACH else 1, calm)
        for place, (state, value, scale, calm) in enumerate(life)
    ]


def opening_before(whole: list[Point], rule: Rule, start: int) -> Opening | None:
    open_now = [one for one in fold(whole[:start], rule) if one.cleared is None]
    if not open_now:
        return None
    since = open_now[0].opened
    breaching = (one for one in whole[:start] if one.state is State.BREACH)
    return Opening(since, max((one.scale for one in breaching if one.window >= since), default=1))


@given(lives, rules, st.data())
def test_folding_on_from_any_window_is_folding_all(
    life: list[tuple[State, float, int, int]], rule: Rule, data: st.DataObject
) -> None:
    whole = points_of(life)
    start = data.draw(st.integers(0, len(whole)))
    known = min(start, lookback(rule))

    ended = [one for one in fold(whole[:start], rule) if one.cleared is not None]
    after = fold(whole[start - known :], rule, opening_before(whole, rule, start), known)

    assert ended + after == fold(whole, rule)


@given(lives, rules)
def test_a_stretch_opens_on_a_breach_and_ends_on_a_calm_window(
    life: list[tuple[State, float, int, int]], rule: Rule
) -> None:
    whole = {point.window: point for point in points_of(life)}
    limit = 0.25 if rule.clear is None else rule.clear.limit
    for stretch in fold(list(whole.values()), rule):
        inside = [
            one
            for one in whole.values()
            if stretch.opened <= one.window
            and (stretch.cleared is None or one.window <= stretch.cleared)
            and one.state is State.BREACH
        ]
        scale = max(one.scale for one in inside)
        assert whole[stretch.opened].state is State.BREACH
        if stretch.cleared is None:
            continue
        last = whole[stretch.cleared]
        assert last.state is not State.BREACH
        if scale == 1:
            assert last.state in (State.OK, State.WARN)
            assert last.value is not None
            assert last.value < limit
        else:
            assert last.calm & scale


class People:
    """Who is told, and remembers."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.episodes: dict[str, Episode] = {}
        self.turns = 0

    def hear(self, points: list[Point], since: datetime) -> None:
        stored = sorted(self.episodes.values(), key=lambda one: (one.opened, one.generation))
        openings = {one.opened for one in stored if one.reaches(since)}
        stored = [
            one
            for one in stored
            if one.reaches(since) or one.raised >= since or one.raised in openings
        ]
        pooled = [
            (one.window, one.scale)
            for one in points
            if one.window < since and one.state is State.BREACH and one.scale > 1
        ]
        for turn in turns_of(points, stored, self.rule, since, pooled):
            self.turns += 1
            name = f"{turn.opened}/{turn.generation}" if turn.episode is None else turn.episode.id
            before, heard = self.episodes.get(name), turn.heard or turn.point
            assert (before is None) == (turn.kind is TurnKind.OPENED), "an id names one breach"
            first_opened, first_cleared = turn.told_first
            self.episodes[name] = Episode(
                id=name,
                opened=turn.opened,
                cleared=turn.cleared,
                state=EpisodeState.WITHDRAWN
                if turn.kind is TurnKind.WITHDRAWN
                else EpisodeState.CLEARED
                if turn.cleared
                else EpisodeState.OPEN,
                generation=turn.generation,
                first_opened=first_opened,
                first_cleared=first_cleared,
                told_window=heard.window if heard else turn.opened,
                told_state=heard.state if heard else State.OK,
                told_value=heard.value if heard else None,
            )

    @property
    def known(self) -> set[Stretch]:
        """What people know of when rules did not hold."""
        standing = (EpisodeState.OPEN, EpisodeState.CLEARED)
        return {
            Stretch(one.opened, one.cleared)
            for one in self.episodes.values()
            if one.state in standing
        }

    @property
    def standing(self) -> int:
        return sum(one.state is EpisodeState.OPEN for one in self.episodes.values())


@given(lives, rules)
def test_window_by_window_people_know_whether_a_breach_is_open(
    life: list[tuple[State, float, int, int]], rule: Rule
) -> None:
    whole = points_of(life)
    people = People(rule)
    for end in range(1, len(whole) + 1):
        people.hear(whole[:end], whole[end - 1].window)

        open_now = any(one.cleared is None for one in fold(whole[:end], rule))
        assert people.standing == open_now


@settings(max_examples=500)
@given(lives, rules, st.data())
def test_after_an_amendment_people_know_what_the_windows_say_now(
    life: list[tuple[State, float, int, int]], rule: Rule, data: st.DataObject
) -> None:
    whole = points_of(life)
    people = People(rule)
    people.hear(whole, whole[0].window)
    place = data.draw(st.integers(0, len(whole) - 1))
    amended = [*life[:place], data.draw(said), *life[place + 1 :]]
    now = points_of(amended)

    people.hear(now, now[0].window)
    told = people.turns
    people.hear(now, now[0].window)

    assert people.standing == any(one.cleared is None for one in fold(now, rule))
    assert people.turns == told, "what people know is told again"


@given(st.lists(st.sampled_from((State.OK, State.WARN, State.BREACH)), min_size=2, max_size=40))
def test_values_that_cross_the_limit_but_not_the_clear_limit_are_one_breach(
    states: list[State],
) -> None:
    rule = Rule(id="r", metric="psi", breach=0.25, clear=Clear(limit=0.2))
    life = [(state, 0.26 if state is State.BREACH else 0.24, 1, 0) for state in states]
    people = People(rule)
    whole = points_of(life)
    for end in range(1, len(whole) + 1):
        people.hear(whole[:end], whole[end - 1].window)

    found: list[Stretch] = fold(whole, rule)

    assert len(found) <= 1
    assert people.turns == len(found), "told once, and not again for each crossing"


@settings(max_examples=500)
@given(lives, rules, st.data())
def test_whatever_is_amended_in_whichever_order_each_breach_is_told_with_its_bounds(
    life: list[tuple[State, float, int, int]], rule: Rule, data: st.DataObject
) -> None:
    """A transaction judges some of what changed; each breach it finds is told by then."""
    people, life = People(rule), list(life)
    people.hear(points_of(life), START)
    for _ in range(data.draw(st.integers(1, 6))):
        first = data.draw(st.integers(0, len(life)), label="first")
        judged = data.draw(st.lists(said, min_size=1, max_size=3), label="judged")
        life[first : first + len(judged)] = judged  # past the end: new windows
        people.hear(points_of(life), START + first * DAY)
        found = fold(points_of(life), rule)

        assert set(found) <= people.known
        assert people.standing == any(one.cleared is None for one in found)
        for one in people.known - set(found):
            assert any(_within(one, stretch) for stretch in found), "a breach that never was"


def _within(told: Stretch, known: Stretch) -> bool:
    """A breach was told to be over, and went on: its end stays, and another tells the rest."""
    is_over = known.cleared is None or (told.cleared is not None and told.cleared <= known.cleared)
    return known.opened <= told.opened and is_over


def test_a_breach_that_amendments_take_back_a_piece_at_a_time_is_withdrawn() -> None:
    """Labels that come late amend many windows, and one transaction judges only some of them."""
    people = People(Rule(id="r", metric="label_coverage", breach=0.5, below=True))
    days = [START + day * DAY for day in range(4)]
    bad = [Point(day, State.BREACH, 0.2) for day in days]
    good = [Point(day, State.OK, 0.9) for day in days]

    people.hear(bad, days[0])
    people.hear(good[:2] + bad[2:], days[0])
    half = people.known
    people.hear(good, days[2])

    assert half == {Stretch(days[2])}
    assert [one.state for one in people.episodes.values()] == [EpisodeState.WITHDRAWN]


def test_a_breach_comes_back_where_an_earlier_one_was_raised_that_has_moved_away() -> None:
    """It was raised for day 2, found to begin on day 0, and then to be over on day 1."""
    people = People(Rule(id="r", metric="psi", breach=0.25))
    days = [START + day * DAY for day in range(4)]
    good = [Point(day, State.OK, 0.1) for day in days]
    bad = [Point(day, State.BREACH, 0.5) for day in days]

    people.hear([*good[:2], bad[2], good[3]], days[0])
    people.hear([*bad[:3], good[3]], days[0])
    people.hear([bad[0], *good[1:]], days[1])
    people.hear([bad[0], good[1], bad[2], good[3]], days[2])

    assert people.known == {Stretch(days[0], days[1]), Stretch(days[2], days[3])}
    assert {one.generation for one in people.episodes.values()} == {0, 1}
