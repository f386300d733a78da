"""What is stored of one version: its panes, merged and measured for any span that is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper_monitor.backtesting.schedule import WHOLE
from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.metrics.selected import Selection
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.store.reading import StoredProfile, counted_on
from watchkeeper_monitor.windows.resolution import Resolution
from watchkeeper_monitor.windows.scales import Block, blocks_ending
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.specs import AISystem, WindowSpec

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
    held
        What of it was rolled up or dropped.
    """

    system: str
    version: str
    spec: AISystem
    panes: Sequence[Pane]
    current: Baseline
    under: Callable[[str], Baseline | None]
    metrics: frozenset[str]
    slices: tuple[str, ...] = ()
    held: Resolution = WHOLE
    _profiles: dict[tuple[Span, str], Profile] = field(default_factory=dict)
    _seen: dict[tuple[Span, str], Seen] = field(default_factory=dict)
    _baselines: dict[Span, Baseline] = field(default_factory=dict)
    _blocks: dict[Span, tuple[Block, ...]] = field(default_factory=dict)

    def baseline(self, span: Span) -> Baseline:
        """Return the baseline that the judge would have taken for a window."""
        found = self._baselines.get(span)
        if found is None:
            inside = [one for pane in self.within(span) for one in pane.stored]
            found = self.under(counted_on(inside, self.current.key)) or self.current
            self._baselines[span] = found
        return found

    def blocks(self, window: Span, spec: WindowSpec) -> tuple[Block, ...]:
        """Return the blocks that end with a window and are held, found once for all policies."""
        blocks = self._blocks.get(window)
        if blocks is None:
            found = blocks_ending(window, spec)
            blocks = tuple(block for block in found if self.held.holds(block.span))
            self._blocks[window] = blocks
        return blocks

    def measure(self, spans: Iterable[tuple[Baseline, Span]]) -> None:
        """Measure spans, many at once; `seen` then gives what they say.

        Spans of two halves are fastest after their halves.
        """
        new: defaultdict[str, dict[Span, Profile]] = defaultdict(dict)
        baselines = {}
        for baseline, span in spans:
            if (span, baseline.key) not in self._seen:
                baselines[baseline.key] = baseline
                new[baseline.key][span] = self._merged(baseline, span)
        for key, profiles in new.items():
            self._measure(baselines[key], profiles)

    def _measure(self, baseline: Baseline, profiles: Mapping[Span, Profile]) -> None:
        reference = baseline.reference
        base = None if reference is None else reference.sliced(self.slices)
        selection = Selection(self.spec, baseline.grid, base, self.metrics)
        asked = [(profile, span.end) for span, profile in profiles.items()]
        for (span, profile), values in zip(profiles.items(), selection.measure(asked), strict=True):
            self._seen[span, baseline.key] = Seen(baseline, profile.rows, tuple(values))

    def seen(self, baseline: Baseline, span: Span) -> Seen:
        """Return what the rows of a measured span say that are counted on one baseline."""
        return self._seen[span, baseline.key]

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
        first, *others = [*self._parts(baseline, span)] or [self._empty(baseline)]
        profile = first
        if others or self.slices:
            profile = self._empty(baseline)
            for one in (first, *others):
                profile.merge(one)
        self._profiles[span, baseline.key] = profile
        if len(self._profiles) > _KEPT:
            del self._profiles[next(iter(self._profiles))]
        return profile

    def _empty(self, baseline: Baseline) -> Profile:
        return Profile.empty(baseline.grid, self.slices)

    def _parts(self, baseline: Baseline, span: Span) -> Iterator[Profile]:
        """Yield what a span is the merge of: a half that was merged before, else its panes."""
        if len(self.within(span)) < 2:  # noqa: PLR2004 - one pane has no halves
            yield from self._of_panes(baseline, span)
            return
        middle = span.start + (span.end - span.start) / 2
        halves = Span(span.start, middle), Span(middle, span.end)
        known = [self._profiles.get((half, baseline.key)) for half in halves]
        if not any(known) or (not all(known) and self._cuts(span, middle)):
            yield from self._of_panes(baseline, span)
            return
        for half, profile in zip(halves, known, strict=True):
            yield from self._of_panes(baseline, half) if profile is None else (profile,)

    def _cuts(self, span: Span, middle: datetime) -> bool:
        """Return whether a pane inside a span lies on both sides of its middle."""
        return any(pane.span.start < middle < pane.span.end for pane in self.within(span))

    def _of_panes(self, baseline: Baseline, span: Span) -> Iterator[Profile]:
        for pane in self.within(span):
            for one in pane.stored:
                if one.reference == baseline.key:
                    yield Profile.from_bytes(baseline.grid, one.profile, self.slices)
