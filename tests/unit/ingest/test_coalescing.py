"""Parts share records; every caller learns what became of its own events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from watchkeeper_ingest.acceptance import Part
from watchkeeper_ingest.admission import Fuse
from watchkeeper_ingest.coalescing import Coalescer, Limits
from watchkeeper_ingest.metrics import IngestMetrics
from watchkeeper_ingest.records import Cut, Records
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.errors import LogUnavailable
from watchkeeper_shared.eventlog.port import Message, Position, TopicPartition
from watchkeeper_shared.events.codec import ARROW, decode
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import SYSTEM, a_batch
from watchkeeper_shared.testing.clocks import ManualClock


class Writer:
    """A log whose answers come when the test says so."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.promised: list[Future[Position]] = []
        self.change = threading.Condition()

    def append(self, message: Message) -> Future[Position]:
        promised: Future[Position] = Future()
        with self.change:
            self.messages.append(message)
            self.promised.append(promised)
            self.change.notify_all()
        return promised

    def wait_for(self, count: int) -> None:
        with self.change:
            assert self.change.wait_for(lambda: len(self.messages) >= count, 10)

    def confirm(self, index: int) -> None:
        self.promised[index].set_result(Position(TopicPartition("t", 0), index))

    def close(self) -> None:
        pass


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def fuse() -> Fuse:
    return Fuse(ManualClock())


@pytest.fixture
def coalescer(writer: Writer, fuse: Fuse) -> Iterator[Coalescer]:
    clock = SystemClock()
    metrics = IngestMetrics(CollectorRegistry())
    records = Records(writer, fuse, metrics, clock, Cut(rows=4, size=1 << 20))
    made = Coalescer(records, Limits(60.0, 10), clock, lambda: None)
    yield made
    made.close()


def a_part(rows: int = 1, system: str = SYSTEM) -> Part:
    return Part(system, "", a_batch(rows))


def test_parts_of_one_system_share_records_and_a_full_gathering_does_not_wait(
    coalescer: Coalescer, writer: Writer
) -> None:
    callers = [coalescer.submit(Kind.PREDICTIONS, a_part(5)) for _ in range(2)]
    writer.wait_for(3)

    assert [decode(one.value, ARROW).num_rows for one in writer.messages] == [4, 4, 2]
    for index in range(3):
        assert not any(caller.done() for caller in callers)
        writer.confirm(index)
    assert [caller.result(0) for caller in callers] == [None, None]


def test_other_systems_and_kinds_do_not_share(coalescer: Coalescer, writer: Writer) -> None:
    coalescer.submit(Kind.PREDICTIONS, a_part(1))
    coalescer.submit(Kind.LABELS, Part(SYSTEM, "", a_batch(1, Kind.LABELS)))
    coalescer.submit(Kind.PREDICTIONS, a_part(1, "credit"))

    coalescer.close()

    assert sorted((one.topic, one.key) for one in writer.messages) == [
        ("watchkeeper.labels.v1", SYSTEM),
        ("watchkeeper.predictions.v1", "credit"),
        ("watchkeeper.predictions.v1", SYSTEM),
    ]


def test_one_record_that_fails_fails_everybody_who_shares_it(
    coalescer: Coalescer, writer: Writer, fuse: Fuse
) -> None:
    caller = coalescer.submit(Kind.PREDICTIONS, a_part(10))
    writer.wait_for(3)
    writer.confirm(0)
    writer.promised[1].set_exception(LogUnavailable("away"))
    writer.confirm(2)

    assert isinstance(caller.exception(0), LogUnavailable)


def test_a_log_that_failed_is_left_alone_for_a_moment() -> None:
    clock = ManualClock()
    fuse = Fuse(clock, timedelta(seconds=2))
    fuse.blow()

    with pytest.raises(LogUnavailable):
        fuse.check()
    clock.advance(timedelta(seconds=2))
    fuse.check()


def test_closing_sends_what_was_gathered_and_refuses_the_rest(
    coalescer: Coalescer, writer: Writer
) -> None:
    taken = coalescer.submit(Kind.PREDICTIONS, a_part(1))

    coalescer.close()
    late = coalescer.submit(Kind.PREDICTIONS, a_part(1))

    writer.confirm(0)
    assert taken.result(0) is None
    assert isinstance(late.exception(0), LogUnavailable)


def test_a_caller_that_goes_away_does_not_cancel_the_others(
    coalescer: Coalescer, writer: Writer
) -> None:
    first = coalescer.submit(Kind.PREDICTIONS, a_part(1))
    second = coalescer.submit(Kind.PREDICTIONS, a_part(1))

    assert not first.cancel()
    coalescer.close()
    writer.confirm(0)

    assert second.result(0) is None
