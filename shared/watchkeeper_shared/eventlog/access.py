"""How the brokers are reached and who we are to them; nothing of either client."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.eventlog.tokens import ClientCredentials, TokenFile, TokenSource


@dataclass(frozen=True)
class Access:
    """Addresses and credentials of one process.

    Parameters
    ----------
    bootstrap
        Addresses of some brokers: `host:port,host:port`.
    security
        What `LogSettings.kafka_security` returns; by the names that kafka-python gives to
        most of it.
    tokens
        Where OAUTHBEARER tokens come from.
    """

    bootstrap: str
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)

    @property
    def protocol(self) -> str:
        """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
        return self.security.get("security_protocol", "PLAINTEXT")

    @property
    def mechanism(self) -> str | None:
        """The SASL mechanism, where SASL is spoken."""
        return self.security["sasl_mechanism"] if self.protocol.startswith("SASL") else None

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.protocol.endswith("SSL")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each bootstrap address."""
        pairs = (address.strip().rpartition(":") for address in self.bootstrap.split(","))
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]


def access(bootstrap: str, security: Mapping[str, str], clock: Clock) -> Access:
    """Bring together what a client needs, and refuse what cannot work.

    Raises
    ------
    ConfigError
        An address cannot be read, a certificate or key cannot be loaded, or there is no
        source of tokens.
    """
    made = Access(bootstrap, dict(security), _tokens(security, clock))
    try:
        found = made.addresses
    except ValueError:
        found = []
    if not found:
        raise ConfigError(f"{bootstrap!r} is not host:port,host:port: see the bootstrap address")
    if made.mechanism == "OAUTHBEARER" and made.tokens is None:
        raise ConfigError(
            "OAUTHBEARER needs WATCHKEEPER_KAFKA_OAUTH_TOKEN_FILE or …_OAUTH_TOKEN_URL"
        )
    if made.encrypted:
        tls_context(made)
    return made


def tls_context(one: Access) -> ssl.SSLContext:
    """Return how TLS is spoken with the brokers: their certificate and name are checked.

    Raises
    ------
    ConfigError
        A file cannot be read or does not fit; the message names it and what to set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority = one.security.get("ssl_cafile")
    if authority is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise ConfigError(
                f"WATCHKEEPER_KAFKA_SSL_CAFILE={authority}: {_said(error)}; name a PEM file with"
                " the certificates of the authorities to trust"
            ) from error
    if "ssl_certfile" in one.security:
        _load_ours(context, one.security)
    return context


def _load_ours(context: ssl.SSLContext, security: Mapping[str, str]) -> None:
    certificate, key = security["ssl_certfile"], security.get("ssl_keyfile")
    # An answer at hand keeps OpenSSL from asking for a password on the terminal.
    password = security.get("ssl_password", "")
    try:
        context.load_cert_chain(certificate, key, lambda: password)
    except OSError as error:
        raise ConfigError(
            f"WATCHKEEPER_KAFKA_SSL_CERTFILE={certificate}, …_SSL_KEYFILE={key}: {_said(error)};"
            " name PEM files of a certificate and its key, and …_SSL_PASSWORD if the key has one"
        ) from error


def _said(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"OpenSSL says {error.reason or 'that it cannot be read'}"
    return error.strerror or type(error).__name__


def _tokens(security: Mapping[str, str], clock: Clock) -> TokenSource | None:
    if "oauth_token_file" in security:
        return TokenFile(Path(security["oauth_token_file"]), clock)
    if "oauth_token_url" in security:
        return ClientCredentials(
            security["oauth_token_url"],
            security["oauth_client_id"],
            security["oauth_client_secret"],
            security.get("oauth_scope", ""),
            clock,
        )
    return None
