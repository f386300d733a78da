"""Which windows of a system must be judged now.

changed panes ─► the windows over them ─► not those judged a moment ago
provisional windows that have settled meanwhile
windows in which nothing came, after one in which something did
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from watchkeeper_monitor.judge.tide import Tide
from watchkeeper_monitor.store import endings, panes, reading, windows
from watchkeeper_monitor.store.panes import DirtyPane
from watchkeeper_monitor.store.windows import Judged, Scope
from watchkeeper_monitor.windows.scales import ends_over, reach
from watchkeeper_monitor.windows.spans import (
    DEFAULT_WINDOW,
    EPOCH,
    Span,
    empty_after,
    settled,
    windows_over,
)
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.specs import OversightPolicy, WindowSpec

MOST_PANES = 500
"""So many changed panes one agenda is made of; more are looked at once these are judged. What is
left over is looked at again for the next agenda, so many more would mostly be looked at in vain."""
MOST_EMPTY = 7
"""After a window with predictions so many without are judged; silence is told, not for ever."""


@dataclass(frozen=True, slots=True)
class Task:
    """One window to judge under one policy (None: the default window, without rules).

    What it says `is_news`, unless its rows and its end are older than a withdrawal of the system.
    """

    scope: Scope
    window: Span
    policy: Applied[OversightPolicy] | None = field(compare=False)
    is_news: bool = field(default=True, compare=False)

    @property
    def spec(self) -> WindowSpec:
        """How its windows are cut."""
        return DEFAULT_WINDOW if self.policy is None else self.policy.spec.window


@dataclass(slots=True)
class Agenda:
    """What is to do.

    Parameters
    ----------
    tasks
        In window order for each scope, at most as many as were asked for.
    covered
        Changed panes of which every window is among the tasks, or was judged as it is now.
    more
        There is more than was asked for.
    not_held
        Changed windows that stay as they were judged: their panes were rolled up or dropped,
        or windows beside them have ended.
    """

    tasks: list[Task] = field(default_factory=list)
    covered: list[DirtyPane] = field(default_factory=list)
    more: bool = False
    not_held: int = 0


class Planner:
    """Makes the agenda of one system from one snapshot of the database.

    Parameters
    ----------
    policies
        Those that name the system.
    tide, now
        How far event time is, and the present instant.
    rejudge_interval
        A window judged within this time waits.
    pauses
        When the system was withdrawn: nobody watched, so nothing was silent.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that an agenda follows from
        self,
        c: sa.Connection,
        system: str,
        policies: Sequence[Applied[OversightPolicy]],
        tide: Tide,
        now: datetime,
        rejudge_interval: timedelta,
        pauses: Sequence[Span] = (),
    ) -> None:
        self._c = c
        self._system = system
        self._policies = {one.name: one for one in policies}
        self._tide = tide
        self._now = now
        self._rejudge_interval = rejudge_interval
        self._pauses = pauses

    def agenda(self, limit: int) -> Agenda:
        """Return at most `limit` windows to judge."""
        dirty = panes.dirty(self._c, self._system, MOST_PANES)
        over = self._with_pools({pane: self._over(pane) for pane in dirty})
        changed = self._stale({task for tasks in over.values() for task in tasks})
        ready = self._rested(changed) | self._settling()
        ready |= self._silent_between(ready) | self._silent_since()
        coarse = self._not_held(ready | changed)
        ordered = sorted(
            ready - coarse, key=lambda task: (task.window, task.scope.policy, task.scope.version)
        )
        chosen = ordered[:limit]
        waiting = changed - coarse - set(chosen)
        covered = [pane for pane, tasks in over.items() if waiting.isdisjoint(tasks)]
        lost = {task for pane in covered for task in over[pane]} & coarse
        more = len(ordered) > limit or (len(dirty) == MOST_PANES and bool(chosen or covered))
        return Agenda(chosen, covered, more, not_held=len(lost))

    def _not_held(self, tasks: Iterable[Task]) -> set[Task]:
        """Return those that nobody can judge: their panes were rolled up or dropped.

        Or their neighbours have ended, by which they would be judged.
        """
        by_version: defaultdict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            by_version[task.scope.version].append(task)
        found = set()
        for version, mine in by_version.items():
            since = min(task.window.start for task in mine)
            until = max(task.window.end for task in mine)
            held = reading.resolution(self._c, self._system, version, since, until)
            found |= {task for task in mine if not held.holds(task.window)}
        judged_from = endings.judged_from(self._c, self._system) if by_version else {}
        some_ended = (task for task in tasks if task.scope in judged_from)
        return found | {task for task in some_ended if task.window.start < judged_from[task.scope]}

    def _choices(self) -> Iterable[tuple[str, Applied[OversightPolicy] | None]]:
        return self._policies.items() or [("", None)]

    def _over(self, pane: DirtyPane) -> list[Task]:
        found = []
        for name, policy in self._choices():
            spec = DEFAULT_WINDOW if policy is None else policy.spec.window
            scope = Scope(name, self._system, pane.version)
            found += [Task(scope, window, policy) for window in windows_over(pane.pane, spec)]
        return found

    def _with_pools(self, over: dict[DirtyPane, list[Task]]) -> dict[DirtyPane, list[Task]]:
        """Add the settled windows that carry what a block over a changed one says."""
        later: defaultdict[Scope, dict[Task, list[Task]]] = defaultdict(dict)
        for task in {task for tasks in over.values() for task in tasks}:
            if task.policy is not None:
                later[task.scope][task] = [
                    Task(task.scope, span, task.policy)
                    for span in ends_over(task.window, task.spec)
                ]
        for scope, ends_of in later.items():
            starts = {end.window.start for ends in ends_of.values() for end in ends}
            judged: frozenset[datetime] = frozenset()
            if starts:
                judged = windows.settled_between(self._c, scope, min(starts), max(starts))
            for task, ends in ends_of.items():
                ends_of[task] = [end for end in ends if end.window.start in judged]
        return {
            pane: [*tasks, *(end for task in tasks for end in later[task.scope].get(task, ()))]
            for pane, tasks in over.items()
        }

    def _stale(self, tasks: Iterable[Task]) -> set[Task]:
        """Leave out what was judged since its panes changed: a pane may have many windows.

        Otherwise the oldest windows over it would be chosen again and again.
        """
        by_scope: defaultdict[Scope, list[Task]] = defaultdict(list)
        for task in tasks:
            by_scope[task.scope].append(task)
        found: set[Task] = set()
        for scope, mine in by_scope.items():
            reaches = {task: reach(task.window, task.spec) for task in mine}
            stretch = Span(
                min(span.start for span in reaches.values()), max(task.window.end for task in mine)
            )
            starts = [task.window.start for task in mine]
            seen = windows.seen_between(self._c, scope, min(starts), max(starts))
            now = reading.changes(self._c, scope.system, scope.version, stretch)
            found |= {task for task in mine if seen.get(task.window) != now.stamp(reaches[task])}
        return found

    def _rested(self, tasks: Iterable[Task]) -> set[Task]:
        """Leave out what was judged a moment ago: it will still be changed next time."""
        by_scope: defaultdict[Scope, list[Task]] = defaultdict(list)
        for task in tasks:
            by_scope[task.scope].append(task)
        recent = self._now - self._rejudge_interval
        found = set()
        for scope, mine in by_scope.items():
            judged = windows.judged_since(self._c, scope, recent)
            found |= {task for task in mine if task.window.start not in judged}
        return found

    def _settling(self) -> set[Task]:
        found = set()
        for scope, judged in windows.provisional(self._c, self._system):
            policy = self._policies.get(scope.policy)
            if policy is None and scope.policy:
                continue  # the policy is gone, and its windows stay as they were
            task = Task(scope, judged.window, policy, is_news=not self._is_past(judged))
            if self._is_settled(task):
                found.add(task)
        return found

    def _is_past(self, judged: Judged) -> bool:
        """Return whether a window was over, with its rows, before the system came back."""
        last = max(judged.window.end, judged.judged_at)
        return any(last <= pause.end for pause in self._pauses)

    def _is_settled(self, task: Task) -> bool:
        mark, lateness = self._tide.watermark, task.spec.lateness_delta
        return settled(task.window, mark, lateness, idle=self._tide.idle, now=self._now)

    def _silent_between(self, tasks: Iterable[Task]) -> set[Task]:
        """Return the empty windows between each of these and the last one with predictions."""
        found: set[Task] = set()
        last: dict[Scope, Span] = {}
        for task in sorted(tasks, key=lambda task: task.window):
            before = last.get(task.scope)
            if before is None:
                judged = windows.newest_with_rows(self._c, task.scope, task.window.start)
                before = None if judged is None else judged.window
            if before is not None:
                gap = empty_after(before, task.spec, task.window.end, MOST_EMPTY + 1)
                empty = [window for window in gap if window < task.window][:MOST_EMPTY]
                found |= self._unjudged(task, empty)
            last[task.scope] = task.window
        return found

    def _silent_since(self) -> set[Task]:
        """Return the windows that began after the last record came and are over by now.

        A system that was withdrawn meanwhile is silent since it was put in force again.

        Measured by the wall clock: when a past stream is replayed, the years since then are
        no silence that anybody watched.
        """
        found: set[Task] = set()
        for version in windows.versions(self._c, self._system):
            for name, policy in self._choices():
                scope = Scope(name, self._system, version)
                newest = windows.newest_with_rows(self._c, scope)
                if newest is not None:
                    found |= self._silent_after(Task(scope, newest.window, policy))
        return found

    def _silent_after(self, newest: Task) -> set[Task]:
        spec = newest.spec
        step, size = spec.step_delta, spec.size_delta
        since = max([self._tide.last_arrival, *(pause.end for pause in self._pauses)])
        arrival = EPOCH + (since - EPOCH) // step * step
        start = max(newest.window.start, arrival - step)
        until = self._now - spec.lateness_delta
        empty = empty_after(Span(start, start + size), spec, until, MOST_EMPTY + 1)
        # The window in which the last record came is not silent, nor one that reaches back to it.
        silent = [window for window in empty if window.start >= since]
        return self._unjudged(newest, silent[:MOST_EMPTY])

    def _unjudged(self, like: Task, spans: Sequence[Span]) -> set[Task]:
        spans = [span for span in spans if not any(span.overlaps(one) for one in self._pauses)]
        if not spans:
            return set()
        known = windows.starts(self._c, like.scope, spans)
        return {Task(like.scope, span, like.policy) for span in spans if span.start not in known}
