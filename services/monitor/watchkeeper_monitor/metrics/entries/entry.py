"""One line of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper_shared.metric_names import Family

EXACT = "exact, to 1e-12"
BY_VALUE = "computed with each value"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one metric means, how exact it is and what it is checked against.

    Parameters
    ----------
    formula
        q and p are the shares of window and reference, G and F their distribution functions.
    form
        What of a profile it is computed from; all of it merges by addition.
    bound
        How far the number can be from that of the raw rows.
    oracle
        What a test compares it with.
    source
        Where the definition comes from.
    min_rows
        Rows (drift, quality, operation, explanation), labels (performance) or rows of the
        smaller group (fairness) that a judgement needs unless the rule says otherwise.
    family
        What it is about; the catalogue sets it.
    """

    formula: str
    form: str
    bound: str
    oracle: str
    source: str
    min_rows: int
    family: Family = Family.DRIFT
