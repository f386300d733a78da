"""Whether predictions come with reasons, and whether the reasons have changed."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import EXACT, Entry

_FORM = "each row's absolute attributions as shares of their sum, added up by feature"


def _drift(formula: str, oracle: str, source: str) -> Entry:
    return Entry(formula, _FORM, EXACT, oracle, source, 500)


ENTRIES: dict[str, Entry] = {
    "explanation_coverage": Entry(
        "predictions with an attribution / predictions",
        "counts",
        EXACT,
        "numpy on the raw rows",
        "a plain count",
        30,
    ),
    "attribution_share": Entry(
        "mean share of the feature in a row's absolute attributions",
        _FORM,
        EXACT,
        "numpy on the raw rows",
        "project definition",
        100,
    ),
    "attribution_js_distance": _drift(
        "js_distance between the attribution shares of window and reference",
        "scipy.spatial.distance.jensenshannon",
        "Lin 1991",
    ),
    "attribution_psi": _drift(
        "psi between the attribution shares of window and reference",
        "numpy on the raw rows",
        "Yurdakul and Naranjo 2020",
    ),
}
