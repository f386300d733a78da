"""Serve an application over HTTP until told to stop, and let requests in flight finish."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from fastapi import FastAPI

from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.observability.heads import BoundedProtocol

_DRAIN_SECONDS = 25  # Kubernetes kills 30 seconds after SIGTERM
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """A uvicorn that stops on an event; signals are the process's business, not its own."""

    def __init__(
        self, config: uvicorn.Config, stop: threading.Event, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()


def serve(
    app: FastAPI,
    host: str,
    port: int,
    stop: threading.Event,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until `stop` is set; then take no more, finish what is in flight, and return.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    stop
        See `stop_on_signals`.
    on_ready
        Called once with the URL, when requests are taken.

    Raises
    ------
    ConfigError
        The address cannot be listened on, or the application did not start.
    """
    with _listen(host, port) as listener:
        url = _url(listener)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,  # our own logs are configured already
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        server = _Server(config, stop, lambda: on_ready(url))
        server.run(sockets=[listener])
    if not server.started:
        raise ConfigError(f"the application did not start at {url}; the log says why")


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` at the first SIGTERM or SIGINT; a second one ends the process at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


@dataclass(frozen=True, slots=True)
class Served:
    """An application that is being served in a thread."""

    url: str

    @property
    def port(self) -> int:
        """The port that was taken."""
        return int(self.url.rpartition(":")[2])


@contextmanager
def served(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Iterator[Served]:
    """Serve in a thread while the block runs, for tests and the all-in-one process.

    Raises
    ------
    ConfigError
        The address cannot be listened on, or the application did not start.
    """
    stop, settled = threading.Event(), threading.Event()
    urls: list[str] = []
    errors: list[BaseException] = []

    def note(url: str) -> None:
        urls.append(url)
        settled.set()

    def run() -> None:
        try:
            serve(app, host, port, stop, on_ready=note)
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            errors.append(error)
        finally:
            settled.set()

    thread = threading.Thread(target=run, name="http")
    thread.start()
    try:
        settled.wait()
        if urls:
            yield Served(urls[0])
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
