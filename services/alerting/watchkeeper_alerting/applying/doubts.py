"""What an apply takes although it is most likely not meant: a warning each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper_alerting.applying.agreement import World
from watchkeeper_alerting.applying.documents import Document
from watchkeeper_alerting.applying.located import Mistake
from watchkeeper_alerting.hearing import unheard
from watchkeeper_shared.specs import OversightPolicy

_SHOWN = 5


def doubts(documents: Sequence[Document], world: World) -> list[Mistake]:
    """Return what should be looked at before relying on it, in file order.

    Parameters
    ----------
    world
        What was in force before `documents`; what they declare counts too.
    """
    after = world.with_documents(documents)
    found = [
        _told_to_nobody(one, one.spec, after.channels)
        for one in documents
        if isinstance(one.spec, OversightPolicy) and unheard(one.spec, after.channels)
    ]
    found += [_restored(one, world) for one in documents if (one.kind, one.name) in world.withdrawn]
    for one in documents:
        if isinstance(one.spec, OversightPolicy):
            found += _unwatched(one, one.spec, after)
    return sorted(found)


def _restored(document: Document, world: World) -> Mistake:
    why = world.withdrawn[document.kind, document.name]
    detail = f"{document.kind} {document.name} was {why}; this puts it in force again"
    return document.mistake(detail, "metadata", "name")


def _unwatched(document: Document, policy: OversightPolicy, after: World) -> list[Mistake]:
    return [
        document.mistake(
            f"policy {document.name}: system {name} is not judged, it was "
            f"{after.withdrawn['AISystem', name]}",
            "spec",
            "systems",
            index,
        )
        for index, name in enumerate(policy.systems)
        if ("AISystem", name) in after.withdrawn
    ]


def _told_to_nobody(
    document: Document, policy: OversightPolicy, channels: frozenset[str]
) -> Mistake:
    rules = unheard(policy, channels)
    more = f" and {len(rules) - _SHOWN} more" if len(rules) > _SHOWN else ""
    remedy = "name channels in `on_breach`" if channels else "apply a Channel"
    return document.mistake(
        f"policy {document.name}: nobody is told of a breach of {', '.join(rules[:_SHOWN])}{more},"
        f" only the console shows it; {remedy}",
        "spec",
        "rules",
    )
