"""Reading a request body: bounded while it streams, and bounded again while it unpacks."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

from watchkeeper_ingest.admission import Share
from watchkeeper_shared.errors import MalformedRecord, PermanentError, RetryableError
from watchkeeper_shared.events.rejects import RejectCode

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 64 << 10


class TooLarge(PermanentError):
    """The body is over the limit."""


class TooSlow(RetryableError):
    """The body did not arrive in time."""


async def read_body(chunks: AsyncIterator[bytes], encoding: str, limit: int, share: Share) -> bytes:
    """Return the unpacked body.

    Parameters
    ----------
    chunks
        The body as it arrives.
    encoding
        The value of Content-Encoding: empty, `identity` or `gzip`.
    limit
        The most bytes, unpacked.
    share
        Where the bytes are counted.

    Raises
    ------
    TooLarge
        There is more than `limit`; the rest was not read.
    MalformedRecord
        The encoding is not known, or the gzip stream is broken or ends early.
    """
    packing = encoding.strip().lower()
    unpack: _Plain
    if packing in ("", "identity"):
        unpack = _Plain()
    elif packing in ("gzip", "x-gzip"):
        unpack = _Gzip()
    else:
        raise MalformedRecord(
            RejectCode.UNSUPPORTED, f"Content-Encoding {encoding!r} is not known; send gzip or none"
        )
    body = bytearray()
    async for chunk in chunks:
        for piece in unpack.feed(chunk):
            if len(body) + len(piece) > limit:
                raise TooLarge(
                    f"the body has more than {limit} bytes{unpack.note}; send smaller requests"
                )
            share.grow(len(piece))
            body += piece
    unpack.finish()
    return bytes(body)


class _Plain:
    """A body that is sent as it is."""

    note = ""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk unpacks to."""
        yield chunk

    def finish(self) -> None:
        """Nothing can be missing."""


class _Gzip(_Plain):
    """A body in one or more gzip members, unpacked piece by piece."""

    note = " once unpacked"

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield pieces of bounded size, so that the reader can stop in time."""
        try:
            while chunk:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                self._begun = True
                piece = self._member.decompress(chunk, _PIECE)
                while piece:
                    yield piece
                    # All input may be consumed while output still waits behind the bound.
                    more = len(piece) == _PIECE and not self._member.unconsumed_tail
                    piece = self._member.decompress(b"", _PIECE) if more else b""
                chunk = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise MalformedRecord(
                RejectCode.MALFORMED, f"the body is not gzip, as Content-Encoding says: {error}"
            ) from error

    def finish(self) -> None:
        """Refuse a stream that ends early."""
        if not (self._begun and self._member.eof):
            raise MalformedRecord(RejectCode.MALFORMED, "the gzip body ends early; send all of it")
