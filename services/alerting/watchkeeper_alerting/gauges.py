"""The public gauges about systems: their names and labels, and a page that holds so many series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily

_MODEL = ["model"]
_SERIES = ["model", "version", "feature", "statistic"]
_BIAS = ["model", "version", "metric", "attribute", "group"]
GAUGES: dict[str, tuple[str, list[str]]] = {
    "watchkeeper_model_info": (
        "A registered system and one of its active versions; always 1.",
        ["model", "version", "owner", "risk_tier"],
    ),
    "watchkeeper_drift_score": ("How far a feature moved from its reference.", _SERIES),
    "watchkeeper_prediction_drift_score": ("How far the model's output moved.", _SERIES),
    "watchkeeper_bias_disparity_ratio": ("A fairness metric that is a ratio; 1 is parity.", _BIAS),
    "watchkeeper_bias_difference_ratio": (
        "A fairness metric that is a difference of rates; 0 is parity.",
        _BIAS,
    ),
    "watchkeeper_performance_score": (
        "How well predictions agree with labels.",
        ["model", "version", "metric"],
    ),
    "watchkeeper_threshold": (
        "The strictest limit that is in force for a metric.",
        ["model", "metric", "bound"],
    ),
    "watchkeeper_evaluation_samples": (
        "Rows behind the latest evaluation of a metric.",
        ["model", "version", "metric"],
    ),
    "watchkeeper_evaluation_status": (
        "1 for the worst state among the latest evaluations of a metric, else 0.",
        ["model", "metric", "status"],
    ),
    "watchkeeper_last_evaluation_timestamp_seconds": ("When the system was last judged.", _MODEL),
    "watchkeeper_last_prediction_timestamp_seconds": ("The newest event time seen.", _MODEL),
    "watchkeeper_alerts_open": ("Alerts that are not resolved.", ["model", "severity"]),
    "watchkeeper_alerts_untold": (
        "Alerts that are not resolved and that no channel was told of, nor will be.",
        ["model", "severity"],
    ),
    "watchkeeper_rows_refused": (
        "Rows that the monitor refused so far, by reason; they were never measured.",
        ["model", "reason"],
    ),
    "watchkeeper_review_tickets_open": ("Tickets that are not closed.", ["model", "state"]),
    "watchkeeper_review_oldest_open_timestamp_seconds": (
        "Since when the oldest open ticket waits.",
        [],
    ),
}


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that becomes labels, and the most measurements that are read for it."""

    models: int = 200
    features: int = 50
    groups: int = 20
    versions: int = 2
    series: int = 20_000
    rows: int = 200_000


class Page:
    """Collects series in order until the cap, and counts what is left out.

    Parameters
    ----------
    caps
        How many series there may be.

    Attributes
    ----------
    families, dropped
        What was collected, by name, and how much was not, by reason.
    """

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.families: dict[str, GaugeMetricFamily] = {}
        self.dropped: Counter[str] = Counter()
        self._series = 0

    def add(self, name: str, labels: Sequence[str], value: float) -> None:
        """Add one series of a gauge in `GAUGES`."""
        if self._series >= self.caps.series:
            self.dropped["series"] += 1
            return
        self._series += 1
        if name not in self.families:
            help_text, label_names = GAUGES[name]
            self.families[name] = GaugeMetricFamily(name, help_text, labels=label_names)
        self.families[name].add_metric(labels, value)
