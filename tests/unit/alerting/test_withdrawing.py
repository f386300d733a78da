"""Whether there is anything to withdraw, and why not."""

from __future__ import annotations

import pytest

from watchkeeper_alerting.applying.withdrawing import Asked, decide
from watchkeeper_shared.errors import Conflict, InvalidObject

WITH_REASON = Asked("Channel", "oncall", "the team was dissolved")


def test_what_is_in_force_and_needed_by_nobody_is_withdrawn() -> None:
    assert decide(WITH_REASON, is_withdrawn=False)


def test_what_is_withdrawn_stays_as_it_is_whoever_names_it() -> None:
    assert not decide(WITH_REASON, is_withdrawn=True, named_by=["p"])


def test_what_policies_cannot_do_without_is_kept_and_they_are_named() -> None:
    with pytest.raises(Conflict, match="'oncall' is named by policies in force: a, b; apply them"):
        decide(WITH_REASON, is_withdrawn=False, named_by=["b", "a"])


@pytest.mark.parametrize("reason", ["", "  ", "\u200b", "x" * 4001])
def test_nobody_withdraws_without_a_reason_that_can_be_read(reason: str) -> None:
    for is_withdrawn in (True, False):
        with pytest.raises(InvalidObject, match="reason"):
            decide(Asked("AISystem", "loans", reason), is_withdrawn=is_withdrawn)
