"""One policy over one version's past: judged window by window, folded into breaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchkeeper_monitor import judging
from watchkeeper_monitor.backtesting.past import Past, Seen
from watchkeeper_monitor.confirming import Subject, confirmed, realised
from watchkeeper_monitor.dispersion import MOST, Sight
from watchkeeper_monitor.episodes import Point, fold
from watchkeeper_monitor.experience import Broken, Experience, Key, Sights
from watchkeeper_monitor.judging import Measurement, Pool, Series, sights_of
from watchkeeper_monitor.metrics import Value
from watchkeeper_monitor.scales import blocks_ending
from watchkeeper_monitor.windows import Span
from watchkeeper_shared.specs import OversightPolicy
from watchkeeper_shared.states import State


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
        What the opening window said.
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
    taught: defaultdict[tuple[str, int], dict[Span, Mapping[Key, Sight]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def keep(self, window: Span, found: Iterable[Measurement]) -> None:
        """Take down what a window was judged to be."""
        for one in found:
            point = Point(window.start, one.state, one.value, one.scale, one.calm)
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
            taught = self.taught[baseline, scale]
            return {span.start: seen for span, seen in taught.items() if span.end < window.end}

        return Experience(window, recall, self.broken_blocks)

    def teach(self, baseline: str, scale: int, span: Span, seen: Mapping[Key, Sight]) -> None:
        """Keep what a block says about spread, until learning has ended."""
        taught = self.taught[baseline, scale]
        if len(taught) < MOST:
            taught[span] = seen


def replay(past: Past, policy: OversightPolicy, windows: Sequence[Span]) -> list[Breach]:
    """Return the breaches that a policy would have told, in the order of series.

    Parameters
    ----------
    windows
        Settled windows of the policy, in order; see `schedule`.
    """
    memory = _Memory(policy.window.size_delta)
    features = past.spec.features_of(past.version)
    can_breach = any(rule.breach is not None for rule in policy.rules)
    for window in windows:
        seen = past.window(window)
        blocks = blocks_ending(window, policy.window) if can_breach else ()
        pooled = [(block, past.on(seen.baseline, block.span)) for block in blocks]
        pools = [
            Pool(
                block.scale,
                said.values,
                memory.breached_in(Span(block.span.start, window.start)),
            )
            for block, said in pooled
        ]
        key = seen.baseline.key
        found = judging.judge(
            _looked_at(seen, policy, features),
            policy,
            features,
            seen.baseline.reference_id,
            pools,
            memory.experience(key, window),
        )
        spans = [(1, window, seen), *((block.scale, block.span, said) for block, said in pooled)]
        for scale, span, said in spans:
            memory.teach(key, scale, span, sights_of(said.values, policy.rules, features))
        memory.keep(window, found)
    return _breaches(memory, policy)


def _looked_at(seen: Seen, policy: OversightPolicy, features: Iterable[str]) -> list[Value]:
    """Leave out what no rule looks at and no estimate waits for: it changes no judgement."""
    columns = frozenset(features)
    waited = {
        realised(rule.metric, segment)
        for rule in policy.rules
        for segment in rule.segments or ("",)
    }
    return [
        value
        for value in seen.values
        if (value.metric, value.segment) in waited
        or any(judging.looks_at(rule, value, columns) for rule in policy.rules)
    ]


def _breaches(memory: _Memory, policy: OversightPolicy) -> list[Breach]:
    rules = {rule.id: rule for rule in policy.rules}
    found = []
    for series in sorted(one for one in memory.points if one.rule):
        points = confirmed(series, memory.points[series], rules[series.rule], memory.labels)
        for stretch in fold(points, rules[series.rule]):
            said = memory.said[series, stretch.opened]
            opened = Span(stretch.opened, stretch.opened + memory.size)
            found.append(Breach(series, opened, stretch.cleared, said.value, said.reason))
    return found
