"""Settings come from the environment, and every problem is told at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest

from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.settings import LogSettings, StoreSettings, environment, read, secret


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str
    token: str = secret()
    rows: int = 10
    share: float = 0.5
    fast: bool = False
    pause: timedelta = timedelta(minutes=1)
    folder: Path | None = None
    colour: Colour = Colour.RED
    mode: Literal["a", "b"] = "a"
    topics: tuple[str, ...] = ()
    parts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows > 100:
            raise ValueError("WATCHKEEPER_ROWS must be at most 100")


NEEDED = {"WATCHKEEPER_NAME": "n", "WATCHKEEPER_TOKEN": "s3cret"}


def test_every_type_is_read_from_text() -> None:
    settings = read(
        Sample,
        NEEDED
        | {
            "WATCHKEEPER_ROWS": "7",
            "WATCHKEEPER_SHARE": "0.25",
            "WATCHKEEPER_FAST": "true",
            "WATCHKEEPER_PAUSE": "90s",
            "WATCHKEEPER_FOLDER": "/data",
            "WATCHKEEPER_COLOUR": "blue",
            "WATCHKEEPER_MODE": "b",
            "WATCHKEEPER_TOPICS": "x, y,",
        },
    )

    assert settings == Sample(
        name="n",
        token="s3cret",
        rows=7,
        share=0.25,
        fast=True,
        pause=timedelta(seconds=90),
        folder=Path("/data"),
        colour=Colour.BLUE,
        mode="b",
        topics=("x", "y"),
    )


def test_what_is_not_set_or_empty_keeps_its_default() -> None:
    assert read(Sample, NEEDED | {"WATCHKEEPER_ROWS": ""}) == Sample(name="n", token="s3cret")


def test_every_problem_is_told_at_once_and_by_name() -> None:
    with pytest.raises(ConfigError) as told:
        read(
            Sample,
            {
                "WATCHKEEPER_ROWS": "many",
                "WATCHKEEPER_SHARE": "nan",
                "WATCHKEEPER_FAST": "perhaps",
                "WATCHKEEPER_PAUSE": "soon",
                "WATCHKEEPER_COLOUR": "green",
            },
        )

    message = str(told.value)
    for part in (
        "WATCHKEEPER_NAME is not set",
        "WATCHKEEPER_TOKEN is not set",
        "WATCHKEEPER_ROWS='many': must be a whole number",
        "WATCHKEEPER_SHARE='nan': must be a number",
        "WATCHKEEPER_FAST='perhaps': must be true or false",
        "WATCHKEEPER_PAUSE='soon'",
        "WATCHKEEPER_COLOUR='green': must be one of red, blue",
    ):
        assert part in message


def test_a_combination_that_does_not_hold_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="at most 100"):
        read(Sample, NEEDED | {"WATCHKEEPER_ROWS": "101"})


def test_a_secret_is_shown_nowhere() -> None:
    @dataclass(frozen=True)
    class Odd:
        token: int = secret()

    assert "s3cret" not in repr(read(Sample, NEEDED))
    with pytest.raises(ConfigError) as told:
        read(Odd, {"WATCHKEEPER_TOKEN": "s3cret"})
    assert "s3cret" not in str(told.value)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    env = {"WATCHKEEPER_NAME": "n", "WATCHKEEPER_TOKEN_FILE": str(tmp_path / "token")}

    assert read(Sample, env).token == "from-file"
    with pytest.raises(ConfigError, match="both set"):
        read(Sample, env | NEEDED)


@pytest.mark.parametrize("content", [None, "", b"\xff\xfe\x00"])
def test_a_secret_file_without_a_secret_is_a_problem(
    tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(ConfigError, match="WATCHKEEPER_TOKEN_FILE="):
        read(Sample, {"WATCHKEEPER_NAME": "n", "WATCHKEEPER_TOKEN_FILE": str(file)})


def test_a_type_that_cannot_be_read_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="cannot be of type"):
        read(Sample, NEEDED | {"WATCHKEEPER_PARTS": "{}"})


def test_the_environment_of_the_process_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_NAME", "before")
    env = environment()
    monkeypatch.setenv("WATCHKEEPER_NAME", "after")

    assert env["WATCHKEEPER_NAME"] == "before"


def test_a_database_is_required_and_its_password_is_hidden() -> None:
    with pytest.raises(ConfigError, match="WATCHKEEPER_DATABASE_URL is not set"):
        read(StoreSettings, {})
    url = "postgresql://user:pass@host/db"
    assert "pass" not in repr(read(StoreSettings, {"WATCHKEEPER_DATABASE_URL": url}))


def test_a_log_needs_a_kafka_or_a_file() -> None:
    with pytest.raises(ConfigError, match=r"WATCHKEEPER_KAFKA_BOOTSTRAP.*WATCHKEEPER_LOG_PATH"):
        read(LogSettings, {})
    assert read(LogSettings, {"WATCHKEEPER_LOG_PATH": "/data/log.db"}).kafka_bootstrap is None


def test_security_is_passed_on_by_the_names_of_the_client() -> None:
    settings = read(
        LogSettings,
        {
            "WATCHKEEPER_KAFKA_BOOTSTRAP": "k:9092",
            "WATCHKEEPER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "WATCHKEEPER_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "WATCHKEEPER_KAFKA_SASL_USERNAME": "wk",
            "WATCHKEEPER_KAFKA_SASL_PASSWORD": "pw",
            "WATCHKEEPER_KAFKA_SSL_CAFILE": "/ca.pem",
        },
    )

    assert settings.kafka_security == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "wk",
        "sasl_plain_password": "pw",
        "ssl_cafile": "/ca.pem",
    }


@pytest.mark.parametrize(
    "extra",
    [
        {"WATCHKEEPER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
        {"WATCHKEEPER_TOPIC_PARTITIONS": "0"},
        {"WATCHKEEPER_KAFKA_SECURITY_PROTOCOL": "TLS"},
    ],
    ids=["no user", "no partitions", "unknown protocol"],
)
def test_a_log_that_could_not_be_used_is_refused(extra: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        read(LogSettings, {"WATCHKEEPER_KAFKA_BOOTSTRAP": "k:9092"} | extra)
