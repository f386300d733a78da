"""What people were told of a breach, and what to tell them now.

A *stretch* is what the windows say, folded again from the start of what changed. An *episode*
is what people were told. `diff` compares the two and returns the turns to tell them now:
so an amended window opens, clears or withdraws a breach by the same few lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watchkeeper_monitor.rule.stretches import Point, Stretch
from watchkeeper_shared.specs import Rule
from watchkeeper_shared.states import State

WORSE_BY = 0.1
"""An open breach is told again when its value is this share worse than what was told."""


_FINE = (State.OK, State.WARN)


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
    heard
        The newest judgement that is no news any more once this was told; left out, `point`.
    """

    kind: TurnKind
    episode: Episode | None
    opened: datetime
    generation: int
    point: Point | None
    heard: Point | None = None


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
    """Yield an opening, and the end if it has one; what came in between is no news after it."""
    first = _point_at(points, stretch.opened) or points[-1]
    yield Turn(TurnKind.OPENED, None, stretch.opened, generation, first, points[-1])
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
    if newest.window <= episode.told_window or newest.state in _FINE:
        return False
    if newest.state is not episode.told_state:
        return True
    if newest.value is None or episode.told_value is None:
        return False
    worse = episode.told_value - newest.value if rule.below else newest.value - episode.told_value
    return worse >= WORSE_BY * max(abs(episode.told_value), 1e-12)
