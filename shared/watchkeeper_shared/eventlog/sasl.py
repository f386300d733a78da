"""What a client says to prove who it is: PLAIN, SCRAM and OAUTHBEARER, as bytes; pure.

Both Kafka clients have their own; ours serves the short handshake that finds out *why* they
would be refused (see `kafka_handshake`), which neither client tells.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Generator
from typing import TypeAlias

Conversation: TypeAlias = Generator[bytes, bytes, None]
"""Yields what to send and is sent what came back; ends when the server is believed."""

_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Unproven(Exception):
    """The server does not take us, or does not know our password itself."""


def plain(user: str, password: str) -> Conversation:
    """Say name and password (RFC 4616)."""
    yield b"\0".join((b"", user.encode(), password.encode()))


def oauth_bearer(token: str) -> Conversation:
    """Show a token (RFC 7628); an answer that is not empty is a refusal."""
    answer = yield f"n,,\x01auth=Bearer {token}\x01\x01".encode()
    if answer:
        raise Unproven(answer.decode(errors="replace"))


def scram(mechanism: str, user: str, password: str, nonce: str) -> Conversation:
    """Prove to know the password without saying it, and have the server prove it too.

    Parameters
    ----------
    mechanism
        `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    user, password
        Who we are.
    nonce
        Random text, used once.

    Notes
    -----
    RFC 5802 without channel binding, as Kafka speaks it.
    """
    name = _HASHES[mechanism]
    escaped = user.replace("=", "=3D").replace(",", "=2C")
    opening = f"n={escaped},r={nonce}"
    challenge = (yield f"n,,{opening}".encode()).decode()
    given = _fields(challenge)
    if not given.get("r", "").startswith(nonce) or not {"s", "i"} <= given.keys():
        raise Unproven(f"the server answered {challenge.partition(',')[0]!r}")
    rounds, salt = int(given["i"]), base64.b64decode(given["s"])
    salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, rounds)
    closing = f"c=biws,r={given['r']}"
    spoken = f"{opening},{challenge},{closing}".encode()
    proof = _proof(name, salted, spoken)
    final = _fields((yield f"{closing},p={proof}".encode()).decode())
    expected = hmac.digest(hmac.digest(salted, b"Server Key", name), spoken, name)
    if not hmac.compare_digest(_bytes(final.get("v", "")), expected):
        raise Unproven(final.get("e", "the server does not know the password itself"))


def _proof(name: str, salted: bytes, spoken: bytes) -> str:
    key = hmac.digest(salted, b"Client Key", name)
    signature = hmac.digest(hashlib.new(name, key).digest(), spoken, name)
    mixed = bytes(left ^ right for left, right in zip(key, signature, strict=True))
    return base64.b64encode(mixed).decode()


def _fields(message: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in message.split(","))
    return {name: value for name, _, value in pairs}


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""
