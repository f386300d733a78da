"""How the clients of kafka-python are built and connected; the other file that imports it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.sasl.oauth import AbstractTokenProvider

from watchkeeper_shared.eventlog.access import Access
from watchkeeper_shared.eventlog.kafka_failures import translated
from watchkeeper_shared.eventlog.kafka_handshake import knock
from watchkeeper_shared.eventlog.kafka_settings import common
from watchkeeper_shared.eventlog.tokens import TokenSource

_AT_ONCE = 256 << 10


class _Generous(socket.socket):
    """Reads as much as there is: asked 4 KiB at a time, a fetch takes hundreds of calls."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(max(size, _AT_ONCE), flags)


class _Direct(KafkaNetSocket):  # type: ignore[misc]
    """Connects without a proxy and closes the socket of a failed attempt.

    The client's own way leaves it to the garbage collector, one per attempt of an outage.
    """

    SCHEMES = ("direct",)

    def socket(self, *kind: Any) -> socket.socket:
        return _Generous(*kind)

    async def sock_connect(self, net: Any, sock: Any, *where: Any, **limits: Any) -> Any:
        try:
            return await super().sock_connect(net, sock, *where, **limits)
        except BaseException:
            sock.close()
            raise


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Hands our tokens to the client, which asks at each connection."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source.token().text


def built(make: Callable[..., Any], access: Access, **settings: Any) -> Any:
    """Build a client of the library, or leave nothing behind.

    A constructor that gives up ("unable to bootstrap") leaves its I/O thread running and
    connecting for ever, so we hold on to the part that can be closed.
    """
    parts: list[Any] = []

    def network(*args: Any, **kwargs: Any) -> Any:
        parts.append(KafkaNetClient(*args, **kwargs))
        return parts[-1]

    _hush()
    whole = common(access) | settings
    if access.tokens is not None:
        whole["sasl_oauth_token_provider"] = _Tokens(access.tokens)
    with translated(access.bootstrap, "be reached"):
        knock(access)
        try:
            return make(**whole, proxy_url="direct://", kafka_client=network)
        except BaseException:
            for part in parts:
                part.close()
            raise


def _hush() -> None:
    """Keep the client from telling what it sends: its DEBUG lines hold records and passwords."""
    logger = logging.getLogger("kafka")
    if logger.getEffectiveLevel() < logging.INFO:
        logger.setLevel(logging.INFO)
