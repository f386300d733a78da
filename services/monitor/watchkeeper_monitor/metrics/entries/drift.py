"""How far the window has moved from the reference."""

from __future__ import annotations

from watchkeeper_monitor.metrics.entries.entry import BY_VALUE, EXACT, Entry

_ROWS = 500
_BINS = "counts of ten reference-decile bins, or of values"
_GROUPS = "counts of groups"
_PSI = "sum (q - p) ln(q/p); shares at least 1e-4"
_JS = "sqrt of the Jensen-Shannon divergence in nats"
_TVD = "half the sum of |q - p|"
_PSI_SOURCE = "Yurdakul and Naranjo 2020"
_SCIPY_JS = "scipy.spatial.distance.jensenshannon"


def _binned(formula: str, oracle: str, source: str, form: str = _BINS) -> Entry:
    return Entry(formula, form, f"{EXACT}, for these bins", oracle, source, _ROWS)


ENTRIES: dict[str, Entry] = {
    "psi": _binned(_PSI, "numpy on the raw rows", _PSI_SOURCE),
    "js_distance": _binned(_JS, _SCIPY_JS, "Lin 1991"),
    "hellinger": _binned(
        "sqrt of half the sum of (sqrt q - sqrt p)^2", "numpy on the raw rows", "Hellinger 1909"
    ),
    "tvd": _binned(_TVD, "numpy on the raw rows", "Levin and Peres 2017, section 4.1"),
    "wasserstein": Entry(
        "integral |G - F| dx in reference standard deviations",
        "cell counts and the sums beyond the outer edges",
        f"{BY_VALUE}; straight lines inside cells, exact tails",
        "scipy.stats.wasserstein_distance",
        "Vallender 1974",
        _ROWS,
    ),
    "ks": Entry(
        "sup |G - F| at the cells' edges",
        "cell counts",
        f"{BY_VALUE}; never above the true distance",
        "scipy.stats.ks_2samp",
        "Smirnov 1948",
        _ROWS,
    ),
    "group_mix_psi": _binned(_PSI, "numpy on the raw rows", _PSI_SOURCE, _GROUPS),
    "group_mix_js_distance": _binned(_JS, _SCIPY_JS, "Lin 1991", _GROUPS),
    "group_mix_tvd": _binned(
        _TVD, "numpy on the raw rows", "Levin and Peres 2017, section 4.1", _GROUPS
    ),
}
