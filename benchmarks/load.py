"""The whole way under load: HTTP → ingest → Kafka → monitor → PostgreSQL → webhook.

    python -m benchmarks load          the figures of `make bench`
    python -m benchmarks.load 600      a soak of so many seconds alone

Everything runs in processes of its own on this machine, the client included, so the figures
are those of a machine that does all the work at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import perf_counter

import numpy as np

from benchmarks.figure import Figure, table
from benchmarks.loading import BATCH_ROWS, Probes, Sender, Watcher
from benchmarks.outage import outage
from benchmarks.plant import PROBES, Plant, plant
from benchmarks.residence import Memory
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.eventlog.kafka_log import KafkaLog
from watchkeeper_shared.events import codec
from watchkeeper_shared.topics import PREDICTIONS

BURST_SECONDS, STEADY_SECONDS, SOAK_SECONDS = 3.0, 8.0, 10.0
STEADY_SHARE = 0.5
"""The steady rate, as a share of what ingest and the monitors do on this machine at once."""

_WAIT = Event()


def figures(soak_seconds: float = SOAK_SECONDS) -> Iterator[Figure]:
    """Yield the figures for 1, 2 and 4 partitions and workers; with 2 a soak and an outage too."""
    for count in (1, 2, 4):
        with plant(count) as one:
            yield from _loaded(one, count)
            if count == 2:
                one.stop()
                yield from soak(one, soak_seconds)
                yield from outage(one)


def _loaded(one: Plant, count: int) -> Iterator[Figure]:
    url, ingest = one.start("watchkeeper", "ingest")
    sender, watcher = Sender(url, one.token), Watcher(one)
    taken = sender.burst(BURST_SECONDS)
    rows = sum(n for _, n in sender.accepted)
    floor = _client_alone(one, rows)
    _, alerting = one.start("watchkeeper", "alerting")
    monitors = [one.start("watchkeeper", "monitor")[1] for _ in range(count)]
    # From the first flush on: a group takes seconds to form, whatever there is to read.
    began, already = watcher.until(1, measured=False), watcher.stored()
    taken_off = watcher.until(rows, measured=False) - began
    worked = max(rows - already, BATCH_ROWS) / max(taken_off, 1e-3)
    words = f"{count} partition(s) and worker(s)"
    yield Figure(f"load_{count}_ingest_rows_per_s", taken, "rows/s", f"{words}; no monitor runs")
    alone = f"{words}; the client alone polls and decodes {floor:,.0f} rows/s in one process"
    yield Figure(f"load_{count}_monitor_rows_per_s", worked, "rows/s", alone)
    yield Figure(f"load_{count}_monitor_vs_client", worked / floor, "x", alone)
    watcher.until(rows, measured=True)
    # Both were measured with the machine to themselves; from now on they share it.
    rate = STEADY_SHARE / (1 / worked + 1 / taken)
    memory = Memory(f"load_{count}", ingest, monitors, alerting)
    words += f"; at {rate:,.0f} rows/s"
    yield from _steady(one, sender, watcher, rate, words)
    yield from memory.figures(words)


def _steady(
    one: Plant, sender: Sender, watcher: Watcher, rate: float, words: str
) -> Iterator[Figure]:
    """Send at a steady rate, and meanwhile close the windows of the probes one by one."""
    first, name = len(sender.accepted), words.partition(" ")[0]
    probes = Probes(sender, one)
    with ThreadPoolExecutor(2) as pool:
        sending = pool.submit(sender.steady, STEADY_SECONDS, rate)
        probing = pool.submit(probes.close_windows, STEADY_SECONDS)
        while not sending.done():
            watcher.note()
            _WAIT.wait(0.1)
        sending.result()
        probing.result()
    watcher.until(sum(n for _, n in sender.accepted), measured=True)
    measured = watcher.latencies(sender, first)
    for share in (50, 99):
        value = float(np.percentile(measured, share))
        yield Figure(f"load_{name}_measured_p{share}", value, "s", f"{words}; since acceptance")
    told = probes.delays()
    for share in (50, 99):
        said = f"{words}; {len(told)} of {len(PROBES)} windows, close → webhook"
        value = float(np.percentile(told, share))
        yield Figure(f"load_{name}_alert_p{share}", value, "s", said)


def _client_alone(one: Plant, due: int) -> float:
    """Return the rows per second of only polling and decoding the rows that the log holds."""
    log = KafkaLog(one.env["WATCHKEEPER_KAFKA_BOOTSTRAP"], SystemClock())
    reader = log.reader("floor", [PREDICTIONS.name])
    rows, began = 0, 0.0
    while rows < due:
        polled = reader.poll(timedelta(seconds=1))
        for at in polled.assigned:
            reader.start(at, reader.beginning(at))
            began = began or perf_counter()
        for record in polled.records:
            rows += codec.decode(record.value, record.headers["content-type"]).num_rows
    taken = perf_counter() - began
    log.close()
    return rows / taken


def soak(one: Plant, seconds: float) -> Iterator[Figure]:
    """Keep up the highest rate that all sustain together, and look at memory."""
    url, ingest = one.start("watchkeeper", "ingest")
    monitors = [one.start("watchkeeper", "monitor")[1] for _ in range(2)]
    sender, watcher = Sender(url, one.token), Watcher(one)
    already = watcher.stored()
    began = perf_counter()
    sender.burst(BURST_SECONDS)
    sent = sum(n for _, n in sender.accepted)
    # What the log held before the soak is worked off first, and tells the rate.
    rate = sent / (watcher.until(already + sent, measured=False) - began)
    memory = Memory("load_soak", ingest, monitors)
    for _ in range(2):
        sender.steady(seconds / 2, rate)
        memory.note()
    behind = already + sum(n for _, n in sender.accepted) - watcher.stored()
    words = f"{seconds:.0f} s at {rate:,.0f} rows/s"
    yield from memory.figures(words)
    yield Figure("load_soak_rows_behind", behind, "rows", f"{words}; not yet stored at the end")
    one.stop()


if __name__ == "__main__":
    with plant(2) as alone:
        for figure in soak(alone, float(sys.argv[1])):
            print(table([figure]), flush=True)
