"""A short conversation with a broker that finds out why it would refuse us.

Neither client says it: one answers every wrong credential with "unable to bootstrap" after its
whole timeout, because it drops what a broker says just before closing; the other tells
nothing of plaintext spoken to a TLS port. So before a client is built we connect once, go as
far as the first request, and name the step that failed. It costs one connection per client.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from watchkeeper_shared.errors import (
    CertificateRefused,
    CredentialsRefused,
    LogRefused,
    LogUnavailable,
    ProtocolMismatch,
)
from watchkeeper_shared.eventlog import sasl
from watchkeeper_shared.eventlog.access import Access, tls_context

STEP_SECONDS = 5.0
"""How long each step of the handshake may take."""

METADATA, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = (3, 5), (17, 1), (18, 0), (36, 0)
_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE = 33, 34
_SMALLEST_ANSWER, _LARGEST_ANSWER = 4, 64 << 20


def knock(access: Access) -> None:
    """Return if one of the addresses takes us.

    Raises
    ------
    LogRefused
        None does, and at least one said why.
    LogUnavailable
        No token can be had now.
    OSError
        None of them answers.
    """
    failure: OSError | LogUnavailable | None = None
    for host, port in access.addresses:
        try:
            _Visit(access, host, port).make()
        except (OSError, LogUnavailable) as error:
            # What a broker said is worth more than another one's silence.
            failure = failure if isinstance(failure, LogRefused) else error
        else:
            return
    if failure is not None:
        raise failure


class _Visit:
    """One connection to one address."""

    def __init__(self, access: Access, host: str, port: int) -> None:
        self._access = access
        self._host = host
        self._port = port
        self._where = f"{host}:{port}"

    def make(self) -> None:
        where = (self._host, self._port)
        with (
            socket.create_connection(where, STEP_SECONDS) as raw,
            self._encrypted(raw) as connection,
        ):
            self._first_word(connection)
            if self._access.mechanism is not None:
                self._introduce(connection, self._access.mechanism)
            self._first_request(connection)

    @contextmanager
    def _encrypted(self, raw: socket.socket) -> Iterator[socket.socket]:
        if not self._access.encrypted:
            yield raw
            return
        context = tls_context(self._access)
        try:
            wrapped = context.wrap_socket(raw, server_hostname=self._host.rstrip("."))
        except ssl.SSLCertVerificationError as error:
            raise CertificateRefused(
                f"TLS: the certificate of {self._where} is not trusted: {error.verify_message};"
                " check WATCHKEEPER_KAFKA_SSL_CAFILE and the name in the address"
            ) from error
        except (ssl.SSLError, ConnectionError) as error:
            raise self._broken_tls(error) from error
        with wrapped:
            yield wrapped

    def _broken_tls(self, error: OSError) -> LogRefused:
        reason = getattr(error, "reason", None) or type(error).__name__
        if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
            given = self._access.security.get("ssl_certfile", "none was sent")
            return CertificateRefused(
                f"TLS: {self._where} does not take our certificate ({given}): {reason}; check"
                " WATCHKEEPER_KAFKA_SSL_CERTFILE and whom the broker trusts"
            )
        return ProtocolMismatch(
            f"TLS spoken to {self._where}, which does not answer in TLS ({reason}): use a TLS"
            f" port, or another protocol than {self._access.protocol}"
        )

    def _first_word(self, connection: socket.socket) -> None:
        """Ask for versions: every listener answers that, whoever asks."""
        try:
            _ask(connection, API_VERSIONS, b"")
        except ssl.SSLError as error:
            raise self._broken_tls(error) from error
        except ConnectionError as error:
            raise ProtocolMismatch(
                f"{'TLS' if self._access.encrypted else 'plaintext'} spoken to {self._where}, which"
                f" hung up at the first word: {self._access.protocol} is not what this port"
                " speaks, or the broker is going down; check"
                " WATCHKEEPER_KAFKA_SECURITY_PROTOCOL and the port"
            ) from error

    def _introduce(self, connection: socket.socket, mechanism: str) -> None:
        answer = _ask(connection, SASL_HANDSHAKE, _text(mechanism))
        (code,) = struct.unpack_from(">h", answer)
        if code == _ILLEGAL_STATE:
            raise ProtocolMismatch(
                f"SASL spoken to {self._where}, which asks for no authentication: use another"
                f" port, or another protocol than {self._access.protocol}"
            )
        if code == _UNSUPPORTED_MECHANISM:
            raise ProtocolMismatch(
                f"{self._where} does not offer {mechanism}, only {', '.join(_texts(answer, 2))}:"
                " set WATCHKEEPER_KAFKA_SASL_MECHANISM"
            )
        try:
            self._converse(connection, self._conversation(mechanism))
        except (sasl.Unproven, ValueError, ConnectionError) as error:
            raise CredentialsRefused(
                f"{mechanism} authentication of {self._whom()} refused by {self._where}: {error};"
                " check user and secret on both sides"
            ) from None

    def _conversation(self, mechanism: str) -> sasl.Conversation:
        if self._access.tokens is not None and mechanism == "OAUTHBEARER":
            return sasl.oauth_bearer(self._access.tokens.token().text)
        user = self._access.security.get("sasl_plain_username", "")
        password = self._access.security.get("sasl_plain_password", "")
        if mechanism == "PLAIN":
            return sasl.plain(user, password)
        return sasl.scram(mechanism, user, password, secrets.token_hex(16))

    def _converse(self, connection: socket.socket, spoken: sasl.Conversation) -> None:
        words = next(spoken)
        while True:
            answer = _ask(connection, SASL_AUTHENTICATE, _block(words))
            (code,) = struct.unpack_from(">h", answer)
            message, rest = _nullable_text(answer, 2)
            if code:
                raise sasl.Unproven(message or f"error {code}")
            try:
                words = spoken.send(answer[rest + 4 :])
            except StopIteration:
                return

    def _whom(self) -> str:
        if self._access.mechanism == "OAUTHBEARER":
            client = self._access.security.get("oauth_client_id")
            return f"client {client}" if client else "the bearer of the token"
        return f"user {self._access.security.get('sasl_plain_username')}"

    def _first_request(self, connection: socket.socket) -> None:
        """Ask for the metadata of no topic: who must log in first is thrown out here."""
        try:
            _ask(connection, METADATA, struct.pack(">i?", 0, False))
        except ConnectionError as error:
            if self._access.mechanism is not None:
                raise
            raise ProtocolMismatch(
                f"{self._where} hung up at the first request without authentication: it asks for"
                " SASL; set WATCHKEEPER_KAFKA_SECURITY_PROTOCOL and …_SASL_MECHANISM"
            ) from error


def _ask(connection: socket.socket, what: tuple[int, int], body: bytes) -> bytes:
    """Send one request and return its answer, after the correlation id."""
    kind, version = what
    request = struct.pack(">hhi", kind, version, 0) + _text("watchkeeper") + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _received(connection, 4))
    if not _SMALLEST_ANSWER <= size <= _LARGEST_ANSWER:
        raise ConnectionError("what came back is not Kafka's protocol")
    return _received(connection, size)[4:]


def _received(connection: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        part = connection.recv(min(size - len(got), 1 << 16))
        if not part:
            raise ConnectionResetError("the broker closed the connection")
        got += part
    return bytes(got)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _block(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def _nullable_text(answer: bytes, at: int) -> tuple[str | None, int]:
    (size,) = struct.unpack_from(">h", answer, at)
    end = at + 2 + max(size, 0)
    return (None if size < 0 else answer[at + 2 : end].decode(errors="replace")), end


def _texts(answer: bytes, at: int) -> list[str]:
    (count,) = struct.unpack_from(">i", answer, at)
    found, at = [], at + 4
    for _ in range(count):
        text, at = _nullable_text(answer, at)
        found.append(text or "")
    return found
