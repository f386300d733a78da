"""Sends what waits in `deliveries`: at least once, patiently, and visibly.

Lease, send outside of any transaction, settle. Whoever dies in between loses the lease and
the notice goes out again under the same id. Any number of threads and replicas may work; in
one process they share the lanes, so that a receiver that hangs holds one thread and no other.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from watchkeeper_alerting.alerts import AlertState
from watchkeeper_alerting.breach_records import breach_of
from watchkeeper_alerting.channels.opening import Opener
from watchkeeper_alerting.channels.port import Channel
from watchkeeper_alerting.counters import Counters
from watchkeeper_alerting.lanes import Lanes
from watchkeeper_alerting.notices import Notice, identity
from watchkeeper_alerting.retrying import judge
from watchkeeper_alerting.store import alerts, deliveries, objects
from watchkeeper_alerting.store.deliveries import DeliveryState, StoredDelivery
from watchkeeper_shared.clock import Clock
from watchkeeper_shared.db.unit_of_work import Database
from watchkeeper_shared.errors import (
    ReceiverUnavailable,
    RejectedByReceiver,
    RetryableError,
    WatchkeeperError,
)
from watchkeeper_shared.specs import Channel as ChannelSpec

_BATCH = 20
_LEASE = timedelta(seconds=120)  # longer than any attempt can take
_IDLE = 0.2
_LONGEST_PAUSE = 30.0
_REPEAT_ATTEMPTS = 3  # a repetition that fails waits as a third attempt does, not ever longer
_RESOLVED_REPEATS = timedelta(minutes=5)  # Alertmanager may have been away for that long
_FIRES_AGAIN = "not told: another alert of the same series fires, and would end with it"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: DeliveryState
    next_attempt_at: datetime
    delivered_at: datetime | None
    error: str | None
    counted: str


class Deliverer:
    """Delivers notifications.

    Parameters
    ----------
    database, clock
        Where they wait, and what time it is.
    opener
        Makes channels from what was applied.
    counters
        Where outcomes are counted.
    rng
        Spreads the retries.
    lanes
        Which channels may be tried now; the same for all deliverers of a process.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        opener: Opener,
        counters: Counters,
        rng: random.Random,
        lanes: Lanes,
    ) -> None:
        self._database = database
        self._clock = clock
        self._opener = opener
        self._counters = counters
        self._rng = rng
        self._lanes = lanes

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; call `beat` on every turn, for the liveness probe."""
        pause = _IDLE
        while not stop.is_set():
            beat()
            try:
                busy = self.step(beat) == _BATCH
            except RetryableError as error:
                pause = min(pause * 2, _LONGEST_PAUSE)
                logger.warning("deliveries_wait", extra={"seconds": pause, "reason": str(error)})
                stop.wait(pause)
            else:
                pause = _IDLE
                stop.wait(0 if busy else _IDLE)

    def step(self, beat: Callable[[], None] = lambda: None) -> int:
        """Attempt what is due; return how many attempts were made.

        Raises
        ------
        StoreUnavailable
            The database does not answer; what was sent will be sent again.
        """
        with self._database.read() as c:
            waiting = deliveries.due(c, self._clock.now(), _BATCH, self._lanes.closed())
            channels = objects.in_force(c, "Channel") if waiting else []
        specs = {one.name: one.spec for one in channels}
        attempts = 0
        # Who failed last comes last: trying it may take as long as a receiver may be silent.
        for delivery in sorted(waiting, key=lambda one: self._lanes.failures(one.channel)):
            beat()
            with self._lanes.entered(delivery.channel) as is_open:
                attempts += is_open and self._attempt(delivery, specs.get(delivery.channel))
        return attempts

    def _attempt(self, delivery: StoredDelivery, spec: dict[str, object] | None) -> bool:
        """Try one delivery, unless another replica was faster; return whether it was tried."""
        until = self._clock.now() + _LEASE
        with self._database.transaction() as c:
            if not deliveries.lease(c, delivery, until):
                return False
        outcome = self._outcome(delivery, spec)
        with self._database.transaction() as c:
            deliveries.settle(
                c,
                delivery.id,
                leased_until=until,
                state=outcome.state,
                next_attempt_at=outcome.next_attempt_at,
                delivered_at=outcome.delivered_at,
                error=outcome.error,
            )
        if outcome.counted != "ended":
            self._counters.notifications.labels(delivery.channel, outcome.counted).inc()
            _log(delivery, outcome)
        return True

    def _outcome(self, delivery: StoredDelivery, spec: dict[str, object] | None) -> _Outcome:
        now = self._clock.now()
        if delivery.state is DeliveryState.REPEATING and not self._is_news(delivery, now):
            # The alert moved on while the last repetition was settled: said again, that it
            # fires would undo what the receiver was told after it.
            return _Outcome(DeliveryState.DELIVERED, now, None, None, "ended")
        try:
            with _translated(delivery.channel):
                channel = self._open(delivery, spec)
                if channel.repeat is not None and self._fires_again(delivery):
                    return _Outcome(DeliveryState.DELIVERED, now, None, _FIRES_AGAIN, "ended")
                notice = msgspec.convert(delivery.payload, Notice)
                channel.send(delivery.id, notice, self._clock.now())
        except ReceiverUnavailable as error:
            self._lanes.failed(delivery.channel)
            return self._failed(delivery, error)
        except RejectedByReceiver as error:
            self._lanes.answered(delivery.channel)
            return self._failed(delivery, error)
        self._lanes.answered(delivery.channel)
        return self._delivered(delivery, channel.repeat)

    def _open(self, delivery: StoredDelivery, spec: dict[str, object] | None) -> Channel:
        if spec is None:
            raise RejectedByReceiver(f"there is no channel {delivery.channel!r} any more")
        return self._opener.open(msgspec.convert(spec, ChannelSpec))

    def _fires_again(self, delivery: StoredDelivery) -> bool:
        """Whether this is the end of an alert that, to its receiver, is one with another.

        Alertmanager knows an alert by its labels. A series that breached anew has the same,
        and the end of the breach before would end the one that fires.
        """
        if delivery.event == "firing":
            return False
        with self._database.read() as c:
            alert = alerts.find(c, delivery.alert)
            alike = [] if alert is None else alerts.unresolved(c, alert.fingerprint)
        mine = delivery.payload["identity"]
        return any(
            one.id != delivery.alert and identity(breach_of(one.content), one.severity) == mine
            for one in alike
        )

    def _delivered(self, delivery: StoredDelivery, repeat: timedelta | None) -> _Outcome:
        now = self._clock.now()
        if repeat is not None and self._is_news(delivery, now):
            return _Outcome(DeliveryState.REPEATING, now + repeat, now, None, "delivered")
        return _Outcome(DeliveryState.DELIVERED, now, now, None, "delivered")

    def _is_news(self, delivery: StoredDelivery, now: datetime) -> bool:
        """Whether what was told still holds, so that telling it again makes sense."""
        with self._database.read() as c:
            alert = alerts.find(c, delivery.alert)
        if alert is None:
            return False
        if delivery.event == "firing":
            return alert.state is not AlertState.RESOLVED
        return alert.resolved_at is not None and now < alert.resolved_at + _RESOLVED_REPEATS

    def _failed(self, delivery: StoredDelivery, error: WatchkeeperError) -> _Outcome:
        now = self._clock.now()
        # A repetition is not a delivery that failed: it stays due until the alert is over.
        repeating = delivery.state is DeliveryState.REPEATING and isinstance(error, RetryableError)
        age = timedelta(0) if repeating else now - delivery.created_at
        attempts = _REPEAT_ATTEMPTS if repeating else delivery.attempts + 1
        verdict = judge(error, attempts, age, self._rng.random())
        if repeating and not self._is_news(delivery, now):
            return _Outcome(DeliveryState.DELIVERED, now, None, verdict.reason, "failed")
        if verdict.wait is None:
            return _Outcome(DeliveryState.FAILED, now, None, verdict.reason, "failed")
        return _Outcome(delivery.state, now + verdict.wait, None, verdict.reason, "retried")


@contextmanager
def _translated(channel: str) -> Iterator[None]:
    """Refuse for good what a library stumbles over, such as an address that is none.

    One channel that cannot work must not end the process that tells all others.
    """
    try:
        yield
    except WatchkeeperError:
        raise
    except Exception as error:
        logger.exception("channel_broke", extra={"channel": channel})
        detail = f"the channel cannot work as it was applied: {type(error).__name__}: {error}"
        raise RejectedByReceiver(detail) from error


def _log(delivery: StoredDelivery, outcome: _Outcome) -> None:
    fields = {
        "delivery": delivery.id,
        "channel": delivery.channel,
        "told": delivery.event,
        "attempt": delivery.attempts + 1,
        "outcome": outcome.counted,
        "error": outcome.error,
    }
    level = logging.INFO if outcome.counted == "delivered" else logging.WARNING
    logger.log(level, "notification_attempted", extra=fields)
