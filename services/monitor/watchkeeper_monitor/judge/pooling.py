"""The blocks that end with a window: merged, measured, and what they teach. I/O in one place.

A block twice as long is the merge of two that are stored, so a window costs one addition for
each scale that ends with it, fewer than one on average. A late row changes the stamp of every
block over it; whoever needs such a block next merges it again from the halves, and only from
those that changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from watchkeeper_monitor.judge.agenda import Task
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.baselines import Baseline
from watchkeeper_monitor.rule.experience import Broken, Experience, Key
from watchkeeper_monitor.rule.judgements import Pool, Series, Watched, sights_of
from watchkeeper_monitor.store import blocks, reading, settled, sights
from watchkeeper_monitor.store.blocks import BlockKey, StoredBlock
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.resolution import Resolution
from watchkeeper_monitor.windows.scales import POOLED, Block, blocks_ending, is_side_by_side
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.specs import AISystem, OversightPolicy


@dataclass(slots=True)
class Pooling:
    """The blocks that end with one settled window, in the caller's transaction.

    Parameters
    ----------
    c, task, spec, baseline
        The window, and the grid it is counted on. A block holds the rows on that grid only.
    """

    c: sa.Connection
    task: Task
    spec: AISystem
    baseline: Baseline
    _stamps: dict[Span, int] = field(default_factory=dict)
    _merged: dict[Span, Profile] = field(default_factory=dict)
    _resolution: Resolution | None = None

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What ends with the window and is held, if a limit could be passed at all."""
        policy = self._policy
        if policy is None or all(rule.breach is None for rule in policy.rules):
            return ()
        found = blocks_ending(self.task.window, self.task.spec)
        return tuple(block for block in found if self._held(found[-1].span).holds(block.span))

    @property
    def stamp(self) -> str:
        """Changes whenever anything in one of the blocks does."""
        return ",".join(str(self._stamp(block.span)) for block in self.blocks)

    def pools(self) -> list[Pool]:
        """Return what each block says, and which series a part of it breached alone."""
        found = self.blocks
        if not found:
            return []
        broken = settled.breaching(
            self.c, self.task.scope, found[-1].span.start, self.task.window.start
        )
        return [
            Pool(
                block.scale,
                self._measured(block),
                {series for series, start, _ in broken if start >= block.span.start},
            )
            for block in found
        ]

    def _measured(self, block: Block) -> list[Value]:
        profile, reference = self._profile(block), self.baseline.reference
        base = None if reference is None else reference.sliced(profile.slices)
        return measure(self.spec, self.baseline.grid, profile, base, end=block.span.end)

    def teach(self, values: Sequence[Value], pools: Sequence[Pool]) -> None:
        """Keep what this window and its blocks say about spread."""
        # Overlapping windows share rows, so they seem to vary less than they do.
        if self._policy is None or not is_side_by_side(self.task.window, self.task.spec):
            return
        features = self.spec.features_of(self.task.scope.version)
        watched = Watched(self._policy.rules, features)
        spans = {1: self.task.window} | {block.scale: block.span for block in self.blocks}
        for scale, said in ((1, values), *((pool.scale, pool.values) for pool in pools)):
            seen = sights_of(said, watched)
            key = self.task.scope, self.baseline.key, scale, spans[scale]
            sights.put(self.c, *key, seen)

    def experience(self) -> Experience:
        """Return what earlier windows taught."""
        size = self.task.spec.size_delta
        scope, end = self.task.scope, self.task.window.end
        return Experience(
            self.task.window,
            lambda scale: sights.before(self.c, scope, self.baseline.key, scale, size, end),
            partial(broken_blocks, self.c, scope, size),
        )

    @property
    def _policy(self) -> OversightPolicy | None:
        return None if self.task.policy is None else self.task.policy.spec

    def _held(self, widest: Span) -> Resolution:
        if self._resolution is None:
            scope, (start, end) = self.task.scope, (widest.start, widest.end)
            self._resolution = reading.resolution(self.c, scope.system, scope.version, start, end)
        return self._resolution

    def _stamp(self, span: Span) -> int:
        if span not in self._stamps:
            scope = self.task.scope
            self._stamps[span] = reading.stamp(self.c, scope.system, scope.version, span)
        return self._stamps[span]

    def _profile(self, block: Block) -> Profile:
        """Return the merged profile, from what is stored if nothing under it changed."""
        known = self._merged.get(block.span)
        if known is not None:
            return known
        scope, stamp = self.task.scope, self._stamp(block.span)
        key = BlockKey(scope.system, scope.version, self.baseline.key, block.span)
        stored = blocks.get(self.c, key)
        if stored is not None and stored.stamp == stamp:
            profile = Profile.from_bytes(self.baseline.grid, stored.profile)
        else:
            profile = self._merge(block)
            if block.scale < POOLED[-1]:
                blocks.put(self.c, key, StoredBlock(stamp, profile.to_bytes()))
        self._merged[block.span] = profile
        return profile

    def _merge(self, block: Block) -> Profile:
        profile = Profile.empty(self.baseline.grid)
        held = self._held(block.span)
        if block.scale > POOLED[0] and all(map(held.holds, block.halves)):
            for half in block.halves:
                profile.merge(self._profile(Block(block.scale // 2, half)))
            return profile
        scope = self.task.scope
        for one in reading.in_window(self.c, scope.system, scope.version, block.span):
            if one.reference == self.baseline.key:
                profile.merge(Profile.from_bytes(self.baseline.grid, one.profile))
        return profile


def broken_blocks(
    c: sa.Connection, scope: Scope, size: timedelta, since: datetime, until: datetime
) -> Broken:
    """Return the blocks that breached and end in a span, by what they were of."""
    found: defaultdict[Key, list[Span]] = defaultdict(list)
    for series, start, scale in settled.breaching(c, scope, since, until):
        end = start + size
        found[_key(series)].append(Span(end - scale * size, end))
    return found


def _key(series: Series) -> Key:
    return series.metric, series.column, series.segment
