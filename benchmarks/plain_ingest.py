"""The least that an ingest can do: decode, validate, send, wait for the acknowledgement.

    python -m benchmarks.plain_ingest --port 0

No key, no admission, no coalescing, no counters, no deadline. What `watchkeeper ingest` keeps
of this app's throughput is the price of everything that protects its caller.
"""

from __future__ import annotations

import asyncio
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request

from benchmarks.stream import VERSION, spec
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.eventlog.port import Message
from watchkeeper_shared.events import batches, codec, headers
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.events.validation import check_predictions
from watchkeeper_shared.settings import LogSettings, environment, read
from watchkeeper_shared.topics import PREDICTIONS


def app(bootstrap: str) -> FastAPI:
    """Return the app."""
    clock = SystemClock()
    writer = KafkaLog(bootstrap, clock).writer()
    made, declared, versions = FastAPI(), spec(), frozenset({VERSION})

    def validated(body: bytes, content_type: str) -> tuple[int, Message]:
        batch = codec.decode(body, content_type)
        system, name = (str(batch.column(column)[0]) for column in ("system", "id"))
        checked = check_predictions(batch, system, declared, versions, clock.now()).batch
        meta = headers.build(
            checked, Kind.PREDICTIONS, batch_id=name, source="/plain", now=clock.now()
        )
        return checked.num_rows, Message(PREDICTIONS.name, system, batches.to_bytes(checked), meta)

    async def predictions(request: Request) -> dict[str, object]:
        body = await request.body()
        content_type = request.headers["content-type"]
        rows, message = await asyncio.to_thread(validated, body, content_type)
        await asyncio.wrap_future(writer.append(message))
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
    kafka = read(LogSettings, environment()).kafka_bootstrap or ""
    config = uvicorn.Config(app(kafka), host="127.0.0.1", port=0, log_level="error")
    server = _Server(config)
    threading.Thread(target=server.announce, daemon=True).start()
    server.run()
