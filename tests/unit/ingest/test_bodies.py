"""A body is bounded while it streams and again while it unpacks."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from watchkeeper_ingest.admission import Admission
from watchkeeper_ingest.bodies import TooLarge, read_body
from watchkeeper_shared.errors import MalformedRecord, RetryableError

TEXT = bytes(range(256)) * 2000


def read(
    body: bytes, encoding: str = "", *, limit: int = 1 << 20, hard: int = 1 << 30, piece: int = 1000
) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    async def run() -> bytes:
        with Admission(hard, hard, lambda _: None).enter() as share:
            return await read_body(chunks(), encoding, limit, share)

    return asyncio.run(run())


@pytest.mark.parametrize("piece", [1, 1000, 10**9])
def test_a_packed_body_is_unpacked_however_it_arrives(piece: int) -> None:
    short = TEXT[:5000]
    assert read(gzip.compress(short), "GZip", piece=piece) == short


def test_output_that_waits_behind_the_bound_is_not_lost() -> None:
    zeros = bytes(1_000_000)
    assert read(gzip.compress(zeros), "gzip") == zeros


def test_several_members_are_one_body() -> None:
    assert read(gzip.compress(b"[1,") + gzip.compress(b"2]"), "gzip") == b"[1,2]"


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert len(read(TEXT, limit=len(TEXT))) == len(TEXT)
    with pytest.raises(TooLarge):
        read(TEXT, limit=len(TEXT) - 1)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(bytes(200 << 20))

    with pytest.raises(TooLarge, match="once unpacked"):
        read(bomb, "gzip", limit=1 << 20, hard=2 << 20)


def test_growing_past_the_hard_limit_is_refused_for_now() -> None:
    with pytest.raises(RetryableError, match="send it again"):
        read(TEXT, hard=10_000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        gzip.compress(TEXT, mtime=0)[:-1],
        gzip.compress(TEXT, mtime=0) + b"rest",
        zlib.compress(TEXT),
    ],
)
def test_a_broken_packing_is_named(body: bytes) -> None:
    with pytest.raises(MalformedRecord):
        read(body, "gzip")
