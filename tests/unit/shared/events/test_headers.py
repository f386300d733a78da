"""What stands beside a batch on the log."""

from __future__ import annotations

import pytest

from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events import headers
from watchkeeper_shared.events.codec import ARROW
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import NOON, a_batch


def test_what_was_built_is_read_back() -> None:
    batch = a_batch(3)
    built = headers.build(batch, Kind.PREDICTIONS, batch_id="b1", source="/here", now=NOON)

    read = headers.parse(built)

    assert built["ce_specversion"] == "1.0"
    assert (read.id, read.source, read.time, read.rows) == ("b1", "/here", NOON, 3)
    assert (read.mintime, read.maxtime) == (
        min(batch.column("time").to_pylist()),
        max(batch.column("time").to_pylist()),
    )


def test_a_record_from_elsewhere_needs_only_its_content_type() -> None:
    read = headers.parse({"Content-Type": ARROW})

    assert (read.content_type, read.id, read.rows, read.mintime) == (ARROW, None, None, None)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("content-type", "", "unsupported"),
        ("rows", "-1", "malformed"),
        ("rows", "²", "malformed"),
        ("rows", "1" * 5000, "malformed"),
        ("mintime", "noon", "malformed"),
        ("maxtime", "2026-11-23T06:00:00", "time_without_zone"),
        ("ce_time", "0001-01-01T00:00:00+23:59", "malformed"),
    ],
)
def test_a_header_that_does_not_hold_is_named(name: str, text: str, code: str) -> None:
    with pytest.raises(MalformedRecord) as caught:
        headers.parse({"content-type": ARROW, name: text})

    assert caught.value.code == code
    assert name in caught.value.detail
