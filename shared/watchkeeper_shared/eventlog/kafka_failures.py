"""What goes wrong with a Kafka, in our words; knows nothing of the client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from watchkeeper_shared.errors import LogUnavailable, WatchkeeperError
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

    The client lets raw socket errors and its own bugs through, and says little, so the
    message names what to check.
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
