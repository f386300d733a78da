"""Which event log a process uses: Kafka if an address is set, else the embedded one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from watchkeeper_shared.clock import Clock
from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.eventlog.clients import SESSION, KafkaClient
from watchkeeper_shared.eventlog.embedded import EmbeddedLog
from watchkeeper_shared.eventlog.port import EventLog
from watchkeeper_shared.settings import LogSettings
from watchkeeper_shared.topics import TOPICS


def log_of(settings: LogSettings, clock: Clock) -> EventLog:
    """Open the event log that the settings name.

    Raises
    ------
    ConfigError, LogUnavailable
        As `open_log`.
    """
    return open_log(
        settings.kafka_bootstrap,
        settings.log_path,
        clock,
        settings.kafka_security,
        settings.kafka_client,
        settings.kafka_session_timeout,
    )


def open_log(
    kafka_bootstrap: str | None,
    path: Path | None,
    clock: Clock,
    security: Mapping[str, str] | None = None,
    client: KafkaClient = "kafka-python",
    session: timedelta = SESSION,
) -> EventLog:
    """Open an event log.

    Parameters
    ----------
    kafka_bootstrap
        Addresses of Kafka brokers, or nothing.
    path
        The file of the embedded log; used when there is no Kafka.
    clock
        For deadlines and record times.
    security, client, session
        As for `KafkaLog`.

    Raises
    ------
    ConfigError
        Neither is set, packages for Kafka are missing, or a certificate cannot be loaded.
    LogUnavailable
        The file cannot be opened. Kafka is asked later, by the first use.
    """
    if kafka_bootstrap:
        # Imported here: whoever runs without Kafka does not wait for its client to load.
        from watchkeeper_shared.eventlog.kafka_log import KafkaLog  # noqa: PLC0415

        return KafkaLog(kafka_bootstrap, clock, security=security, client=client, session=session)
    if path is None:
        raise ConfigError(
            "no event log: set WATCHKEEPER_KAFKA_BOOTSTRAP, or a folder for the embedded log"
        )
    return EmbeddedLog(path, clock)


def create_topics(log: EventLog, partitions: int) -> None:
    """Create every topic of the flow that is missing, and its dead letters.

    Parameters
    ----------
    log
        Where.
    partitions
        How many each topic gets; dead letters are few and get one.
    """
    wanted = {topic.name: partitions for topic in TOPICS}
    wanted |= {topic.dead_letters: 1 for topic in TOPICS}
    log.create_topics(wanted, [topic.name for topic in TOPICS if topic.compacted])
