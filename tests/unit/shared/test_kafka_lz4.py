"""LZ4 is unpacked piece by piece, up to a bound."""

from __future__ import annotations

import random

import lz4.frame
import pytest

from watchkeeper_shared.eventlog import kafka_bombs
from watchkeeper_shared.eventlog.kafka_bombs import unpacked

LZ4 = 3


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000])
@pytest.mark.parametrize("make", [bytes, random.Random(4).randbytes], ids=["zeros", "random"])
def test_pieces_are_one_text(make: type[bytes], size: int) -> None:
    whole = make(size)
    assert unpacked(LZ4, lz4.frame.compress(whole)) == whole


def test_a_frame_that_was_cut_gives_what_is_there() -> None:
    whole = random.Random(4).randbytes(3_000_000)
    packed = lz4.frame.compress(whole)
    assert whole.startswith(unpacked(LZ4, packed[: len(packed) // 2]))


def test_what_grows_past_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_bombs, "MAX_BATCH_BYTES", 3_000_000)
    assert len(unpacked(LZ4, lz4.frame.compress(bytes(3_000_000)))) == 3_000_000
    with pytest.raises(kafka_bombs._TooMuch):
        unpacked(LZ4, lz4.frame.compress(bytes(3_000_001)))
