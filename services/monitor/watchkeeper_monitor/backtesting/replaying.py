"""One policy over one version's past: judged window by window, folded into breaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchkeeper_monitor.backtesting.past import Past, Seen
from watchkeeper_monitor.backtesting.quiet import Corridors, Quiet
from watchkeeper_monitor.backtesting.teaching import Taught
from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.rule import judgements
from watchkeeper_monitor.rule.confirming import Subject, confirmed, realised
from watchkeeper_monitor.rule.dispersion import MOST
from watchkeeper_monitor.rule.experience import Broken, Experience, Key, Sights
from watchkeeper_monitor.rule.judgements import Measurement, Pool, Series, Watched
from watchkeeper_monitor.rule.stretches import Point, fold
from watchkeeper_monitor.windows.scales import Block, is_side_by_side
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State

_AT_ONCE = 64
"""So many windows, and the blocks that end with them, are measured side by side."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A stretch in which a rule did not hold, and the window that opened it.

    Parameters
    ----------
    opened
        The window at which it opened.
    cleared
        Start of the first good window after; None if it never ended.
    value, reason
        What the opening window said, or the windows that were judged together with it.
    """

    series: Series
    opened: Span
    cleared: datetime | None
    value: float | None
    reason: str


@dataclass(slots=True)
class _Memory:
    """What windows so far have said, as the judge's tables would hold it."""

    size: timedelta
    points: defaultdict[Series, list[Point]] = field(default_factory=lambda: defaultdict(list))
    said: dict[tuple[Series, datetime], Measurement] = field(default_factory=dict)
    broken: list[tuple[Series, Span]] = field(default_factory=list)
    labels: defaultdict[Subject, defaultdict[datetime, list[tuple[State, float | None]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    taught: defaultdict[tuple[str, int], dict[Span, Taught]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    quiet: list[Quiet] = field(default_factory=list)

    def keep(self, window: Span, found: Iterable[Measurement]) -> None:
        """Take down what a window was judged to be."""
        for one in found:
            point = Point(window.start, one.state, one.judged, one.scale, one.calm)
            self.points[one.series].append(point)
            subject = one.series.metric, one.series.segment
            self.labels[subject][window.start].append((one.state, one.value))
            if one.state is State.BREACH:
                self.said[one.series, window.start] = one
                start = window.end - one.scale * self.size
                self.broken.append((one.series, Span(start, window.end)))

    def breached_in(self, span: Span) -> set[Series]:
        """Return the series that breached in a window which starts in a span."""
        last = self.size
        return {
            series for series, block in self.broken if span.start <= block.end - last < span.end
        }

    def broken_blocks(self, since: datetime, until: datetime) -> Broken:
        """Return the blocks that breached in windows which start in a stretch of time."""
        found: defaultdict[Key, list[Span]] = defaultdict(list)
        for series, block in self.broken:
            if since <= block.end - self.size < until:
                found[series.metric, series.column, series.segment].append(block)
        return found

    def experience(self, baseline: str, window: Span) -> Experience:
        """Return what was taught on a baseline before a window ended."""

        def recall(scale: int) -> Sights:
            taught = self.taught[baseline, scale].items()
            return {span.start: sights for span, sights in taught if span.end < window.end}

        return Experience(window, recall, self.broken_blocks)

    def teach(self, baseline: str, scale: int, span: Span, values: Sequence[Value]) -> None:
        """Keep what a block says about spread, until learning has ended."""
        taught = self.taught[baseline, scale]
        if len(taught) < MOST:
            taught[span] = Taught(values)

    def points_of(self, series: Series, rule: Rule) -> list[Point]:
        """Return the points of a series of a rule, judged or quiet, in order."""
        judged = {point.window for point in self.points[series]}
        quiet = [one.point(series, rule) for one in self.quiet if one.start not in judged]
        found = [*self.points[series], *(point for point in quiet if point is not None)]
        return sorted(found, key=lambda point: point.window)


def replay(past: Past, policy: OversightPolicy, windows: Sequence[Span]) -> list[Breach]:
    """Return the breaches that a policy would have told, in the order of series.

    Parameters
    ----------
    windows
        Settled windows of the policy, in order; see `schedule`.
    """
    watched = Watched(policy.rules, past.spec.features_of(past.version))
    corridors, memory = Corridors(policy.rules, watched), _Memory(policy.window.size_delta)
    judge = _Judge(past, policy, watched, corridors, memory)
    for start in range(0, len(windows), _AT_ONCE):
        chunk = windows[start : start + _AT_ONCE]
        plan = [(past.baseline(window), window, judge.blocks(window)) for window in chunk]
        past.measure(
            (baseline, span)
            for baseline, window, blocks in plan
            for span in (window, *(block.span for block in blocks))
        )
        for baseline, window, blocks in plan:
            judge.window(baseline, window, blocks)
    return _breaches(judge.memory, policy)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges windows one after the other, as the judge of the monitor does."""

    past: Past
    policy: OversightPolicy
    watched: Watched
    corridors: Corridors
    memory: _Memory

    def blocks(self, window: Span) -> tuple[Block, ...]:
        """Return the blocks that end with a window and are held, if a limit could be passed."""
        if all(rule.breach is None for rule in self.policy.rules):
            return ()
        return self.past.blocks(window, self.policy.window)

    def window(self, baseline: Baseline, window: Span, blocks: Sequence[Block]) -> None:
        """Judge one window and remember what it said."""
        policy, memory = self.policy, self.memory
        seen = self.past.seen(baseline, window)
        pools = [
            Pool(
                block.scale,
                self.past.seen(baseline, block.span).values,
                memory.breached_in(Span(block.span.start, window.start)),
            )
            for block in blocks
        ]
        loud = None
        if not any(realised(rule.metric, "") for rule in policy.rules):
            loud = self.corridors.loud(seen.values, pools)
        if loud is not None:
            memory.quiet.append(Quiet(window.start, seen.values, pools))
        if loud is None or loud:
            experience = memory.experience(baseline.key, window)
            features = self.past.spec.features_of(self.past.version)
            looked_at, reference = _looked_at(seen, policy, self.watched), baseline.reference_id
            found = judgements.judge(
                looked_at, policy, features, reference, pools, experience, only=loud
            )
            memory.keep(window, found)
        # Overlapping windows share rows, so they seem to vary less than they do.
        if is_side_by_side(window, policy.window):
            memory.teach(baseline.key, 1, window, seen.values)
            for block, pool in zip(blocks, pools, strict=True):
                memory.teach(baseline.key, block.scale, block.span, pool.values)


def _looked_at(seen: Seen, policy: OversightPolicy, watched: Watched) -> list[Value]:
    """Leave out what no rule looks at and no estimate waits for: it changes no judgement."""
    waited = {
        realised(rule.metric, segment)
        for rule in policy.rules
        for segment in rule.segments or ("",)
    }
    return [
        value
        for value in seen.values
        if watched.of(value) or (value.metric, value.segment) in waited
    ]


def _breaches(memory: _Memory, policy: OversightPolicy) -> list[Breach]:
    rules = {rule.id: rule for rule in policy.rules}
    found = []
    for series in sorted({series for series, _ in memory.broken}):
        rule = rules[series.rule]
        points = confirmed(series, memory.points_of(series, rule), rule, memory.labels)
        for stretch in fold(points, rule):
            said = memory.said[series, stretch.opened]
            opened = Span(stretch.opened, stretch.opened + memory.size)
            found.append(Breach(series, opened, stretch.cleared, said.judged, said.reason))
    return found
