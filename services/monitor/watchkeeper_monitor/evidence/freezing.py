"""Freeze the rows behind a breach, in the transaction that opens it."""

from __future__ import annotations

import hashlib
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from watchkeeper_monitor.sampling import samples
from watchkeeper_monitor.store import evidence, labels, reading
from watchkeeper_monitor.store.evidence import EvidenceState, Frozen
from watchkeeper_monitor.store.windows import Scope
from watchkeeper_monitor.windows.spans import Span
from watchkeeper_shared.db.types import to_micros

MOST_ROWS = 5_000
"""How many rows a report is made of at most."""


def freeze(  # noqa: PLR0913, PLR0917 - each says what is frozen, or how much of it
    c: sa.Connection,
    scope: Scope,
    span: Span,
    revision: int,
    current: str,
    pane_rows: int,
    now: datetime,
) -> str | None:
    """Keep the sample of what was judged, as it is now; return the id of the evidence.

    All breaches of one span share it: the id is made of the system, the version, the span,
    its revision and the reference. None where the span has no rows to keep, or their time
    was rolled up: then labels that came past their horizon opened it.

    Parameters
    ----------
    span
        The window, or all the windows that showed the breach together.
    revision
        Of the last window.
    current
        The key of the grid that predictions are counted on now.
    pane_rows
        How many rows stand for a pane at most.
    """
    held = reading.resolution(c, scope.system, scope.version, span.start, span.end)
    if not held.holds(span):
        return None
    profiles = reading.in_window(c, scope.system, scope.version, span)
    reference = reading.counted_on(profiles, current)
    the_id = evidence_id(scope, span, revision, reference)
    if evidence.exists(c, the_id):
        return the_id
    panes = reading.samples_in_window(c, scope.system, scope.version, reference, span, pane_rows)
    sample = samples.of_span(panes, MOST_ROWS)
    if sample is None:
        return None
    data = samples.to_bytes(_labelled(c, scope.system, sample.rows))
    frozen = Frozen(
        id=the_id,
        system=scope.system,
        version=scope.version,
        window=span,
        revision=revision,
        reference=reference,
        sample=data,
        sample_hash=hashlib.sha256(data).hexdigest(),
        sample_rows=sample.rows.num_rows,
        window_rows=sum(one.rows for one in profiles if one.reference == reference),
    )
    evidence.put(c, frozen, EvidenceState.PENDING, "the report is being made", now)
    return the_id


def _labelled(c: sa.Connection, system: str, sample: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows without their keys and with their labels, where any is known."""
    hashes = sample.column(samples.KEY).to_numpy()
    known = labels.of_rows(c, system, hashes)
    rows = sample.drop_columns([samples.KEY])
    if not known:
        return rows
    column = pa.array([known.get(one) for one in hashes.tolist()], pa.string())
    return rows.append_column("label", column)


def evidence_id(scope: Scope, span: Span, revision: int, reference: str) -> str:
    """Return the id of evidence: the same whoever freezes it."""
    parts = (
        scope.system,
        scope.version,
        str(to_micros(span.start)),
        str(to_micros(span.end)),
        str(revision),
        reference,
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
