"""Every window is in one block of each scale, and its last window says what the block says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watchkeeper_monitor.windows.scales import POOLED, Block, blocks_ending, ends_over
from watchkeeper_monitor.windows.spans import EPOCH, Span
from watchkeeper_shared.specs import WindowSpec

DAY = timedelta(days=1)
TUMBLING = WindowSpec(size="1d")
HOPPING = WindowSpec(size="1d", step="6h")


def window(number: float) -> Span:
    start = EPOCH + number * DAY
    return Span(start, start + DAY)


@pytest.mark.parametrize("scale", POOLED)
def test_the_blocks_of_a_scale_tile_time(scale: int) -> None:
    ending = [
        block
        for number in range(128)
        for block in blocks_ending(window(number), TUMBLING)
        if block.scale == scale
    ]

    assert ending == [
        Block(scale, Span(EPOCH + first * DAY, EPOCH + (first + scale) * DAY))
        for first in range(0, 128, scale)
    ]


def test_all_scales_together_ask_less_than_once_more_per_window() -> None:
    asked = sum(len(blocks_ending(window(number), TUMBLING)) for number in range(64))

    assert asked == 63


def test_a_block_is_its_two_halves() -> None:
    block = blocks_ending(window(7), TUMBLING)[-1]

    assert (block.scale, block.halves) == (
        8,
        (Span(EPOCH, EPOCH + 4 * DAY), Span(EPOCH + 4 * DAY, EPOCH + 8 * DAY)),
    )


def test_who_changes_with_a_window_is_whoever_closes_a_block_over_it() -> None:
    for number in range(64):
        closing = [
            later
            for later in range(number + 1, 64)
            if any(
                block.span.holds(window(number)) for block in blocks_ending(window(later), TUMBLING)
            )
        ]

        assert [
            (end.start - EPOCH) // DAY for end in ends_over(window(number), TUMBLING)
        ] == closing


def test_of_overlapping_windows_only_those_side_by_side_are_pooled() -> None:
    pooled = [number / 4 for number in range(32) if blocks_ending(window(number / 4), HOPPING)]

    assert pooled == [1, 3, 5, 7]
    assert ends_over(window(0.25), HOPPING) == ()


def test_a_window_cut_under_another_policy_is_in_no_block() -> None:
    assert blocks_ending(Span(EPOCH, EPOCH + 2 * DAY), TUMBLING) == ()
