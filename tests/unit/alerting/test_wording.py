"""A breach is told in words that are true of its numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watchkeeper_alerting import wording
from watchkeeper_alerting.testing.builders import DAY, a_breach


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"high": 0.81}, "the 95 % interval, 0.7533 to 0.81, contains the limit (2,150 rows)"),
        ({"low": None, "high": None}, "no interval is known for it (2,150 rows)"),
        ({"metric": "volume", "low": None, "high": None, "n": 1}, "every row was counted (1 row)"),
        ({"limit": None}, "the 95 % interval, 0.7533 to 0.7881, comes from 2,150 rows"),
        (
            {"below": False, "limit": 0.75},
            "the whole 95 % interval, 0.7533 to 0.7881, lies past the limit (2,150 rows)",
        ),
    ],
)
def test_how_sure_it_is(changes: dict[str, object], words: str) -> None:
    assert wording.how_sure(a_breach(**changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "accuracy is 0.7712, at or below the limit 0.8; the whole"),
        ({"value": 0.85, "high": 0.86}, "accuracy is 0.85, within the limit 0.8; the 95 %"),
        ({"below": False, "limit": 0.9}, "accuracy is 0.7712, within the limit 0.9; the 95 %"),
        ({"value": None, "n": 0}, "accuracy has no value; the limit 0.8 was passed before."),
        ({"limit": None}, "accuracy is 0.7712; the 95 % interval"),
    ],
)
def test_newer_numbers_are_only_called_past_the_limit_when_they_are(
    changes: dict[str, object], words: str
) -> None:
    assert wording.summary(a_breach(**changes)).startswith(words)


def test_a_breach_whose_bounds_moved_says_what_is_known_now_and_what_was_told_first() -> None:
    breach = a_breach(first_opened=DAY + timedelta(days=2), cleared_window=DAY + timedelta(days=3))
    since = f"{DAY:%Y-%m-%d %H:%M} UTC"
    first = f"{DAY + timedelta(days=2):%Y-%m-%d %H:%M} UTC"

    told = wording.facts(breach)

    assert told["Since"] == f"{since} (told first: {first})"
    assert told["Until"] == f"{DAY + timedelta(days=3):%Y-%m-%d %H:%M} UTC"
    assert wording.moved(breach) == f" Since {since} (told first: {first})."
    assert wording.moved(a_breach()) == ""
