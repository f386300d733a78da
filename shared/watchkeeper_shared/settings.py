"""Settings: read once, at the edge, from the environment; every problem told at once.

A service declares a frozen dataclass; the name of each field gives the variable
(`database_url` → `WATCHKEEPER_DATABASE_URL`) and its type says how the text is read. A
secret is declared with `secret()`: it is left out of `repr` and of messages, and may stand
in a file that `WATCHKEEPER_DATABASE_URL_FILE` names. An empty variable counts as not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_type_hints

from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.values import UnreadableValue, parse

PREFIX = "WATCHKEEPER_"


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


SettingsT = TypeVar("SettingsT", bound=_Dataclass)


def environment() -> Mapping[str, str]:
    """Return the process's environment: for `main`, which hands it to `read`."""
    return dict(os.environ)


def secret(default: Any = MISSING) -> Any:
    """Declare a field whose value nobody may see."""
    return field(default=default, repr=False, metadata={"secret": True})


def read(cls: type[SettingsT], env: Mapping[str, str]) -> SettingsT:
    """Make the settings of one service.

    Parameters
    ----------
    cls
        A frozen dataclass of str, int, float, bool, timedelta (`90s`, `15m`), Path, enums,
        literals, tuples of these (comma between), and any of them or None. Its
        `__post_init__` may refuse a combination with `ValueError`.
    env
        The environment.

    Raises
    ------
    ConfigError
        Names every variable that is missing or cannot be read, all at once.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for one in fields(cls):
        try:
            text = _text_of(one, env)
            if text is not None:
                values[one.name] = _parsed(one, hints[one.name], text)
            elif one.default is MISSING and one.default_factory is MISSING:
                problems.append(f"{variable(one.name)} is not set")
        except ValueError as error:
            problems.append(str(error))
    return _made(cls, values, problems)


def variable(name: str) -> str:
    """Return the variable of a field.

    Examples
    --------
    >>> variable("database_url")
    'WATCHKEEPER_DATABASE_URL'
    """
    return PREFIX + name.upper()


def _text_of(one: Field[Any], env: Mapping[str, str]) -> str | None:
    name = variable(one.name)
    direct = env.get(name) or None
    file = env.get(f"{name}_FILE") if one.metadata.get("secret") else None
    if not file:
        return direct
    if direct is not None:
        raise ValueError(f"{name} and {name}_FILE are both set; set one")
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_FILE={file!r} cannot be read: {error}") from error
    if not text:
        raise ValueError(f"{name}_FILE={file!r} is empty")
    return text


def _parsed(one: Field[Any], hint: Any, text: str) -> Any:
    try:
        return parse(hint, text)
    except UnreadableValue as error:
        if one.metadata.get("secret"):
            raise ValueError(f"{variable(one.name)} (secret) cannot be read") from None
        raise ValueError(f"{variable(one.name)}={text!r}: {error}") from error


def _made(cls: type[SettingsT], values: dict[str, Any], problems: list[str]) -> SettingsT:
    if not problems:
        try:
            return cls(**values)
        except ValueError as error:
            problems.append(str(error))
    raise ConfigError("; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Where the database is.

    Parameters
    ----------
    database_url
        See `db.engine.open_engine`; secret, because it may hold a password.
    """

    database_url: str = secret()


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Where the event log is: a Kafka, or one SQLite file on this machine.

    Parameters
    ----------
    kafka_bootstrap
        `host:port`, several with commas between; left out: the embedded log.
    log_path
        The file of the embedded log; needed where there is no Kafka.
    topic_partitions
        How many partitions `topics create` and the embedded log make.
    log_retention, log_retention_bytes
        The embedded log forgets what is older, and the oldest of a partition that has grown
        larger; a Kafka has retention of its own.
    kafka_security_protocol, kafka_sasl_mechanism, kafka_sasl_username, kafka_sasl_password
        How to prove who we are to the brokers.
    kafka_oauth_token_file
        OAUTHBEARER: a file with the token, read anew for each connection.
    kafka_oauth_token_url, kafka_oauth_client_id, kafka_oauth_client_secret, kafka_oauth_scope
        OAUTHBEARER: the endpoint that gives a token for these client credentials instead.
    kafka_ssl_cafile, kafka_ssl_certfile, kafka_ssl_keyfile, kafka_ssl_password
        Whom to trust, our certificate, its key and the key's password.
    kafka_client
        Which library speaks Kafka; `confluent` is an extra.
    kafka_session_timeout
        How long a reader may be silent before the group gives its partitions to others; the
        brokers bound it (`group.min.session.timeout.ms`, 6 s where nobody changed it).
    """

    kafka_bootstrap: str | None = None
    log_path: Path | None = None
    topic_partitions: int = 4
    log_retention: timedelta = timedelta(days=7)
    log_retention_bytes: int = 1 << 30
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: (
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None
    ) = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = secret(None)
    kafka_oauth_token_file: Path | None = None
    kafka_oauth_token_url: str | None = None
    kafka_oauth_client_id: str | None = None
    kafka_oauth_client_secret: str | None = secret(None)
    kafka_oauth_scope: str | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_ssl_password: str | None = secret(None)
    kafka_client: Literal["kafka-python", "confluent"] = "kafka-python"
    kafka_session_timeout: timedelta = timedelta(seconds=15)

    def __post_init__(self) -> None:
        """Refuse what would fail later, far from here."""
        if self.kafka_bootstrap is None and self.log_path is None:
            raise ValueError(
                "set WATCHKEEPER_KAFKA_BOOTSTRAP, or WATCHKEEPER_LOG_PATH for the embedded log"
            )
        if self.log_retention <= timedelta(0) or self.log_retention_bytes < 1:
            raise ValueError(
                "WATCHKEEPER_LOG_RETENTION and WATCHKEEPER_LOG_RETENTION_BYTES must be above 0, "
                f"got {self.log_retention} and {self.log_retention_bytes}"
            )
        if self.topic_partitions < 1:
            raise ValueError(f"WATCHKEEPER_TOPIC_PARTITIONS={self.topic_partitions} must be >= 1")
        missing = self._missing()
        if missing:
            protocol = f"WATCHKEEPER_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}"
            raise ValueError(f"{protocol} needs {' and '.join(map(variable, missing))}")

    def _missing(self) -> list[str]:
        """Return the names of what the protocol and the mechanism need and do not have."""
        needed: tuple[str, ...] = ()
        if self.kafka_security_protocol.startswith("SASL"):
            needed = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
        if needed and self.kafka_sasl_mechanism == "OAUTHBEARER":
            needed = ("kafka_oauth_token_file",)
            if self.kafka_oauth_token_url is not None:
                needed = ("kafka_oauth_client_id", "kafka_oauth_client_secret")
        return [name for name in needed if getattr(self, name) is None]

    @property
    def kafka_security(self) -> Mapping[str, str]:
        """What is set about security, for `Access`."""
        options = {
            "security_protocol": self.kafka_security_protocol,
            "sasl_mechanism": self.kafka_sasl_mechanism,
            "sasl_plain_username": self.kafka_sasl_username,
            "sasl_plain_password": self.kafka_sasl_password,
            "oauth_token_file": self.kafka_oauth_token_file,
            "oauth_token_url": self.kafka_oauth_token_url,
            "oauth_client_id": self.kafka_oauth_client_id,
            "oauth_client_secret": self.kafka_oauth_client_secret,
            "oauth_scope": self.kafka_oauth_scope,
            "ssl_cafile": self.kafka_ssl_cafile,
            "ssl_certfile": self.kafka_ssl_certfile,
            "ssl_keyfile": self.kafka_ssl_keyfile,
            "ssl_password": self.kafka_ssl_password,
        }
        return {name: str(value) for name, value in options.items() if value is not None}
