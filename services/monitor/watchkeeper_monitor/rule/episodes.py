"""What people were told of a breach, and what to tell them now.

A *stretch* is what the windows say, folded again from the start of what changed. An *episode*
is what people were told. `diff` compares the two and returns the turns to tell them now:
so an amended window opens, moves, clears or withdraws a breach by the same few lines.

```
told    │      ┌─ C ───────────►         told    ┌─ C ──────────────────►
windows │ ┌─ A ───────────────►          windows ┌─ A ─┐       ┌─ C ────►
tell    │ C moved: since A               tell    a new breach, A; C moved: since C
```

A breach that two stretches share stays with the one that holds the window it was told for.
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
        Windows, as in `Stretch`: what is known now.
    generation
        How often a breach was told for this opening window before; 0 the first time.
    told_window, told_state, told_value
        The newest point that people know of.
    first_opened, first_cleared
        What people were told first, where an amendment has moved it since.
    """

    id: str
    opened: datetime
    cleared: datetime | None
    state: EpisodeState
    generation: int
    told_window: datetime
    told_state: State
    told_value: float | None
    first_opened: datetime | None = None
    first_cleared: datetime | None = None

    @property
    def raised(self) -> datetime:
        """The window that it was opened for; part of its identity."""
        return self.first_opened or self.opened

    def reaches(self, since: datetime) -> bool:
        """Return whether it was not over before a window."""
        return self.cleared is None or self.cleared >= since


class TurnKind(StrEnum):
    """What happened to a breach."""

    OPENED = "opened"
    UPDATED = "updated"
    MOVED = "moved"  # it began or ended at another window than people know
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"  # no rule looks at it any more
    SYSTEM_WITHDRAWN = "system_withdrawn"  # nobody watches the system any more


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to tell: what happened, to which episode, because of which window.

    Parameters
    ----------
    episode
        None when it opens a new one.
    opened
        The opening window of the breach, as known now.
    generation
        See `Episode`.
    point
        The judgement that caused the turn; None when the series has no point any more.
    heard
        The newest judgement that is no news any more once this was told; left out, `point`.
    cleared
        The first good window after it, as known now; None while it is not over.
    """

    kind: TurnKind
    episode: Episode | None
    opened: datetime
    generation: int
    point: Point | None
    heard: Point | None = None
    cleared: datetime | None = None

    @property
    def told_first(self) -> tuple[datetime | None, datetime | None]:
        """The windows at which people were told first that the breach opened and was over.

        Each is None where it is what is known now.
        """
        if self.episode is None:
            return None, None
        opened = self.episode.raised
        cleared = self.episode.first_cleared or self.episode.cleared
        return (
            None if opened == self.opened else opened,
            None if cleared == self.cleared else cleared,
        )

    def why(self, reason: str) -> str:
        """Return the reason to tell, given that of the judgement which caused the turn.

        A breach that only many windows showed ends when as many are calm together. The last
        of them may hold nothing, and its own reason would then belie the recovery.
        """
        point = self.point
        if self.kind is not TurnKind.CLEARED or point is None or point.state in _FINE:
            return reason
        if not point.calm:
            return reason
        scale = 1 << (point.calm.bit_length() - 1)
        return f"inside its limit over the last {scale} windows together; the last alone: {reason}"


def diff(
    stored: Sequence[Episode],
    stretches: Sequence[Stretch],
    points: Sequence[Point],
    rule: Rule,
    since: datetime | None = None,
) -> list[Turn]:
    """Return what to tell so that people know what the windows say now.

    Parameters
    ----------
    stored
        Episodes of this series that reach into the folded time or were raised in it, in any
        state.
    stretches, points
        The result of `fold` and what went in, in window order.
    since
        Where the folding begins: of an episode that is over before it nothing is to be told, but
        no other may have its name. Left out, all of them reach into the folded time.
    """
    standing = [one for one in stored if one.state is not EpisodeState.WITHDRAWN]
    left = [one for one in standing if since is None or one.reaches(since)]
    turns: list[Turn] = []
    for stretch in stretches:
        mine = [one for one in left if _is_of(one, stretch, stretches)]
        if not mine or _is_raised_again(mine, stretch):
            generation = sum(one.raised == stretch.opened for one in stored)
            turns += _raised(stretch, generation, points)
        for one in mine:
            turns += _continued(stretch, one, points, rule)
        # What is over now is: a later stretch of the same fold is a breach of its own.
        left = [_known(one, stretch) if one in mine else one for one in left]
    denied = [one for one in left if not any(_overlap(each, one) for each in stretches)]
    return turns + [_withdrawn(one, points) for one in denied]


def _known(episode: Episode, stretch: Stretch) -> Episode:
    if stretch.cleared is None:
        return replace(episode, opened=stretch.opened)
    return replace(
        episode, opened=stretch.opened, cleared=stretch.cleared, state=EpisodeState.CLEARED
    )


def _is_of(episode: Episode, stretch: Stretch, stretches: Iterable[Stretch]) -> bool:
    """Return whether this stretch continues an episode, and not another one that does it better."""
    shared = [one for one in stretches if _overlap(one, episode)]
    home = [one for one in shared if _holds(one, episode.raised)]
    return stretch in (home or shared)


def _holds(stretch: Stretch, window: datetime) -> bool:
    return stretch.opened <= window and (stretch.cleared is None or window < stretch.cleared)


def _overlap(stretch: Stretch, episode: Episode) -> bool:
    starts_before_it_ends = stretch.cleared is None or episode.opened < stretch.cleared
    ends_after_it_starts = episode.cleared is None or stretch.opened < episode.cleared
    return starts_before_it_ends and ends_after_it_starts


def _is_raised_again(mine: Iterable[Episode], stretch: Stretch) -> bool:
    """Return whether people were told that it is over, and it is not."""
    return stretch.cleared is None and all(one.state is EpisodeState.CLEARED for one in mine)


def _raised(stretch: Stretch, generation: int, points: Sequence[Point]) -> Iterator[Turn]:
    """Yield an opening, and the end if it has one; what came in between is no news after it."""
    # One that comes back opened before what is folded now; its page shows what it is of.
    first = _point_at(points, stretch.opened) or Point(stretch.opened, State.BREACH, None)
    yield Turn(TurnKind.OPENED, None, stretch.opened, generation, first, points[-1])
    if stretch.cleared is not None:
        last = _point_at(points, stretch.cleared)
        yield Turn(
            TurnKind.CLEARED, None, stretch.opened, generation, last, cleared=stretch.cleared
        )


def _continued(
    stretch: Stretch, episode: Episode, points: Sequence[Point], rule: Rule
) -> Iterator[Turn]:
    """Yield the news of an episode, and if there is none but its bounds, these."""
    is_open = episode.state is EpisodeState.OPEN
    cleared = stretch.cleared or episode.cleared
    if is_open and cleared is not None:
        kind, at = TurnKind.CLEARED, cleared
    elif is_open and must_tell(episode, points[-1], rule):
        kind, at = TurnKind.UPDATED, points[-1].window
    elif (stretch.opened, cleared) != (episode.opened, episode.cleared):
        kind, at = TurnKind.MOVED, cleared or episode.told_window
    else:
        return
    point = _point_at(points, at) or points[-1]
    yield Turn(kind, episode, stretch.opened, episode.generation, point, cleared=cleared)


def _point_at(points: Sequence[Point], window: datetime) -> Point | None:
    return next((point for point in points if point.window == window), None)


def _withdrawn(episode: Episode, points: Sequence[Point]) -> Turn:
    point = _point_at(points, episode.opened)
    return Turn(
        TurnKind.WITHDRAWN,
        episode,
        episode.opened,
        episode.generation,
        point,
        cleared=episode.cleared,
    )


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
