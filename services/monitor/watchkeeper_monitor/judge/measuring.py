"""One window, measured and judged, in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from watchkeeper_monitor.judge.agenda import Task
from watchkeeper_monitor.judge.pooling import Pooling
from watchkeeper_monitor.metrics import measure
from watchkeeper_monitor.metrics.quality import interrupted
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.profiles.segments import slices_of
from watchkeeper_monitor.references.baselines import Baseline, Baselines
from watchkeeper_monitor.rule import judgements
from watchkeeper_monitor.store import measurements, reading, windows
from watchkeeper_monitor.store.windows import Judged
from watchkeeper_monitor.windows.scales import reach
from watchkeeper_monitor.windows.spans import Span, Status, status
from watchkeeper_shared.specs import AISystem


def judge_window(  # noqa: PLR0913 - a window, what it is judged by, and when
    c: sa.Connection,
    task: Task,
    spec: AISystem,
    baselines: Baselines,
    now: datetime,
    *,
    is_settled: bool,
    pauses: Sequence[Span] = (),
) -> Judged | None:
    """Measure and judge a window; None if nothing about it changed.

    A window that only became final keeps its numbers. One that was final and changed gets
    the next revision, and the old numbers stay beside the new ones.

    Parameters
    ----------
    pauses
        When the system was withdrawn; a window may reach into that time.
    """
    before = windows.get(c, task.scope, task.window)
    seen = reading.stamp(c, task.scope.system, task.scope.version, reach(task.window, task.spec))
    baseline, profile = merged(c, task, spec, baselines)
    after = status(None if before is None else before.status, is_settled=is_settled)
    pooling = Pooling(c, task, spec, baseline)
    stamp = "" if after is Status.PROVISIONAL else pooling.stamp
    unwatched = [pause for pause in pauses if task.window.overlaps(pause)]
    content = _content(task, baseline, profile, f"{stamp}{unwatched or ''}")
    if before is not None and before.content == content:
        return _settle(c, task, replace(before, seen=seen), after, now)
    revision = 1
    if before is not None:
        revision = before.revision + (after is Status.AMENDED)
    judged = Judged(task.window, revision, after, profile.rows, content, now, seen)
    reference = baseline.reference
    base = None if reference is None else reference.sliced(profile.slices)
    values = measure(spec, baseline.grid, profile, base, end=task.window.end)
    if unwatched:
        values = interrupted(values, _unwatched(unwatched))
    pools = [] if after is Status.PROVISIONAL else pooling.pools()
    found = judgements.judge(
        values,
        None if task.policy is None else task.policy.spec,
        spec.features_of(task.scope.version),
        baseline.reference_id,
        pools,
        pooling.experience(),
    )
    pooling.teach(values, pools)
    windows.put(c, task.scope, judged)
    measurements.replace(c, task.scope, _hash_of(task), judged, found)
    return judged


def _settle(
    c: sa.Connection, task: Task, before: Judged, after: Status, now: datetime
) -> Judged | None:
    if after is not Status.FINAL or before.status is not Status.PROVISIONAL:
        windows.note(c, task.scope, before)
        return None
    judged = replace(before, window=task.window, status=after, judged_at=now)
    windows.put(c, task.scope, judged)
    measurements.settle(c, task.scope, judged)
    return judged


def merged(
    c: sa.Connection, task: Task, spec: AISystem, baselines: Baselines
) -> tuple[Baseline, Profile]:
    """Return the merge of all panes of a window, over all writers, and what it is counted on."""
    scope = task.scope
    stored = reading.in_window(c, scope.system, scope.version, task.window)
    current = baselines.current(scope.system, spec, scope.version)
    key = reading.counted_on(stored, current.key)
    baseline = baselines.under(key, scope.system, spec, scope.version) or current
    slices = () if task.policy is None else slices_of(task.policy.spec.rules)
    profile = Profile.empty(baseline.grid, slices)
    for one in stored:
        if one.reference == baseline.key:
            profile.merge(Profile.from_bytes(baseline.grid, one.profile, slices))
    return baseline, profile


def _unwatched(pauses: Sequence[Span]) -> str:
    spans = (f"{pause.start:%Y-%m-%d %H:%M} to {pause.end:%Y-%m-%d %H:%M}" for pause in pauses)
    return f"the system was withdrawn from {', '.join(spans)} UTC"


def _content(task: Task, baseline: Baseline, profile: Profile, stamp: str) -> str:
    """Hash everything that the judgement depends on but what earlier windows taught."""
    digest = hashlib.sha256(baseline.key.encode())
    digest.update(_hash_of(task).encode())
    digest.update(task.window.end.isoformat().encode())
    digest.update(stamp.encode())
    digest.update(profile.to_bytes())
    return digest.hexdigest()


def _hash_of(task: Task) -> str:
    return "" if task.policy is None else task.policy.hash
