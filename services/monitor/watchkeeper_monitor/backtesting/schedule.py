"""Which windows a policy would have judged, and which cannot be rebuilt from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper_monitor.judge.agenda import MOST_EMPTY
from watchkeeper_monitor.windows.resolution import Reach, Resolution
from watchkeeper_monitor.windows.spans import Span, empty_after, windows_over
from watchkeeper_shared.specs import WindowSpec

CUT = "a pane reaches over an end of the window, so its rows cannot be divided"
WHOLE = Resolution(())
"""Nothing was rolled up or dropped."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Time for which a policy cannot be replayed, and why."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows in order, and where there are none though there was traffic."""

    windows: tuple[Span, ...]
    gaps: tuple[Gap, ...]


def schedule(
    panes: Sequence[Span],
    spec: WindowSpec,
    since: datetime,
    until: datetime,
    held: Resolution = WHOLE,
    pauses: Sequence[Span] = (),
) -> Schedule:
    """Return the settled windows from `since` to `until` over these panes.

    Parameters
    ----------
    panes
        In order of time; those before `since` matter to no window.
    until
        The present instant: a window that ends, with its lateness, after it is not settled.
    held
        What of that time was rolled up or dropped.
    pauses
        When the system was withdrawn, so that nothing was silent.
    """
    settled = until - spec.lateness_delta
    found: set[Span] = set()
    gaps = set()
    for pane in sorted(pane for pane in {*panes, *held.gone} if pane.end > since):
        over = windows_over(pane, spec)
        if not over:
            gaps.add(Gap(pane, f"a pane of {pane.end - pane.start} is in no window of {spec.size}"))
        found.update(over)
    whole = {window for window in found if since <= window.start and window.end <= settled}
    reach = Reach(panes)
    why = {one: held.why_not(one) for one in whole}
    cut = {one for one in whole if reach.cuts(one.start) or reach.cuts(one.end)}
    why |= dict.fromkeys(cut, CUT)
    gaps |= {Gap(window, reason) for window, reason in why.items() if reason}
    kept = sorted(window for window, reason in why.items() if not reason)
    return Schedule(tuple(_with_empty(kept, spec, settled, pauses)), tuple(sorted(gaps)))


def _with_empty(
    windows: Sequence[Span], spec: WindowSpec, settled: datetime, pauses: Sequence[Span]
) -> Iterable[Span]:
    """Add the windows in which nothing came, as many after each as the judge adds."""
    for at, window in enumerate(windows):
        yield window
        following = windows[at + 1] if at + 1 < len(windows) else None
        end = settled if following is None else following.end
        for empty in empty_after(window, spec, end, MOST_EMPTY):
            if following is not None and empty >= following:
                break
            if not any(empty.overlaps(pause) for pause in pauses):
                yield empty
