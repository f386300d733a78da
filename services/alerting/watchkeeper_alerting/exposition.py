"""The latest measurements as Prometheus series, bounded whatever people declare. Pure.

Names and labels are public. A score that could not be measured is left out, never NaN: the
status series says why. More series than the caps allow are dropped and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from watchkeeper_alerting.gauges import Caps, Page
from watchkeeper_alerting.store.measurements import Measurement
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.metric_names import Family, Worse, family_of, worse
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.states import State

OTHER = "__other__"
OUTPUTS = ("prediction", "score")

# From the state that a person must hear of first.
_WORST_FIRST = (
    State.BREACH,
    State.ERROR,
    State.NO_DATA,
    State.INSUFFICIENT,
    State.WARN,
    State.OK,
)
STATUSES = {
    state: "insufficient_data" if state is State.INSUFFICIENT else str(state) for state in State
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true now; everything by the system's name.

    Parameters
    ----------
    systems
        What is declared; nothing else becomes a label.
    measurements
        The newest window of each series.
    last_prediction
        The newest event time.
    alerts, tickets
        How many are open, by system and severity or state.
    oldest_ticket
        Since when the oldest open ticket waits.
    untold
        How many open alerts no channel was told of, by system and severity.
    refused
        How many rows the monitor refused, by system and reason.
    """

    systems: Mapping[str, AISystem]
    measurements: Sequence[Measurement] = ()
    last_prediction: Mapping[str, datetime] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    tickets: Mapping[tuple[str, str], int] = field(default_factory=dict)
    oldest_ticket: datetime | None = None
    untold: Mapping[tuple[str, str], int] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)


def expose(facts: Facts, caps: Caps) -> tuple[list[GaugeMetricFamily], Counter[str]]:
    """Return the metric families, and how many series were dropped by reason."""
    page = Page(caps)
    models = _models(facts, page)
    _counts(facts, models, page)
    by_model: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in _one_per_series(facts.measurements):
        by_model[one.system].append(one)
    for model in models:
        _model(model, facts, _active(by_model[model], caps), page)
    return list(page.families.values()), page.dropped


def first_models(systems: Iterable[str], caps: Caps) -> list[str]:
    """Return the systems that get series; nothing of any other needs to be read."""
    return sorted(systems)[: caps.models]


def _models(facts: Facts, page: Page) -> list[str]:
    models = first_models(facts.systems, page.caps)
    page.dropped["models"] += len(facts.systems) - len(models)
    return models


def _counts(facts: Facts, models: Sequence[str], page: Page) -> None:
    known = frozenset(models)
    for name, counts in (
        ("watchkeeper_alerts_open", facts.alerts),
        ("watchkeeper_alerts_untold", facts.untold),
        ("watchkeeper_review_tickets_open", facts.tickets),
        ("watchkeeper_rows_refused", {**dict.fromkeys(_alerted_on(models), 0), **facts.refused}),
    ):
        summed: Counter[tuple[str, str]] = Counter()
        for (model, kind), count in counts.items():
            summed[model if model in known else OTHER, kind] += count
        for labels, count in sorted(summed.items()):
            page.add(name, labels, count)
    if facts.oldest_ticket is not None:
        name = "watchkeeper_review_oldest_open_timestamp_seconds"
        page.add(name, [], facts.oldest_ticket.timestamp())


def _alerted_on(models: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Return what is shown at zero already: only then is the first refusal an increase."""
    codes = (RejectCode.UNKNOWN_VERSION, RejectCode.CONFLICTING_ID)
    return ((model, str(code)) for model in models for code in codes)


def _one_per_series(found: Iterable[Measurement]) -> list[Measurement]:
    """Keep one measurement a series: two policies may measure the same thing."""
    kept: dict[tuple[str, ...], Measurement] = {}
    for one in sorted(found, key=lambda one: (one.window_end, one.policy)):
        kept[one.system, one.version, one.metric, one.column, one.segment] = one
    return list(kept.values())


def _active(found: Sequence[Measurement], caps: Caps) -> list[Measurement]:
    """Keep the newest versions only."""
    newest: dict[str, datetime] = {}
    for one in found:
        newest[one.version] = max(one.window_end, newest.get(one.version, one.window_end))
    active = sorted(newest, key=lambda version: (newest[version], version))[-caps.versions :]
    return [one for one in found if one.version in active]


def _model(model: str, facts: Facts, found: Sequence[Measurement], page: Page) -> None:
    system = facts.systems[model]
    for version in sorted({one.version for one in found}) or [""]:
        labels = [model, version, system.owner.team, str(system.tier)]
        page.add("watchkeeper_model_info", labels, 1)
    if found:
        newest = max(one.computed_at for one in found).timestamp()
        page.add("watchkeeper_last_evaluation_timestamp_seconds", [model], newest)
    if model in facts.last_prediction:
        seen = facts.last_prediction[model].timestamp()
        page.add("watchkeeper_last_prediction_timestamp_seconds", [model], seen)
    _metrics(model, found, page)
    allowed = _Allowed(system, page)
    for one in sorted(found, key=lambda one: (one.metric, one.version, one.column, one.segment)):
        _score(one, allowed, page)


def _metrics(model: str, found: Sequence[Measurement], page: Page) -> None:
    """Add what there is once for each metric of a model."""
    by_metric: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in found:
        by_metric[one.metric].append(one)
    for metric, members in sorted(by_metric.items()):
        states = {one.state for one in members}
        worst = next((state for state in _WORST_FIRST if state in states), State.ERROR)
        for state, status in STATUSES.items():
            page.add("watchkeeper_evaluation_status", [model, metric, status], state is worst)
        strictest = _strictest(metric)
        for bound, attribute in (("warn", "warn"), ("crit", "breach")):
            limits = [value for one in members if (value := getattr(one, attribute)) is not None]
            if limits:
                page.add("watchkeeper_threshold", [model, metric, bound], strictest(limits))
        for version in sorted({one.version for one in members}):
            rows = max(one.n for one in members if one.version == version)
            page.add("watchkeeper_evaluation_samples", [model, version, metric], rows)


def _strictest(metric: str) -> Callable[[Iterable[float]], float]:
    return max if worse(metric) is Worse.LOWER else min


class _Allowed:
    """Which features and groups of one system become labels."""

    def __init__(self, system: AISystem, page: Page) -> None:
        names = sorted(
            {*system.features, *(n for v in system.versions.values() for n in v.features)}
        )
        self.features = frozenset(names[: page.caps.features])
        self.attributes = frozenset(system.groups)
        self._page = page
        self._groups: defaultdict[str, set[str]] = defaultdict(set)

    def group(self, attribute: str, segment: str) -> bool:
        """Whether one more group of an attribute fits."""
        seen = self._groups[attribute]
        if segment in seen or len(seen) < self._page.caps.groups:
            seen.add(segment)
            return True
        return False


def _score(one: Measurement, allowed: _Allowed, page: Page) -> None:
    if one.value is None:
        return
    family = family_of(one.metric)
    if family is Family.DRIFT and not one.segment:
        _drift(one, one.value, allowed, page)
    elif family is Family.PERFORMANCE and not one.segment and not one.column:
        labels = [one.system, one.version, one.metric]
        page.add("watchkeeper_performance_score", labels, one.value)
    elif family is Family.FAIRNESS and one.metric.endswith(("_ratio", "_difference")):
        _bias(one, one.value, allowed, page)


def _drift(one: Measurement, value: float, allowed: _Allowed, page: Page) -> None:
    labels = [one.system, one.version, one.column, one.metric]
    if one.column in OUTPUTS:
        page.add("watchkeeper_prediction_drift_score", labels, value)
    elif one.column in allowed.features:
        page.add("watchkeeper_drift_score", labels, value)
    else:
        page.dropped["features"] += 1


def _bias(one: Measurement, value: float, allowed: _Allowed, page: Page) -> None:
    if one.column not in allowed.attributes or not allowed.group(one.column, one.segment):
        page.dropped["groups"] += 1
        return
    ratio = one.metric.endswith("_ratio")
    name = "watchkeeper_bias_disparity_ratio" if ratio else "watchkeeper_bias_difference_ratio"
    page.add(name, [one.system, one.version, one.metric, one.column, one.segment], value)
