"""Event time is cut the same way by every worker, and a window settles once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from watchkeeper_monitor.windows.spans import (
    EPOCH,
    Span,
    Status,
    empty_after,
    pane_at,
    pane_length,
    panes_of,
    settled,
    status,
    watermark,
    windows_over,
)
from watchkeeper_shared.specs import WindowSpec

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(hours: float) -> datetime:
    return datetime(2026, 1, 5, tzinfo=UTC) + hours * HOUR


def test_a_system_without_a_policy_has_daily_panes() -> None:
    assert pane_length([]) == DAY


def test_the_pane_divides_the_steps_of_all_policies() -> None:
    specs = [WindowSpec(size="1d", step="6h"), WindowSpec(size="10h"), WindowSpec(size="1d")]

    assert pane_length(specs) == 2 * HOUR


def test_times_before_1970_fall_into_the_pane_that_holds_them() -> None:
    times = np.array([-1, 0, 3_599_999_999, 3_600_000_000])

    assert panes_of(times, HOUR).tolist() == [-3_600_000_000, 0, 0, 3_600_000_000]


def test_a_tumbling_window_holds_each_of_its_panes_alone() -> None:
    pane = Span(at(6), at(7))

    assert windows_over(pane, WindowSpec(size="1d")) == (Span(at(0), at(24)),)


def test_a_sliding_window_shares_its_panes() -> None:
    found = windows_over(Span(at(6), at(12)), WindowSpec(size="1d", step="6h"))

    assert [window.start for window in found] == [at(-12), at(-6), at(0), at(6)]
    assert all(window.holds(Span(at(6), at(12))) for window in found)


def test_a_pane_longer_than_the_window_is_in_none() -> None:
    assert windows_over(Span(at(0), at(24)), WindowSpec(size="1h")) == ()


def test_a_pane_knows_its_own_window() -> None:
    pane = pane_at(0, HOUR)

    assert pane == Span(EPOCH, EPOCH + HOUR)


def test_a_span_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must end after its start"):
        Span(at(1), at(1))


def test_a_window_settles_when_the_watermark_is_past_its_lateness() -> None:
    window = Span(at(0), at(24))

    assert not settled(window, at(24.9), HOUR, idle=False, now=at(30))
    assert settled(window, at(25), HOUR, idle=False, now=at(25))


def test_an_idle_system_settles_what_is_over_and_not_the_window_that_goes_on() -> None:
    window = Span(at(0), at(24))

    assert not settled(window, None, HOUR, idle=True, now=at(23.9))
    assert settled(window, None, HOUR, idle=True, now=at(24))


def test_the_slowest_partition_holds_the_watermark() -> None:
    assert watermark([at(3), at(1)]) == at(1)
    assert watermark([at(3), None]) is None
    assert watermark([]) is None


@pytest.mark.parametrize(
    ("before", "is_settled", "after"),
    [
        (None, False, Status.PROVISIONAL),
        (Status.PROVISIONAL, True, Status.FINAL),
        (Status.FINAL, True, Status.AMENDED),
        (Status.AMENDED, False, Status.AMENDED),
    ],
)
def test_a_settled_window_never_unsettles(
    before: Status | None, *, is_settled: bool, after: Status
) -> None:
    assert status(before, is_settled=is_settled) is after


def test_empty_windows_are_named_up_to_the_limit() -> None:
    spec = WindowSpec(size="1d")
    window = Span(at(0), at(24))

    assert [one.start for one in empty_after(window, spec, at(71), 7)] == [at(24)]
    assert len(empty_after(window, spec, at(24 * 400), 7)) == 7
