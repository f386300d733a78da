"""Who watches a stream: our rule, Evidently's default tests, and a plain KS test."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa
from scipy import stats

os.environ["DO_NOT_TRACK"] = "1"  # noqa: TID251 - must be set before evidently is imported

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from evidently.legacy.calculations.stattests.registry import get_stattest

from benchmarks.alarm_streams import CATEGORICAL, NUMERIC, SPEC
from watchkeeper_monitor.metrics import Value, measure
from watchkeeper_monitor.profiles import Profile
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_monitor.rule.dispersion import MOST, Sight
from watchkeeper_monitor.rule.experience import Broken, Experience, Key
from watchkeeper_monitor.rule.judgements import Measurement, Pool, Series, Watched, judge, sights_of
from watchkeeper_monitor.windows.scales import Block, blocks_ending
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.specs import OversightPolicy, Rule
from watchkeeper_shared.states import State

DAY = timedelta(days=1)
BUDGET = 1_000
POLICY = OversightPolicy(
    systems=("bench",),
    alarm_budget=BUDGET,
    rules=(
        Rule(id="numbers", metric="wasserstein", columns=NUMERIC, breach=0.04, min_rows=100),
        Rule(id="choices", metric="psi", columns=CATEGORICAL, breach=0.005, min_rows=100),
    ),
)
Watcher = Callable[[int, pa.RecordBatch, Collection[str]], set[str]]
"""Called with a window's number, its rows and the features asked about; returns who alarms."""


class Ours:
    """The monitor's own profiles, metrics, decisions and learning; lists for its database.

    Parameters
    ----------
    reference
        Rows of the reference.
    policy
        The limits and the budget.
    """

    def __init__(self, reference: pa.RecordBatch, policy: OversightPolicy = POLICY) -> None:
        self._reference = Reference.build([reference], SPEC, "bench", "1")
        self._policy = policy
        self._halves: dict[Span, Profile] = {}
        self._sights: defaultdict[int, dict[datetime, Mapping[Key, Sight]]] = defaultdict(dict)
        self._breaches: list[tuple[Series, Span]] = []

    def __call__(self, place: int, rows: pa.RecordBatch, _: Collection[str]) -> set[str]:
        """Judge one window; return the features that breach."""
        window = Span(EPOCH + place * DAY, EPOCH + (place + 1) * DAY)
        profile = Profile.empty(self._reference.grid)
        add_rows(profile, rows)
        self._halves[window] = profile
        values = self._measure(profile)
        blocks = blocks_ending(window, self._policy.window)
        pools = [self._pool(block) for block in blocks]
        experience = Experience(window, lambda scale: dict(self._sights[scale]), self._broken)
        found = judge(values, self._policy, SPEC.features, None, pools, experience)
        self._teach(1, window, values)
        for block, pool in zip(blocks, pools, strict=True):
            self._teach(block.scale, block.span, pool.values)
        broken = [one for one in found if one.state is State.BREACH]
        self._breaches += [(one.series, _span(one, window)) for one in broken]
        return {one.series.column for one in broken}

    def _measure(self, profile: Profile) -> list[Value]:
        return measure(SPEC, self._reference.grid, profile, self._reference.profile)

    def _pool(self, block: Block) -> Pool:
        merged = Profile.empty(self._reference.grid)
        for half in block.halves:
            merged.merge(self._halves.pop(half))
        self._halves[block.span] = merged
        broken = {series for series, span in self._breaches if block.span.holds(span)}
        return Pool(block.scale, self._measure(merged), broken)

    def _teach(self, scale: int, span: Span, values: Sequence[Value]) -> None:
        if len(self._sights[scale]) < MOST:
            seen = sights_of(values, Watched(self._policy.rules, SPEC.features))
            self._sights[scale][span.start] = seen

    def _broken(self, since: datetime, until: datetime) -> Broken:
        found: defaultdict[Key, list[Span]] = defaultdict(list)
        for series, span in self._breaches:
            if since <= span.end - DAY < until:
                found[series.metric, series.column, series.segment].append(span)
        return found


def _span(one: Measurement, window: Span) -> Span:
    return Span(window.end - one.scale * DAY, window.end)


def evidently(reference: pa.RecordBatch) -> Watcher:
    """Return Evidently's bare tests with the defaults that it chooses for each column."""
    base = reference.to_pandas()
    tests = {}
    for name in (*NUMERIC, *CATEGORICAL):
        column = base[f"features.{name}"]
        kind = "num" if name in NUMERIC else "cat"
        tests[name] = kind, get_stattest(column, column, kind, None)

    def watch(_: int, rows: pa.RecordBatch, asked: Collection[str]) -> set[str]:
        window = rows.to_pandas()
        found = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in asked:
                kind, test = tests[name]
                column = f"features.{name}"
                if test(base[column], window[column], kind, None).drifted:
                    found.add(name)
        return found

    return watch


def plain_ks(reference: pa.RecordBatch) -> Watcher:
    """Return a two-sample KS test at 5 %, chi-square for categories."""

    def watch(_: int, rows: pa.RecordBatch, asked: Collection[str]) -> set[str]:
        return {name for name in asked if _p_value(name, reference, rows) < 0.05}

    return watch


def _p_value(name: str, reference: pa.RecordBatch, rows: pa.RecordBatch) -> float:
    both = [batch.column(f"features.{name}") for batch in (reference, rows)]
    if name in NUMERIC:
        samples = [one.to_numpy() for one in both]
        return float(stats.ks_2samp(*samples, method="asymp").pvalue)
    counts = [
        {each["values"]: each["counts"] for each in one.value_counts().to_pylist()} for one in both
    ]
    seen = sorted(set(counts[0]) | set(counts[1]))
    table = [[count.get(value, 0) for value in seen] for count in counts]
    return float(stats.chi2_contingency(table).pvalue)
