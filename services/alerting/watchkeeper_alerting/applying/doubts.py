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
    channels = world.with_documents(documents).channels
    found = [
        _told_to_nobody(one, one.spec, channels)
        for one in documents
        if isinstance(one.spec, OversightPolicy) and unheard(one.spec, channels)
    ]
    return sorted(found)


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
