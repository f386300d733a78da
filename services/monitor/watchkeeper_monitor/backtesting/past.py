"""What is stored of one version: its panes, merged and measured for any span that is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from watchkeeper_monitor.baselines import Baseline
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.store.panes import StoredProfile, counted_on
from watchkeeper_monitor.windows import Span
from watchkeeper_shared.specs import AISystem

_KEPT = 512
"""Merged profiles in memory: enough for the halves of the largest blocks of daily windows."""


@dataclass(frozen=True, slots=True)
class Pane:
    """The profiles of one pane, of every writer and reference."""

    span: Span
    stored: tuple[StoredProfile, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it was measured: on which baseline, over how many rows."""

    baseline: Baseline
    rows: int
    values: tuple[Value, ...]


@dataclass(slots=True)
class Past:
    """One version's panes, from which any window is a merge.

    Parameters
    ----------
    system, version, spec
        Whose.
    panes
        In order of time.
    current
        What new rows are counted on.
    under
        The baseline of a stored key; None where its counts cannot be read any more.
    metrics
        What rules look at; nothing else is measured.
    slices
        Slices of the rows that rules look at.
    """

    system: str
    version: str
    spec: AISystem
    panes: Sequence[Pane]
    current: Baseline
    under: Callable[[str], Baseline | None]
    metrics: frozenset[str]
    slices: tuple[str, ...] = ()
    _profiles: dict[tuple[Span, str], Profile] = field(default_factory=dict)
    _seen: dict[tuple[Span, str], Seen] = field(default_factory=dict)

    def window(self, span: Span) -> Seen:
        """Return what a window says, on the grid that the judge would have taken."""
        inside = [one for pane in self.within(span) for one in pane.stored]
        key = counted_on(inside, self.current.key)
        return self.on(self.under(key) or self.current, span)

    def on(self, baseline: Baseline, span: Span) -> Seen:
        """Return what the rows of a span that are counted on one baseline say."""
        known = self._seen.get((span, baseline.key))
        if known is None:
            profile = self._merged(baseline, span)
            reference = baseline.reference
            base = None if reference is None else reference.sliced(profile.slices)
            values = measure(self.spec, baseline.grid, profile, base, end=span.end)
            looked_at = tuple(one for one in values if one.metric in self.metrics)
            known = self._seen[span, baseline.key] = Seen(baseline, profile.rows, looked_at)
        return known

    def within(self, span: Span) -> list[Pane]:
        """Return the panes that lie inside a span."""
        first = bisect_left(self.panes, span.start, key=lambda pane: pane.span.start)
        found = []
        for pane in self.panes[first:]:
            if pane.span.start >= span.end:
                break
            if pane.span.end <= span.end:
                found.append(pane)
        return found

    def _merged(self, baseline: Baseline, span: Span) -> Profile:
        """Return the merge of a span; one with two known halves is one addition."""
        key = baseline.key
        middle = span.start + (span.end - span.start) / 2
        halves = Span(span.start, middle), Span(middle, span.end)
        known = [self._profiles[half, key] for half in halves if (half, key) in self._profiles]
        parts = known if len(known) == len(halves) else self._of_panes(baseline, span)
        profile = Profile.empty(baseline.grid, self.slices)
        for one in parts:
            profile.merge(one)
        self._profiles[span, key] = profile
        if len(self._profiles) > _KEPT:
            del self._profiles[next(iter(self._profiles))]
        return profile

    def _of_panes(self, baseline: Baseline, span: Span) -> Iterator[Profile]:
        for pane in self.within(span):
            for one in pane.stored:
                if one.reference == baseline.key:
                    yield Profile.from_bytes(baseline.grid, one.profile, self.slices)
