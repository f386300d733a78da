"""Whether the data came as agreed."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import EXACT, Entry

_ROWS = 30


def _count(formula: str, min_rows: int = _ROWS, form: str = "counts") -> Entry:
    return Entry(formula, form, EXACT, "numpy on the raw rows", "a plain count", min_rows)


ENTRIES: dict[str, Entry] = {
    "missing_share": _count("missing values / rows"),
    "type_error_share": _count(
        "values of a numeric column that are no numbers, or scores outside 0 to 1 / rows"
    ),
    "unseen_share": _count("values that the reference never held / values"),
    "out_of_range_share": _count("values outside the reference's range / values"),
    "volume": _count("predictions in the window", 0),
    "freshness_seconds": _count(
        "end of the window - time of its newest prediction", 0, "the newest time"
    ),
    "label_coverage": _count(
        "predictions with a label / predictions; a label that tells of a prediction that never "
        "came is none of them",
        0,
    ),
}
