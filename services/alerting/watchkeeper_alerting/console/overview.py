"""What the fleet and system pages show, computed from rows. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper_alerting.store.measurements import Measurement, Tally
from watchkeeper_shared.metric_names import FAMILIES, Family, family_of
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.states import State

# From the state that a person must hear of first.
WORST_FIRST = (
    State.BREACH,
    State.ERROR,
    State.WARN,
    State.NO_DATA,
    State.INSUFFICIENT,
    State.OK,
)
_ALWAYS_SHOWN = (Family.DRIFT, Family.DATA_QUALITY, Family.PERFORMANCE, Family.FAIRNESS)
NO_LIMIT = "no_limit"
"""Measured, and no rule looks at it: nobody said what would be bad, so it is not `ok`."""

_RANK = {state: rank for rank, state in enumerate([*map(str, WORST_FIRST), NO_LIMIT])}
_METRIC_RANK = {
    name: rank for rank, name in enumerate(name for names in FAMILIES.values() for name in names)
}


@dataclass(frozen=True, slots=True)
class FamilyStatus:
    """The worst state of one family, and how many series are in it."""

    family: Family
    state: str
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One system on the first page."""

    name: str
    system: AISystem
    families: tuple[FamilyStatus, ...]
    last_window: datetime | None
    open_alerts: int
    open_tickets: int
    is_unheard: bool


@dataclass(frozen=True, slots=True)
class FamilyTable:
    """The newest measurements of one family: those that a rule looks at, and the others."""

    family: Family
    states: tuple[tuple[str, int], ...]
    judged: tuple[Measurement, ...]
    unjudged: tuple[Measurement, ...]


def fleet(
    systems: Mapping[str, AISystem],
    found: Sequence[Tally],
    alerts: Mapping[tuple[str, str], int],
    tickets: Mapping[tuple[str, str], int],
    open_breaches: Mapping[tuple[str, str], int] | None = None,
    unheard: Collection[str] = (),
) -> list[FleetRow]:
    """Return a row per system: those with trouble first, then by name.

    Parameters
    ----------
    alerts, tickets
        How many are open, by system and severity or state.
    open_breaches
        How many are open, by system and metric. One that stays open over a window with too
        little data is still what a person must see first.
    unheard
        The systems with a rule whose breach nobody is told of.
    """
    told = _per_family(open_breaches or {})
    ordered = by_need(systems, alerts, tickets)
    by_system: defaultdict[str, list[Tally]] = defaultdict(list)
    for one in found:
        by_system[one.system].append(one)
    open_alerts, open_tickets = per_system(alerts), per_system(tickets)
    families = _shown_families(found)
    return [
        FleetRow(
            name,
            systems[name],
            tuple(_status(family, by_system[name], told[name, family]) for family in families),
            max((one.window_end for one in by_system[name]), default=None),
            open_alerts[name],
            open_tickets[name],
            name in unheard,
        )
        for name in ordered
    ]


def by_need(
    systems: Iterable[str],
    alerts: Mapping[tuple[str, str], int],
    tickets: Mapping[tuple[str, str], int],
) -> list[str]:
    """Return systems in the order of the first page: those with trouble first, then by name."""
    open_alerts, open_tickets = per_system(alerts), per_system(tickets)
    return sorted(systems, key=lambda name: (-open_alerts[name], -open_tickets[name], name))


def _shown_families(found: Iterable[Tally]) -> list[Family]:
    """Return the families that everybody asks about, and those that any rule looks at."""
    judged = {family_of(one.metric) for one in found if one.rule}
    return [family for family in Family if family in _ALWAYS_SHOWN or family in judged]


def tables(found: Iterable[Measurement]) -> list[FamilyTable]:
    """Return the newest measurements by family; in each, what needs eyes comes first."""
    by_family: defaultdict[Family, list[Measurement]] = defaultdict(list)
    for one in found:
        family = family_of(one.metric)
        if family is not None:
            by_family[family].append(one)
    return [_table(family, by_family[family]) for family in Family if by_family[family]]


def _table(family: Family, found: Sequence[Measurement]) -> FamilyTable:
    ordered = sorted(found, key=_order)
    judged = tuple(one for one in ordered if one.rule)
    unjudged = tuple(one for one in ordered if not one.rule)
    return FamilyTable(family, tuple(_counted(found)), judged, unjudged)


def shown_state(one: Measurement | Tally) -> str:
    """Return the state as people see it.

    What has no rule is `ok` in the data and `no_limit` on the page.
    """
    return NO_LIMIT if not one.rule and one.state == State.OK else one.state


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in one unit.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> ago(noon - timedelta(minutes=90), noon)
    '1 h ago'
    """
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return "ahead of the clock"
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} ago"
    return "just now"


def per_system(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    """Return the sum of counts that were made by system and something else."""
    summed: Counter[str] = Counter()
    for (system, _), count in counts.items():
        summed[system] += count
    return summed


def _per_family(counts: Mapping[tuple[str, str], int]) -> Counter[tuple[str, Family]]:
    summed: Counter[tuple[str, Family]] = Counter()
    for (system, metric), count in counts.items():
        family = family_of(metric)
        if family is not None:
            summed[system, family] += count
    return summed


def _status(family: Family, found: Sequence[Tally], open_breaches: int) -> FamilyStatus:
    members = [one for one in found if family_of(one.metric) is family]
    if not members:
        return FamilyStatus(family, str(State.NO_DATA), 0, 0)
    # Series without a rule have no opinion; they count only when nothing else is there.
    judged = [one for one in members if one.rule] or members
    state, count = _counted(judged)[0]
    if open_breaches and state != State.BREACH:
        state, count = str(State.BREACH), open_breaches
    return FamilyStatus(family, state, count, sum(one.count for one in judged))


def _counted(found: Iterable[Measurement | Tally]) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for one in found:
        counts[shown_state(one)] += one.count if isinstance(one, Tally) else 1
    return sorted(counts.items(), key=lambda item: _RANK.get(item[0], 0))


def _order(one: Measurement) -> tuple[int, int, str, str, str, str]:
    rank = _RANK.get(shown_state(one), 0) if one.rule else len(_RANK)
    metric = _METRIC_RANK.get(one.metric, 0)
    return rank, metric, one.column, one.segment, one.policy, one.version
