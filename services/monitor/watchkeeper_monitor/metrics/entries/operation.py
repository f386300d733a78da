"""How the system runs."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import EXACT, Entry


def _quantile(share: int) -> Entry:
    return Entry(
        f"the least latency that {share} % of predictions stay within, in milliseconds",
        "a histogram, cells at most 3 % wide from 8 microseconds to 70 minutes",
        "1.6 % of the value",
        "numpy.quantile, inverted_cdf",
        "Masson, Rim and Lee 2019 (DDSketch)",
        100,
    )


ENTRIES: dict[str, Entry] = {
    "latency_p50": _quantile(50),
    "latency_p95": _quantile(95),
    "latency_p99": _quantile(99),
    "error_share": Entry(
        "predictions whose decision.outcome is `error` / predictions that name an outcome",
        "counts",
        EXACT,
        "numpy on the raw rows",
        "a plain count",
        30,
    ),
}
