"""Where OAUTHBEARER tokens come from: a file that somebody renews, or a token endpoint."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import httpx

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import CredentialsRefused, LogUnavailable

# A token without a readable end is asked for again after this long.
ASSUMED_SECONDS = 60.0
# A token that ends this soon may end on its way.
MARGIN_SECONDS = 30.0
ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    Parameters
    ----------
    text
        What is shown to the broker; nothing else may see it.
    expires
        Seconds of Unix time.
    """

    text: str
    expires: float

    def __repr__(self) -> str:
        """Return when it ends, and nothing of the token."""
        return f"Token(expires={self.expires:.0f})"


class TokenSource(Protocol):
    """Gives a token that holds now. Safe to call from several threads."""

    def token(self) -> Token:
        """Return a token.

        Raises
        ------
        CredentialsRefused
            There is none to be had, and trying again soon would not help.
        LogUnavailable
            The token endpoint does not answer.
        """
        ...


class TokenFile:
    """Reads the token from a file at each use, because somebody else renews it there.

    Parameters
    ----------
    path
        The file; Kubernetes and agents of identity providers write such files.
    clock
        For tokens that do not say when they end.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def token(self) -> Token:
        """Read the file."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = type(error).__name__
            raise CredentialsRefused(
                f"the token file {self._path} cannot be read ({reason}): check"
                " WATCHKEEPER_KAFKA_OAUTH_TOKEN_FILE and who renews it"
            ) from None
        if not text:
            raise CredentialsRefused(f"the token file {self._path} is empty: see who renews it")
        now = self._clock.now().timestamp()
        end = end_of(text)
        if end is not None and end <= now:
            raise CredentialsRefused(
                f"the token in {self._path} ended {now - end:.0f} s ago: see who renews it"
            )
        return Token(text, now + ASSUMED_SECONDS if end is None else end)


class ClientCredentials:
    """Asks a token endpoint, and keeps the token until shortly before its end.

    Parameters
    ----------
    url
        The token endpoint.
    client_id, client_secret
        Who asks (RFC 6749, section 4.4; sent as HTTP basic authentication).
    scope
        What is asked for; empty: what the endpoint gives by default.
    clock
        For the token's end.
    """

    def __init__(
        self, url: str, client_id: str, client_secret: str, scope: str, clock: Clock
    ) -> None:
        self._url = url
        self._who = (client_id, client_secret)
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._clock = clock
        self._lock = Lock()
        self._kept: Token | None = None

    def token(self) -> Token:
        """Return the kept token, or ask for one."""
        with self._lock:
            now = self._clock.now().timestamp()
            if self._kept is None or self._kept.expires - MARGIN_SECONDS <= now:
                self._kept = self._ask(now)
            return self._kept

    def _ask(self, now: float) -> Token:
        asked = f"token endpoint {self._url}"
        try:
            answer = httpx.post(self._url, data=self._form, auth=self._who, timeout=ASK_SECONDS)
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
            raise LogUnavailable(f"the {asked} does not answer: {reason}") from None
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise LogUnavailable(f"the {asked} answers {answer.status_code}")
        if not answer.is_success:
            raise CredentialsRefused(
                f"the {asked} refuses client {self._who[0]} with {answer.status_code}: check"
                " WATCHKEEPER_KAFKA_OAUTH_CLIENT_ID and …_CLIENT_SECRET"
            )
        try:
            given = answer.json()
            text = str(given["access_token"])
            lasts = float(given.get("expires_in", ASSUMED_SECONDS))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LogUnavailable(f"the {asked} answers without an access_token") from None
        return Token(text, now + lasts)


def end_of(token: str) -> float | None:
    """Return when a JSON web token ends, in Unix seconds; None where it does not say.

    Nothing is verified: that is the broker's part.

    Examples
    --------
    >>> end_of("e30.eyJleHAiOiAxN30.")
    17.0
    >>> end_of("opaque") is None
    True
    """
    parts = token.split(".")
    if len(parts) < 2:  # noqa: PLR2004 - header and claims
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
