"""Write `docs/metrics.md` and the default policies from the catalogue: `make docs`.

The page and the files are committed, and a test says when they are not what the code says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from watchkeeper_monitor.metrics.catalogue import CATALOGUE, Entry
from watchkeeper_monitor.metrics.limits import LIMITS, Limit, Pair
from watchkeeper_shared.metric_names import FAMILIES, Worse, worse
from watchkeeper_shared.specs import Task, Tier

PAGE = Path("docs/metrics.md")
POLICIES = Path("cli/watchkeeper/policies")

_INTRODUCTION = """\
# Metrics

Made from the code by `make docs`; change `services/monitor/watchkeeper_monitor/metrics/entries`.

Every number is computed from a profile: whole counts and exact sums on a grid that the reference
fixed. Profiles merge by addition, in any split and any order, to the same bytes. A value comes with
a 95 % interval, with what binning can hide, and with the rows behind it; what cannot be computed
is in the answer with the reason, never as 0. *Rows* is what a judgement needs unless the rule says
otherwise: rows (drift, quality, operation, explanation), labels (performance), rows of the smaller
group (fairness). A rule breaches when the value is past its limit **and** the evidence passes the
level of the policy's alarm budget (ADR 5). *Bad* is the side on which a limit makes sense: `apply`
refuses a rule on what is bad when it is low that lacks `below: true`, and one on what is bad when
it is high that has it.

Intervals held the truth in 89 % or more of simulated windows of 100 rows and in 92 % or more of 500
(rates of 1 to 99 %, gaps and ratios, F1, MCC, kappa, means over classes, ROC AUC of good models and
of rare positives). Weak with few rows, for the variance is estimated from rows of which the few
that matter may be missing: `mae` and `rmse` of heavy-tailed errors and `log_loss` (87 to 92 % of
windows of 100 rows, 91 to 95 % of 500), and `pr_auc` where one label in a hundred is positive (it
is too great on average with a handful of positives). The greatest gap of many groups is above 0
also where all are alike, so the end of its interval towards no gap lies further off the more pairs
it was chosen from, as in its test.

q and p are the shares of window and reference, G and F their distribution functions.
A column is a feature, `prediction`, `score`, a class, or of fairness the attribute, which may be a
declared intersection such as `SEX&RAC1P`. A segment is a group (`SEX=2`), or the declared slice
that the number is of.

Errors, labels and predictions of a regression are summed in units of 2^-50 reference standard
deviations of the prediction, and without any rounding where they are past 1,024 of those or no
reference gives one: an RMSE of prices of 300,000 needs no reference. What lies past 2^64 (1.8e19)
counts as that much, and the number comes with a note and without an interval (ADR 17).
"""
_TABLE = """\
| name | bad | formula | merged from | bound | oracle | source | rows |
|---|---|---|---|---|---|---|---|"""
_LIMITS = """
## Default limits per risk tier

Warn / breach; one number is a breach. No standard sets these numbers. What is not listed has
no default limit. The policies in `cli/watchkeeper/policies` hold those marked with a star.

| name | low | limited | high | source |
|---|---|---|---|---|"""
_BAD = {Worse.LOWER: "low", Worse.HIGHER: "high", Worse.EITHER: "either"}
_HEADER = """\
# Default policies of risk tier {tier}, one for each task. Made by `make docs`.
# Name your systems, or copy the rules. A rule about what a system does not have (no groups, no
# numeric feature) is shown as an error and never passed over: delete it where it does not apply.
# Drops and rises are against the labels of the approved reference.
"""


def page() -> str:
    """Return the text of `docs/metrics.md`."""
    lines = [_INTRODUCTION]
    for family, names in FAMILIES.items():
        lines += [f"## {family.value.capitalize()}", "", _TABLE]
        lines += [_row(name, CATALOGUE[name]) for name in names]
        lines.append("")
    lines[-1:] = [_LIMITS]
    lines += [_limits(name, limit) for name, limit in LIMITS.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, entry: Entry) -> str:
    cells = (
        f"`{name}`",
        _BAD[worse(name)],
        entry.formula,
        entry.form,
        entry.bound,
        entry.oracle,
        entry.source,
        f"{entry.min_rows:,}",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _limits(name: str, limit: Limit) -> str:
    star = " *" if limit.tasks else ""
    side = ", at or below" if limit.below else ""
    cells = [_pair(limit.by_tier.get(tier)) for tier in Tier]
    return f"| `{name}`{star}{side} | {' | '.join(cells)} | {limit.source} |"


def _pair(pair: Pair | None) -> str:
    if pair is None:
        return "measured only"
    return " / ".join(f"{one:g}" for one in pair if one is not None)


def policies(tier: Tier) -> str:
    """Return the default policies of a tier, one document for each task."""
    documents = ("\n".join(_policy(tier, task)) + "\n" for task in Task)
    return _HEADER.format(tier=tier) + "---\n".join(documents)


def _policy(tier: Tier, task: Task) -> Iterator[str]:
    yield "apiVersion: watchkeeper/v1"
    yield "kind: OversightPolicy"
    yield f"metadata: {{name: default-{tier}-{task}}}"
    yield "spec:"
    yield "  systems: []"
    yield "  window: {size: 1d, step: 1d, lateness: 1h}"
    yield "  alarm_budget: 500"
    yield "  rules:"
    for name, limit in LIMITS.items():
        pair = limit.by_tier.get(tier)
        if pair is not None and task in limit.tasks:
            yield from _rule(name, limit, pair, tier)


def _rule(name: str, limit: Limit, pair: Pair, tier: Tier) -> Iterator[str]:
    yield f"    - id: {name.replace('_', '-')}"
    yield f"      metric: {name}"
    if limit.columns:
        quoted = ", ".join(f'"{one}"' for one in limit.columns)
        yield f"      columns: [{quoted}]"
    if limit.below:
        yield "      below: true"
    for side, value in zip(("warn", "breach"), pair, strict=True):
        if value is not None:
            yield f"      {side}: {value:g}"
    if tier is Tier.LOW:
        yield "      sustained: 2 of 3"
    yield f"      severity: {'critical' if tier is Tier.HIGH else 'warning'}"
    yield f'      note: "{limit.source}"'


def files() -> dict[Path, str]:
    """Return every file that is made from the catalogue, by its place in the repository."""
    return {PAGE: page()} | {POLICIES / f"{tier}.yaml": policies(tier) for tier in Tier}


def main(root: Path) -> None:
    """Write the files."""
    for place, text in files().items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
