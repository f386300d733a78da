"""Snappy as Java frames it, and as others write it, is unpacked up to a bound."""

from __future__ import annotations

import pyarrow as pa
import pytest

from watchkeeper_shared.eventlog import kafka_bombs
from watchkeeper_shared.eventlog.kafka_bombs import unpacked

SNAPPY = 2
HEAD = b"\x82SNAPPY\x00" + b"\x00\x00\x00\x01" * 2


def block(text: bytes) -> bytes:
    return bytes(pa.compress(text, "snappy", asbytes=True))


def framed(*texts: bytes) -> bytes:
    blocks = map(block, texts)
    return HEAD + b"".join(len(one).to_bytes(4, "big") + one for one in blocks)


@pytest.mark.parametrize("texts", [[b""], [b"a" * 70_000], [b"a" * 40_000, b"b", b"c" * 300]])
def test_blocks_in_frames_are_one_text(texts: list[bytes]) -> None:
    assert unpacked(SNAPPY, framed(*texts)) == b"".join(texts)
    assert unpacked(SNAPPY, block(b"".join(texts))) == b"".join(texts)


@pytest.mark.parametrize(
    "packed", [block(b"a" * 1001), framed(b"a" * 600, b"b" * 401)], ids=["one", "framed"]
)
def test_what_grows_past_the_bound_is_refused(
    monkeypatch: pytest.MonkeyPatch, packed: bytes
) -> None:
    monkeypatch.setattr(kafka_bombs, "MAX_BATCH_BYTES", 1000)
    with pytest.raises(kafka_bombs._TooMuch):
        unpacked(SNAPPY, packed)
