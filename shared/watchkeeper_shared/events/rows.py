"""One prediction and one label as JSON: strict types, a closed envelope.

Numbers are strict: a JSON `true` is not 1, a `"1"` in a numeric field is not 1, `NaN`,
`Infinity` and `1e999` are refused. Instants carry a zone. A key that nobody agreed on is
refused, because a misspelt `scroe` would otherwise vanish in silence. What needs the
system's declaration (features, versions, lengths, ranges) is `validation`'s work.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits the log's 64 bits."""

Value = Integer | float | str
"""A class, a category or a number; never a boolean."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its zone."""


class Kind(StrEnum):
    """What a batch holds."""

    PREDICTIONS = "predictions"
    LABELS = "labels"


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was done with a prediction."""

    outcome: str | None = None
    critical: bool | None = None


class PredictionRow(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False
):
    """One inference event (architecture section 3).

    Parameters
    ----------
    id, system, version, time, prediction
        Who said what, when; required.
    seq
        The sender's running number, by which gaps are found.
    score
        Probability of the positive class, 0 to 1.
    scores
        Probability per class, for more than two classes.
    latency_ms
        How long the model took, in milliseconds.
    explanation
        Attribution per feature.
    """

    id: str
    system: str
    version: str
    time: Instant
    prediction: Value
    seq: Integer | None = None
    score: float | None = None
    scores: dict[str, float | None] | None = None
    features: dict[str, Value | None] | None = None
    groups: dict[str, Value | None] | None = None
    latency_ms: float | None = None
    decision: Decision | None = None
    explanation: dict[str, float | None] | None = None


class LabelRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Ground truth for one prediction.

    Parameters
    ----------
    id, system, label, time
        Which prediction, what was true, when that became known; required.
    prediction, score, scores, groups, prediction_time, version
        The prediction, echoed, so that no join is needed.
    """

    id: str
    system: str
    label: Value
    time: Instant
    prediction: Value | None = None
    score: float | None = None
    scores: dict[str, float | None] | None = None
    groups: dict[str, Value | None] | None = None
    prediction_time: Instant | None = None
    version: str | None = None


Row = PredictionRow | LabelRow

ROWS: dict[Kind, type[PredictionRow | LabelRow]] = {
    Kind.PREDICTIONS: PredictionRow,
    Kind.LABELS: LabelRow,
}
"""The shape of one row, by what the batch holds."""

REQUIRED: dict[Kind, tuple[str, ...]] = {
    Kind.PREDICTIONS: ("id", "system", "version", "time", "prediction"),
    Kind.LABELS: ("id", "system", "label", "time"),
}
"""The fields without which a row means nothing, in the order in which they are reported."""

NESTED = ("features", "groups", "scores", "explanation", "decision")
"""The fields that hold further fields; in columns they are prefixes: `features.AGEP`."""
