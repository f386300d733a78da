from __future__ import annotations

from typing import Any

from watchkeeper.demo import report


def row(metric: str, value: float | None, **changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "metric": metric,
        "column": "",
        "segment": "",
        "value": value,
        "interval": None,
        "n": 2651,
        "limits": {"warn": None, "breach": None},
        "state": "ok",
    }
    return base | changes


def test_each_family_stands_under_its_name_with_value_interval_rows_and_limit() -> None:
    lines = list(
        report.measured(
            [
                row(
                    "accuracy",
                    0.8271,
                    interval=[0.812, 0.8411],
                    limits={"warn": 0.81, "breach": 0.797},
                ),
                row("volume", 2651.0),
            ]
        )
    )

    assert lines[0].strip() == "data quality"
    assert lines[1].split() == ["volume", "2,651", "n=2,651", "ok"]
    assert lines[2].strip() == "performance"
    assert lines[3].split() == [
        "accuracy", "0.8271", "[0.812,", "0.8411]", "n=2,651", "limit", "0.797", "ok",
    ]  # fmt: skip


def test_many_columns_of_one_metric_are_told_by_the_worst_of_them() -> None:
    rows = [row("psi", value / 100, column=f"F{value}") for value in range(5)]
    rows.append(row("psi", 0.001, column="BAD", state="breach"))

    lines = list(report.measured(rows))

    assert "BAD" in lines[1]
    assert lines[2].split() == ["the", "5", "others:", "5", "ok"]


def test_the_worst_ratio_is_the_smallest() -> None:
    ratios = [
        row("demographic_parity_ratio", value, segment=f"G={value}", state="warn")
        for value in (0.9, 0.71, 0.85, 0.88)
    ]

    first = list(report.measured(ratios))[1]

    assert "0.71" in first


def test_what_could_not_be_known_is_not_told_as_healthy() -> None:
    lines = list(report.measured([row("accuracy", None, n=0, state="no_data")]))

    assert lines[1].split()[-1] == "no_data"
    assert "–" in lines[1]


def test_only_families_with_a_rule_are_told() -> None:
    limited = row("psi", 0.1, limits={"warn": 0.1, "breach": 0.25})
    beside, other = row("ks", 0.1), row("accuracy", 0.8)

    assert report.with_limits([limited, beside, other]) == [limited, beside]
