"""Whether documents agree with each other and with what is already in force. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from watchkeeper_alerting.applying.checking import suggestion
from watchkeeper_alerting.applying.documents import Document
from watchkeeper_alerting.applying.located import Mistake
from watchkeeper_alerting.applying.sense import nonsense
from watchkeeper_shared.metric_names import (
    BY_CLASS,
    CONFUSION,
    METRIC_NAMES,
    Family,
    family_of,
    takes_attribute,
    takes_columns,
)
from watchkeeper_shared.settings import PREFIX
from watchkeeper_shared.specs import AISystem, Channel, OversightPolicy, Rule

OUTPUTS = ("prediction", "score")
"""Columns that every system has beside its features."""


@dataclass(frozen=True, slots=True)
class World:
    """What can be named: in force now, or in the files themselves.

    Parameters
    ----------
    systems
        With those that were withdrawn: a policy for several must not fail for one of them.
    channels
        Those in force.
    withdrawn
        Who withdrew what, when and why, by kind and name.
    """

    systems: Mapping[str, AISystem] = field(default_factory=dict)
    channels: frozenset[str] = frozenset()
    withdrawn: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def with_documents(self, documents: Sequence[Document]) -> World:
        """Return the world as it would be once `documents` are applied."""
        systems = {one.name: one.spec for one in documents if isinstance(one.spec, AISystem)}
        channels = {one.name for one in documents if isinstance(one.spec, Channel)}
        again = {(one.kind, one.name) for one in documents}
        withdrawn = {one: why for one, why in self.withdrawn.items() if one not in again}
        return World({**self.systems, **systems}, self.channels | channels, withdrawn)


def disagreements(documents: Sequence[Document], world: World) -> list[Mistake]:
    """Return what the documents name and what does not exist, in file order."""
    whole = world.with_documents(documents)
    found: list[Mistake] = []
    for one in documents:
        if isinstance(one.spec, OversightPolicy):
            found.extend(_policy(one, one.spec, whole))
        if isinstance(one.spec, Channel) and one.spec.secret_env.startswith(PREFIX):
            detail = (
                f"{one.spec.secret_env} is a setting of Watchkeeper; name a variable of its own"
            )
            found.append(one.mistake(detail, "spec", "secret_env"))
    return sorted(set(found))


def _policy(document: Document, policy: OversightPolicy, world: World) -> Iterator[Mistake]:
    yield from nonsense(document, policy)
    for index, name in enumerate(policy.systems):
        if name not in world.systems:
            hint = _hint(name, world.systems)
            yield document.mistake(f"no system {name!r}{hint}", "spec", "systems", index)
    systems = {name: world.systems[name] for name in policy.systems if name in world.systems}
    for index, rule in enumerate(policy.rules):
        at = ("spec", "rules", index)
        yield from _metric(document, rule, at)
        yield from _columns(document, rule, systems, at)
        yield from _segments(document, rule, systems, at)
        yield from _channels(document, rule, world, at)


def _metric(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    family = family_of(rule.metric)
    if family is None:
        hint = suggestion(rule.metric, METRIC_NAMES)
        yield document.mistake(
            f"rule {rule.id}: unknown metric {rule.metric!r}{hint}", *at, "metric"
        )
    elif rule.attribute and not takes_attribute(rule.metric):
        detail = f"rule {rule.id}: {rule.metric} takes columns, only fairness takes an attribute"
        yield document.mistake(detail, *at, "attribute")
    elif rule.columns and not takes_columns(rule.metric):
        detail = f"rule {rule.id}: {rule.metric} looks at the whole answer and takes no columns"
        yield document.mistake(detail, *at, "columns")


def _columns(
    document: Document,
    rule: Rule,
    systems: Mapping[str, AISystem],
    at: tuple[str | int, ...],
) -> Iterator[Mistake]:
    for name, system in systems.items():
        if rule.metric in BY_CLASS:
            continue  # its columns are classes, and no declaration lists those
        known = _known_columns(system)
        for index, column in enumerate(rule.columns):
            if column not in known:
                detail = f"rule {rule.id}: system {name} has no column {column!r}"
                yield document.mistake(detail + _hint(column, known), *at, "columns", index)
        if rule.attribute and rule.attribute not in system.groups:
            detail = f"rule {rule.id}: system {name} declares no group {rule.attribute!r}"
            yield document.mistake(detail + _hint(rule.attribute, system.groups), *at, "attribute")


def _segments(
    document: Document, rule: Rule, systems: Mapping[str, AISystem], at: tuple[str | int, ...]
) -> Iterator[Mistake]:
    if rule.metric == CONFUSION:
        yield from _confused(document, rule, at)
        return
    for index, segment in enumerate(rule.segments):
        where = (*at, "segments", index)
        named = _attributes_in(segment, rule.metric)
        if not all(named):
            detail = f"rule {rule.id}: a segment is attribute=group, as in SEX=2, got {segment!r}"
            yield document.mistake(detail, *where)
            continue
        for name, system in systems.items():
            for attribute in named:
                if attribute not in system.groups:
                    detail = f"rule {rule.id}: system {name} declares no group {attribute!r}"
                    yield document.mistake(detail + _hint(attribute, system.groups), *where)


def _confused(document: Document, rule: Rule, at: tuple[str | int, ...]) -> Iterator[Mistake]:
    """Find what names no class that another was taken for; no declaration lists the classes."""
    named = [segment.partition("=") for segment in rule.segments]
    if not named or not all(name == "prediction" and called for name, _, called in named):
        detail = f"rule {rule.id}: {CONFUSION} needs segments such as prediction=CLASS"
        yield document.mistake(f"{detail}, what the class in `columns` was taken for", *at)


def _attributes_in(segment: str, metric: str) -> tuple[str, ...]:
    """Return the attributes that a segment names; empty text where one cannot be read.

    A part without `=` belongs to the group before it where groups are found by their whole
    name, as in `TEAM=R&D`; a slice of rows lists pairs only.
    """
    if not segment:  # everything
        return ()
    pairs = [part.partition("=") for part in segment.split("&")]
    if family_of(metric) in (Family.FAIRNESS, Family.ESTIMATED):
        pairs = [pair for place, pair in enumerate(pairs) if place == 0 or pair[1]]
    return tuple(name if equals else "" for name, equals, _ in pairs)


def _known_columns(system: AISystem) -> tuple[str, ...]:
    special = [name for version in system.versions.values() for name in version.features]
    return tuple(dict.fromkeys(("*", *OUTPUTS, *system.features, *special)))


def _channels(
    document: Document, rule: Rule, world: World, at: tuple[str | int, ...]
) -> Iterator[Mistake]:
    for index, name in enumerate(rule.on_breach.channels or ()):
        if name not in world.channels:
            detail = f"rule {rule.id}: no channel {name!r}{_hint(name, world.channels)}"
            yield document.mistake(detail, *at, "on_breach", "channels", index)


def _hint(word: str, known: Mapping[str, object] | Sequence[str] | frozenset[str]) -> str:
    names = sorted(known)
    return suggestion(word, names) if names else "; there is none yet"
