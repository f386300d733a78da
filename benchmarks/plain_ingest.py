"""The least that an ingest can do: decode, validate, send, wait for the acknowledgement.

    python -m benchmarks.plain_ingest --port 0

No key, no admission, no rejects per item, no gathering, no counters, no deadline: each request
is one record of the bare Kafka client. What `watchkeeper ingest` keeps of this app's throughput
is the price of everything that protects its caller.
"""

from __future__ import annotations

import asyncio
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request

from benchmarks.stream import VERSION, spec
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import WatchkeeperError
from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.kafka import Producer
from watchkeeper_shared.eventlog.port import Message, Position
from watchkeeper_shared.events import batches, codec, headers
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import check_predictions
from watchkeeper_shared.settings import LogSettings, environment, read
from watchkeeper_shared.topics import PREDICTIONS

INLINE_BYTES = 16 << 10
"""Bodies up to this size are decoded on the event loop: a thread would cost more."""

_CLOCK = SystemClock()
_DECLARED, _VERSIONS = spec(), frozenset({VERSION})


def validated(body: bytes, content_type: str) -> tuple[int, Message]:
    """Return how many rows hold, and the record that carries them."""
    batch = codec.decode(body, content_type)
    system, name = (batch.column(column)[0].as_py() for column in ("system", "id"))
    checked = check_predictions(batch, system, _DECLARED, _VERSIONS, _CLOCK.now()).batch
    meta = headers.build(
        checked, Kind.PREDICTIONS, batch_id=name, source="/plain", now=_CLOCK.now()
    )
    return checked.num_rows, Message(PREDICTIONS.name, system, batches.to_bytes(checked), meta)


def app(producer: Producer) -> FastAPI:
    """Return the app."""
    made = FastAPI()

    async def acknowledged(message: Message) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Position | WatchkeeperError] = loop.create_future()

        def heard(outcome: Position | WatchkeeperError) -> None:
            loop.call_soon_threadsafe(answer.set_result, outcome)

        producer.send(message, heard)
        told = await answer
        if isinstance(told, WatchkeeperError):
            raise told

    async def predictions(request: Request) -> dict[str, object]:
        body = await request.body()
        content_type = request.headers["content-type"]
        if len(body) <= INLINE_BYTES:
            rows, message = validated(body, content_type)
        else:
            rows, message = await asyncio.to_thread(validated, body, content_type)
        await acknowledged(message)
        return {"accepted": rows, "duplicates": 0, "rejected": []}

    made.add_api_route("/v1/predictions", predictions, methods=["POST"], status_code=202)
    return made


class _Server(uvicorn.Server):
    """Says where it listens, as the services do."""

    def announce(self) -> None:
        """Wait until it listens, then print the address."""
        while not self.started:
            threading.Event().wait(0.01)
        port = self.servers[0].sockets[0].getsockname()[1]
        sys.stdout.write(f"ready http://127.0.0.1:{port}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    kafka = Producer(Access(read(LogSettings, environment()).kafka_bootstrap or ""))
    kafka.prime(PREDICTIONS.name)
    config = uvicorn.Config(
        app(kafka), host="127.0.0.1", port=0, log_level="error", access_log=False
    )
    server = _Server(config)
    threading.Thread(target=server.announce, daemon=True).start()
    server.run()
