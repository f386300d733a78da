"""When judgements of one series become a breach, and when the breach is over.

A *span* is what the windows say, folded again from the start of what changed. An *episode*
is what people were told. `diff` compares the two and returns the turns to tell them now:
so an amended window opens, clears or withdraws a breach by the same few lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watchkeeper_monitor.decision import is_calm
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State

WORSE_BY = 0.1
"""An open breach is told again when its value is this share worse than what was told."""


_FINE = (State.OK, State.WARN)


@dataclass(frozen=True, slots=True)
class Point:
    """One settled window of a series, judged.

    Parameters
    ----------
    window
        Start of the window.
    state, value
        What the decision said, and the window's own effect.
    scale, calm
        As in `decision.Judgement`.
    confirmed
        False where it is an estimate that no label agrees with: then it ends no breach.
    """

    window: datetime
    state: State
    value: float | None
    scale: int = 1
    calm: int = 0
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows during which a rule did not hold; `cleared` is the first good window after."""

    opened: datetime
    cleared: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A breach that is still open: since which window, and the largest scale it took to see."""

    window: datetime
    scale: int = 1


class EpisodeState(StrEnum):
    """Where an episode is."""

    OPEN = "open"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Episode:
    """What people were told about one breach.

    Parameters
    ----------
    id
        The same in all events of the episode.
    opened, cleared
        Windows, as in `Stretch`.
    generation
        How often a breach was told for this opening window before; 0 the first time.
    told_window, told_state, told_value
        The newest point that people know of.
    """

    id: str
    opened: datetime
    cleared: datetime | None
    state: EpisodeState
    generation: int
    told_window: datetime
    told_state: State
    told_value: float | None


class TurnKind(StrEnum):
    """What happened to a breach."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"  # no rule looks at it any more


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to tell: what happened, to which episode, because of which window.

    Parameters
    ----------
    episode
        None when it opens a new one.
    opened
        The opening window of the breach.
    generation
        See `Episode`.
    point
        The judgement that caused the turn; None when the series has no point any more.
    """

    kind: TurnKind
    episode: Episode | None
    opened: datetime
    generation: int
    point: Point | None


def lookback(rule: Rule) -> int:
    """Return how many earlier windows the fold must see to judge the next one."""
    return max(rule.k_of_n[1], rule.clear.count if rule.clear else 1) - 1


def fold(
    points: Sequence[Point], rule: Rule, since: Opening | None = None, known: int = 0
) -> list[Stretch]:
    """Return the stretches in which the rule did not hold.

    It opens at a breaching window when k of the last n windows breached; a pool of s windows
    that breaches counts as s of them. It ends at the scale at which it was seen: a breach of
    single windows when `clear.count` windows in a row are calm (left out: one), a breach
    that took a pool of s windows to see when a pool of s windows is.

    Parameters
    ----------
    points
        In window order, gaps closed by `no_data`.
    since
        The breach that is open where the folding begins.
    known
        So many leading points were folded before and only remind; see `lookback`.

    Examples
    --------
    >>> from datetime import UTC
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    >>> states = (State.OK, State.BREACH, State.OK)
    >>> points = [Point(day, state, None) for day, state in zip(days, states)]
    >>> [(s.opened.day, s.cleared.day) for s in fold(points, Rule(id="r", metric="psi"))]
    [(2, 3)]
    """
    found: list[Stretch] = []
    opened, scale = (None, 1) if since is None else (since.window, since.scale)
    for end in range(known + 1, len(points) + 1):
        newest = points[end - 1]
        if opened is None and _opens(points, end, rule):
            opened, scale = newest.window, 1
        if opened is not None and newest.state is State.BREACH:
            scale = max(scale, newest.scale)
        elif opened is not None and _ends(points, end, rule, Opening(opened, scale)):
            found.append(Stretch(opened, newest.window))
            opened = None
    if opened is not None:
        found.append(Stretch(opened))
    return found


def _opens(points: Sequence[Point], end: int, rule: Rule) -> bool:
    need, out_of = rule.k_of_n
    recent = points[max(0, end - out_of) : end]
    breaching = sum(point.scale for point in recent if point.state is State.BREACH)
    return recent[-1].state is State.BREACH and breaching >= need


def _ends(points: Sequence[Point], end: int, rule: Rule, opening: Opening) -> bool:
    if opening.scale > 1:
        return points[end - 1].confirmed and bool(points[end - 1].calm & opening.scale)
    count = rule.clear.count if rule.clear else 1
    last = [point for point in points[max(0, end - count) : end] if point.window > opening.window]
    return len(last) == count and all(
        one.confirmed and is_calm(one.state, one.value, rule) for one in last
    )


def diff(
    stored: Sequence[Episode], stretches: Sequence[Stretch], points: Sequence[Point], rule: Rule
) -> list[Turn]:
    """Return what to tell so that people know what the windows say now.

    Parameters
    ----------
    stored
        Episodes of this series that reach into the folded time, in any state.
    stretches, points
        The result of `fold` and what went in, in window order.
    """
    left = [one for one in stored if one.state is not EpisodeState.WITHDRAWN]
    turns: list[Turn] = []
    for stretch in stretches:
        match = _match(stretch, left)
        if match is None or _is_raised_again(match, stretch):
            generation = sum(one.opened == stretch.opened for one in stored)
            turns += _raised(stretch, generation, points)
        elif match.state is EpisodeState.OPEN:
            turns += _continued(stretch, match, points, rule)
            # It is over now: a later stretch of the same fold is a breach of its own.
            left = [_ended(one, stretch) if one is match else one for one in left]
    denied = [one for one in left if not any(_overlap(each, one) for each in stretches)]
    return turns + [_withdrawn(one, points) for one in denied]


def _ended(episode: Episode, stretch: Stretch) -> Episode:
    if stretch.cleared is None:
        return episode
    return replace(episode, cleared=stretch.cleared, state=EpisodeState.CLEARED)


def _match(stretch: Stretch, left: Iterable[Episode]) -> Episode | None:
    """Return the episode that this stretch continues, an open one before an ended one."""
    same = [one for one in left if _overlap(stretch, one)]
    same.sort(key=lambda one: (one.state is EpisodeState.OPEN, one.opened, one.generation))
    return same[-1] if same else None


def _overlap(stretch: Stretch, episode: Episode) -> bool:
    starts_before_it_ends = stretch.cleared is None or episode.opened < stretch.cleared
    ends_after_it_starts = episode.cleared is None or stretch.opened < episode.cleared
    return starts_before_it_ends and ends_after_it_starts


def _is_raised_again(match: Episode, stretch: Stretch) -> bool:
    """Return whether people were told that it is over, and it is not."""
    return match.state is EpisodeState.CLEARED and stretch.cleared is None


def _raised(stretch: Stretch, generation: int, points: Sequence[Point]) -> Iterator[Turn]:
    first = _point_at(points, stretch.opened) or points[-1]
    yield Turn(TurnKind.OPENED, None, stretch.opened, generation, first)
    if stretch.cleared is not None:
        last = _point_at(points, stretch.cleared)
        yield Turn(TurnKind.CLEARED, None, stretch.opened, generation, last)


def _continued(
    stretch: Stretch, episode: Episode, points: Sequence[Point], rule: Rule
) -> Iterator[Turn]:
    kind, point = TurnKind.UPDATED, points[-1]
    if stretch.cleared is not None:
        kind, point = TurnKind.CLEARED, _point_at(points, stretch.cleared) or point
    elif not must_tell(episode, point, rule):
        return
    yield Turn(kind, episode, episode.opened, episode.generation, point)


def _point_at(points: Sequence[Point], window: datetime) -> Point | None:
    return next((point for point in points if point.window == window), None)


def _withdrawn(episode: Episode, points: Sequence[Point]) -> Turn:
    point = _point_at(points, episode.opened)
    return Turn(TurnKind.WITHDRAWN, episode, episode.opened, episode.generation, point)


def must_tell(episode: Episode, newest: Point, rule: Rule) -> bool:
    """Return whether a newer window holds news: silence, its end, or a value a tenth worse.

    A window that is fine is none: the breach is open until it is told to be over, and whoever
    was told of each window beside the limit would stop reading.
    """
    if newest.window <= episode.told_window:
        return False
    if newest.state is not episode.told_state and newest.state not in _FINE:
        return True
    if newest.value is None or episode.told_value is None:
        return False
    worse = episode.told_value - newest.value if rule.below else newest.value - episode.told_value
    return worse >= WORSE_BY * max(abs(episode.told_value), 1e-12)
