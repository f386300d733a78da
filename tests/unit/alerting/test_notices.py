"""A notification carries enough to act without logging in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from watchkeeper_alerting import notices
from watchkeeper_alerting.testing.builders import DAY, a_breach
from watchkeeper_shared.events.breaches import BreachPool

SUBJECT = notices.Subject(
    alert="a-1",
    ticket="t-1",
    public_url="https://watch.example.org",
    severity="critical",
    opened_at=datetime(2026, 11, 23, 6, tzinfo=UTC),
)


def test_the_title_says_what_how_bad_and_whose() -> None:
    told = notices.notice(a_breach(), SUBJECT, "firing")

    assert told.title == ("[critical] employment-ma: accuracy 0.7712 (≤ 0.8) (labour-models)")


def test_the_text_holds_everything_a_person_needs_at_night() -> None:
    told = notices.text(notices.notice(a_breach(note="check the survey feed"), SUBJECT, "firing"))

    for needed in (
        "employment-ma, version 1",
        "0.7712",
        "0.8, at or below is a breach; warning at 0.82",
        "the whole 95 % interval, 0.7533 to 0.7881, lies past the limit (2,150 rows)",
        "2026-11-22 00:00 UTC to 2026-11-23 00:00 UTC (final, revision 1)",
        "labour-models, oncall@example.org",
        "https://runbooks.example.org/accuracy",
        "ISO42001:A.6.2.6",
        "check the survey feed",
        "https://watch.example.org/alerts/a-1",
        "https://watch.example.org/tickets/t-1",
    ):
        assert needed in told


def test_the_identity_never_holds_a_value_a_time_or_an_id() -> None:
    before = notices.notice(a_breach(), SUBJECT, "firing")
    worse = a_breach(value=0.5, low=0.4, high=0.6, n=9, breach="other", severity="warning")

    assert notices.notice(worse, SUBJECT, "resolved").identity == before.identity


def test_a_breach_seen_over_many_windows_is_told_with_what_they_say_together() -> None:
    pooled = BreachPool(
        start=DAY - timedelta(days=3), end=DAY + timedelta(days=1),
        value=0.76, low=0.75, high=0.77, n=9_000,
    )  # fmt: skip
    told = notices.notice(a_breach(scale=4, value=0.85, pooled=pooled), SUBJECT, "firing")

    assert told.title == (
        "[critical] employment-ma: accuracy 0.76 over 4 windows (≤ 0.8) (labour-models)"
    )
    assert told.summary == (
        "accuracy over 4 windows is 0.76, at or below the limit 0.8; the whole 95 % interval, "
        "0.75 to 0.77, lies past the limit (9,000 rows). The last window alone: 0.85."
    )
    assert told.facts["Value"] == "0.76 over 4 windows; 0.85 in the last alone"
    assert told.facts["Judged over"] == (
        "2026-11-19 00:00 UTC to 2026-11-23 00:00 UTC (4 windows, 9,000 rows)"
    )


def test_a_pooled_breach_of_before_is_not_told_with_the_value_of_the_last() -> None:
    reason = "over the last 4 windows: accuracy 0.76 at or below 0.8; n=9,000"
    told = notices.notice(a_breach(scale=4, value=0.85, reason=reason), SUBJECT, "firing")

    assert told.title == "[critical] employment-ma: accuracy over 4 windows (≤ 0.8) (labour-models)"
    assert told.summary == f"O{reason[1:]}. This window alone: 0.85."
    assert told.facts["Value"] == "0.85 in this window alone"
    assert told.facts["How sure"].startswith("seen over the last 4 windows together")


def test_a_resolved_notice_says_whether_it_recovered_or_was_withdrawn() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    recovered = notices.notice(a_breach(), SUBJECT, "resolved", now)
    withdrawn = notices.notice(a_breach(withdrawn=True), SUBJECT, "resolved", now)

    assert "is back within its limit" in recovered.title
    assert "was withdrawn" in withdrawn.title
    assert recovered.ended_at == now


def test_a_breach_without_the_optional_facts_can_be_told() -> None:
    bare = a_breach(
        value=None, low=None, high=None, warn=None, limit=None, reference=None,
        reference_n=None, controls=(), owner_team="", owner_contact="", runbook="",
    )  # fmt: skip

    told = notices.text(notices.notice(bare, SUBJECT, "firing"))

    assert "no value" in told
    assert "Owner" not in told
