"""Who is told of a breach, and which rules tell nobody. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from watchkeeper_shared.db.applied import Applied
from watchkeeper_shared.specs import OversightPolicy


def told(named: Sequence[str] | None, in_force: Collection[str]) -> list[str]:
    """Return the channels that a breach goes to.

    Parameters
    ----------
    named
        What the rule names; None is every channel there is.
    in_force
        The channels there are.

    Examples
    --------
    >>> told(None, {"pager", "mail"}), told(["pager"], {"mail"}), told([], {"mail"})
    (['mail', 'pager'], ['pager'], [])
    """
    return sorted(in_force) if named is None else sorted(set(named))


def unheard(policy: OversightPolicy, in_force: Collection[str]) -> tuple[str, ...]:
    """Return the rules whose breach no channel in force is told of, by their ids.

    Their alerts and tickets are made all the same, and wait for somebody who looks.
    """
    return tuple(
        rule.id
        for rule in policy.rules
        if rule.breach is not None
        and not set(told(rule.on_breach.channels, in_force)) & set(in_force)
    )


def unheard_by_policy(
    policies: Iterable[Applied[OversightPolicy]], in_force: Collection[str]
) -> Mapping[str, tuple[str, ...]]:
    """Return the rules that tell nobody, by the name of their policy; others are left out."""
    found = {one.name: unheard(one.spec, in_force) for one in policies}
    return {name: rules for name, rules in found.items() if rules}
