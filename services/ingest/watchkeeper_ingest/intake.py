"""What one request goes through: body, decode, decide, hand over, wait, answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from watchkeeper_ingest.acceptance import Accepted
from watchkeeper_ingest.admission import Admission, Fuse, Share
from watchkeeper_ingest.bodies import TooLarge, TooSlow, read_body
from watchkeeper_ingest.coalescing import Coalescer
from watchkeeper_ingest.company import Company
from watchkeeper_ingest.deciding import Body, Decider
from watchkeeper_ingest.freshness import Freshness
from watchkeeper_ingest.metrics import IngestMetrics, Refusal
from watchkeeper_ingest.settings import IngestSettings
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.keys import Caller
from watchkeeper_shared.errors import (
    LogUnavailable,
    MalformedRecord,
    RetryableError,
    StoreUnavailable,
)
from watchkeeper_shared.events.rejects import RejectCode
from watchkeeper_shared.events.rows import Kind

_FRESH_SECONDS = 3.0
"""How long a request that names something unknown waits for a fresh reading at most."""

_UNKNOWN = frozenset(
    {RejectCode.UNKNOWN_SYSTEM, RejectCode.UNKNOWN_VERSION, RejectCode.WITHDRAWN_SYSTEM}
)
"""What a fresh reading may know otherwise."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it comes in."""

    kind: Kind
    content_type: str
    encoding: str
    chunks: AsyncIterator[bytes]
    caller: Caller


class Intake:
    """Takes requests. Used on the event loop only.

    Parameters
    ----------
    decider, clock, settings
        What decides on events, what time it is, the limits.
    admission, fuse
        Whether there is room, and whether the log answers.
    coalescer
        Where accepted events go.
    freshness
        Whether what was declared is newer than a request.
    metrics
        What is counted.
    """

    def __init__(  # noqa: PLR0913  the parts that wiring introduces to each other
        self,
        decider: Decider,
        clock: Clock,
        settings: IngestSettings,
        *,
        admission: Admission,
        fuse: Fuse,
        coalescer: Coalescer,
        freshness: Freshness,
        metrics: IngestMetrics,
    ) -> None:
        self._decider = decider
        self._company = Company(decider)
        self._clock = clock
        self._settings = settings
        self._admission = admission
        self._fuse = fuse
        self._coalescer = coalescer
        self._freshness = freshness
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ingest-decode")

    async def take(self, sent: Sent) -> Accepted:
        """Return the answer once the log has every accepted event.

        Raises
        ------
        TooLarge, MalformedRecord
            Nothing of the request was taken.
        Overloaded
            Too much is in flight.
        TooSlow
            The body did not arrive in time.
        LogUnavailable
            Accepted events may or may not be in the log; sending all again is safe.
        """
        began = self._clock.monotonic()
        try:
            self._fuse.check()
            with self._admission.enter() as share:
                value = await self._arrived(sent, share)
                body = Body(value, sent.content_type, sent.kind, sent.caller)
                accepted = await self._decided(body, began)
                await self._hand_over(sent.kind, accepted)
        except TooLarge:
            self._metrics.rejected(Refusal.TOO_LARGE)
            raise
        except MalformedRecord as error:
            self._metrics.rejected(RejectCode(error.code))
            raise
        except RetryableError as error:
            self._metrics.rejected(_refusal(error))
            raise
        finally:
            self._metrics.answered(sent.kind, self._clock.monotonic() - began)
        self._count(sent.kind, accepted)
        return accepted

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown()

    async def _arrived(self, sent: Sent, share: Share) -> bytes:
        """Return the body. One that stalls must not hold the room of others until it breaks."""
        limit, patience = self._settings.ingest_max_body_bytes, self._settings.ingest_body_deadline
        try:
            async with asyncio.timeout(patience.total_seconds()):
                return await read_body(sent.chunks, sent.encoding, limit, share)
        except TimeoutError as error:
            raise TooSlow(
                f"the body did not arrive within {patience.total_seconds():g} s; nothing of it was "
                "taken, send smaller requests"
            ) from error

    async def _decided(self, body: Body, began: float) -> Accepted:
        """Decide, and once more with fresh knowledge where something was unknown."""
        accepted = await self._decide(body)
        if _UNKNOWN.isdisjoint(one.code for one in accepted.rejects):
            return accepted
        fresh = asyncio.wrap_future(self._freshness.past(began))
        await asyncio.wait([fresh], timeout=_FRESH_SECONDS)
        return await self._decide(body) if fresh.done() else accepted

    async def _decide(self, body: Body) -> Accepted:
        if body.is_small:
            return await self._company.decide(body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._decider.decide, body)

    async def _hand_over(self, kind: Kind, accepted: Accepted) -> None:
        waiting = [
            asyncio.wrap_future(self._coalescer.submit(kind, part)) for part in accepted.parts
        ]
        if not waiting:
            return
        deadline = self._settings.ingest_deadline
        _, open_ones = await asyncio.wait(waiting, timeout=deadline.total_seconds())
        if open_ones:
            for one in waiting:
                one.cancel()
            self._fuse.blow()
            raise LogUnavailable(
                f"the event log did not confirm within {deadline.total_seconds():g} s; "
                "the events may or may not be in it"
            )
        errors = [error for one in waiting if (error := one.exception()) is not None]
        if errors:
            raise errors[0]

    def _count(self, kind: Kind, accepted: Accepted) -> None:
        for part in accepted.parts:
            self._metrics.ingested(kind, part.system, part.batch.num_rows)
        for reject in accepted.rejects:
            self._metrics.rejected(reject.code, reject.system)
        self._metrics.duplicates(accepted.duplicates)


def _refusal(error: RetryableError) -> Refusal:
    if isinstance(error, LogUnavailable):
        return Refusal.LOG_UNAVAILABLE
    if isinstance(error, StoreUnavailable):
        return Refusal.STORE_UNAVAILABLE
    return Refusal.TOO_SLOW if isinstance(error, TooSlow) else Refusal.OVERLOADED
