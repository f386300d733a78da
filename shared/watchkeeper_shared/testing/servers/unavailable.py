"""What is said when a test cannot have the real thing, and when that is a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from watchkeeper_shared.errors import WatchkeeperError


class ServerUnavailable(WatchkeeperError):
    """A real server or program cannot be had here; the message says how to get it."""


def skip(reason: ServerUnavailable) -> NoReturn:
    """Skip the test by name, or fail it where the real thing is required.

    `WATCHKEEPER_REQUIRE_REAL=1` stands in `.ci/run`: what guards main must not pass by
    leaving tests out.
    """
    # A switch of the test run, not a setting of the product.
    if os.environ.get("WATCHKEEPER_REQUIRE_REAL") == "1":  # noqa: TID251
        pytest.fail(f"required and not to be had: {reason}", pytrace=False)
    pytest.skip(str(reason))
