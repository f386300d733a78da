"""Policies as they were: a breach is told under the revision that judged it."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from watchkeeper_monitor.rule.judgements import Series
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_shared.db.registry import Applied
from watchkeeper_shared.db.tables import measurements, objects
from watchkeeper_shared.specs import OversightPolicy, Rule


def judged_by(c: sa.Connection, scope: Scope, series: Series) -> Applied[OversightPolicy]:
    """Return the revision of the policy that judged a series last, with its rule.

    Where it cannot be read any more, a policy stands in for it that has the rule's name and
    metric and nothing else.
    """
    newest = (
        sa.select(measurements.c.policy_hash)
        .where(
            *scope.rows_of(measurements),
            measurements.c.rule == series.rule,
            measurements.c.metric == series.metric,
            measurements.c.column == series.column,
            measurements.c.segment == series.segment,
        )
        .order_by(measurements.c.window_start.desc(), measurements.c.id.desc())
        .limit(1)
    )
    the_hash = c.execute(newest).scalar_one_or_none() or ""
    row = c.execute(
        sa.select(objects.c.revision, objects.c.spec)
        .where(
            objects.c.kind == "OversightPolicy",
            objects.c.name == scope.policy,
            objects.c.hash == the_hash,
        )
        .order_by(objects.c.revision.desc())
        .limit(1)
    ).one_or_none()
    if row is not None:
        try:
            spec = msgspec.convert(row.spec, OversightPolicy)
        except msgspec.ValidationError:
            spec = None
        if spec is not None and any(rule.id == series.rule for rule in spec.rules):
            return Applied(scope.policy, row.revision, the_hash, spec)
    rule = Rule(id=series.rule, metric=series.metric)
    return Applied(
        scope.policy, 0, the_hash, OversightPolicy(systems=(scope.system,), rules=(rule,))
    )
