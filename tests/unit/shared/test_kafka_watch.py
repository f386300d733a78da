"""A Kafka client that goes dumb is noticed; one that is idle, busy or held up is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import cast

import pytest

from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.clients import Consumer
from watchkeeper_shared.eventlog.kafka_watch import (
    BETWEEN_LOOKS,
    ENOUGH_EMPTY_POLLS,
    JOIN_SECONDS,
    Watch,
)
from watchkeeper_shared.eventlog.port import TopicPartition
from watchkeeper_shared.testing.clocks import ManualClock

AT = TopicPartition("t", 0)
OTHER = TopicPartition("t", 1)


class Client:
    """Says what a client knows of itself and of the log."""

    def __init__(self) -> None:
        self.at: dict[TopicPartition, tuple[int, int]] = {}
        self.member = True

    def standing(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, tuple[int, int]]:
        return {at: self.at[at] for at in partitions}

    def joined(self) -> bool:
        return self.member


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.client = Client()
        self.watch = Watch(cast("Consumer", self.client), self.clock)

    def turn(self, delivered: int = 0, *, polls: int = ENOUGH_EMPTY_POLLS) -> None:
        """Poll for as long as one look takes, until shortly after it."""
        self.clock.advance(timedelta(seconds=BETWEEN_LOOKS))
        for _ in range(polls):
            self.watch.polled(self.client.at, delivered)


@pytest.fixture
def world() -> World:
    return World()


def test_records_that_wait_over_two_looks_end_the_client(world: World) -> None:
    world.client.at = {AT: (5, 9)}
    world.turn()

    with pytest.raises(LogUnavailable, match="nothing of t/0 after offset 5,"):
        world.turn()


def test_a_partition_that_is_read_to_its_end_may_be_quiet_for_ever(world: World) -> None:
    world.client.at = {AT: (9, 9), OTHER: (0, 0)}

    for _ in range(5):
        world.turn()


def test_a_client_that_moves_is_only_slow(world: World) -> None:
    for offset in range(5):
        world.client.at = {AT: (offset, 9)}
        world.turn()


def test_a_worker_that_was_held_up_blames_nobody(world: World) -> None:
    """It polled too seldom for the client to have had the time to deliver."""
    world.client.at = {AT: (5, 9)}
    world.turn()

    for _ in range(5):
        world.turn(polls=ENOUGH_EMPTY_POLLS // 10)


def test_a_busy_neighbour_is_no_proof(world: World) -> None:
    world.client.at = {AT: (5, 9)}

    for _ in range(5):
        world.turn(delivered=50)


def test_a_group_that_never_takes_the_client_in_ends_it(world: World) -> None:
    world.client.member = False
    for _ in range(int(JOIN_SECONDS / BETWEEN_LOOKS)):
        world.turn()

    with pytest.raises(LogUnavailable, match="did not get into its group"):
        world.turn()
