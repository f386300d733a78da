"""What goes wrong with a Kafka, in our words; knows nothing of the client."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from watchkeeper_shared.errors import LogUnavailable, WatchkeeperError
from watchkeeper_shared.eventlog.kafka_settings import REACH_SECONDS
from watchkeeper_shared.eventlog.port import TopicPartition


class Lost(Exception):
    """Partitions whose position the broker does not hold.

    Parameters
    ----------
    positions
        The offsets that were asked for.
    """

    def __init__(self, positions: Mapping[TopicPartition, int]) -> None:
        super().__init__(positions)
        self.positions = positions


@contextmanager
def translated(bootstrap: str, what: str) -> Iterator[None]:
    """Turn whatever the client raises into `LogUnavailable`.

    The client lets raw socket errors and its own bugs through, and says only "unable to
    bootstrap" for every wrong credential, so the message names what to check.
    """
    try:
        yield
    except (WatchkeeperError, Lost):
        raise
    except Exception as error:
        raise unavailable(bootstrap, what, error) from error


def unavailable(bootstrap: str, what: str, error: BaseException) -> LogUnavailable:
    """Say that the broker did not do `what`."""
    return LogUnavailable(
        f"Kafka at {bootstrap} cannot {what}: {type(error).__name__}: {error}; check address,"
        " credentials, TLS"
    )


def reach(bootstrap: str) -> None:
    """Open and close a connection to one of the addresses; the client would try for long.

    Raises
    ------
    OSError
        None of them listens.
    """
    failure: OSError | None = None
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
        except OSError as error:
            failure = error
        else:
            return
    if failure is not None:
        raise failure
