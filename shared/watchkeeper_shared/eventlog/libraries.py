"""Which library speaks Kafka; imported only where it is asked for."""

from __future__ import annotations

from watchkeeper_shared.errors import ConfigError
from watchkeeper_shared.eventlog.clients import Clients, KafkaClient


def load(client: KafkaClient) -> Clients:
    """Import a library and return what it gives.

    Raises
    ------
    ConfigError
        It is not installed, or not whole.
    """
    # Imported here: whoever runs without Kafka does not wait for its clients to load.
    from watchkeeper_shared.eventlog import kafka  # noqa: PLC0415

    kafka.require_codecs()
    if client == "kafka-python":
        return Clients(kafka.Producer, kafka.Consumer, kafka.Admin)
    try:
        from watchkeeper_shared.eventlog import confluent  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"WATCHKEEPER_KAFKA_CLIENT=confluent needs a package that is not here ({error.name}):"
            " pip install watchkeeper[confluent]"
        ) from error
    return Clients(confluent.Producer, confluent.Consumer, kafka.Admin)
