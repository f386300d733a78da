"""A Kafka for a test session: the one that the environment names, or one of our own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from watchkeeper_shared.testing.servers.kafka.node import KafkaNode


@contextmanager
def kafka_node(env: Mapping[str, str]) -> Iterator[KafkaNode]:
    """Run a broker of one's own, for tests that stop, kill or freeze it.

    Raises
    ------
    ServerUnavailable
        Java, Maven or the jars cannot be had here.
    """
    with tempfile.TemporaryDirectory(prefix="watchkeeper-kafka-") as folder:
        node = KafkaNode(Path(folder), env)
        node.format()
        node.start()
        try:
            yield node
        finally:
            node.stop()


@contextmanager
def kafka_server(env: Mapping[str, str]) -> Iterator[str]:
    """Yield the bootstrap address of a real Kafka.

    Parameters
    ----------
    env
        The environment; `WATCHKEEPER_TEST_KAFKA` names a broker that runs already.

    Raises
    ------
    ServerUnavailable
        None is named, and none can be started here.
    """
    named = env.get("WATCHKEEPER_TEST_KAFKA")
    if named:
        yield named
        return
    with kafka_node(env) as node:
        yield node.bootstrap
