"""What no single day shows: found by pools, ended by pools, changed by what comes late."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from watchkeeper_alerting import wording
from watchkeeper_alerting.figures import minute
from watchkeeper_monitor.sampling import samples
from watchkeeper_monitor.windows.spans import EPOCH
from watchkeeper_shared.db import tables

DAY = timedelta(days=1)
LASTING = {
    "id": "lasting",
    "metric": "wasserstein",
    "columns": ["AGE"],
    "breach": 0.1,
    "min_rows": 50,
}
ACCURACY = {"id": "accuracy", "metric": "accuracy", "below": True, "breach": 0.8, "min_rows": 100}


def day_of(world: Any, number: int, shift: float, rows: int) -> dict[str, int]:
    """Publish a day on which AGE is shifted; return what was predicted, by id."""
    rng = np.random.default_rng(number)
    start: datetime = EPOCH + number * DAY
    ids = [f"{number}-{row}" for row in range(rows)]
    score = rng.uniform(0, 1, rows)
    times = [start + timedelta(seconds=float(second)) for second in np.linspace(0, 86_000, rows)]
    world.send(
        pa.RecordBatch.from_pydict(
            {
                "id": pa.array(ids),
                "system": pa.array(["loans"] * rows),
                "version": pa.array(["1"] * rows),
                "time": pa.array(times, pa.timestamp("us", "UTC")),
                "prediction": pa.array((score >= 0.5).astype(np.int64)),
                "score": pa.array(score),
                "features.AGE": pa.array(rng.normal(40 + 8 * shift, 8, rows)),
                "features.JOB": pa.array(rng.choice(["a", "b", "c"], rows).tolist()),
                "groups.SEX": pa.array(rng.choice(["1", "2"], rows).tolist()),
            }
        )
    )
    return dict(zip(ids, (score >= 0.5).astype(int).tolist(), strict=True))


def live(world: Any, first: int, shifts: list[float], rows: int = 100) -> dict[int, dict[str, int]]:
    """Let days go by, the first of them so many days after 1970, and one hour more."""
    sent = {
        number: day_of(world, number, shift, rows) for number, shift in enumerate(shifts, first)
    }
    world.clock.set(EPOCH + (first + len(shifts)) * DAY + 2 * timedelta(hours=1))
    world.settle()
    world.clock.advance(timedelta(minutes=1))  # nothing more comes: the last day settles too
    world.settle()
    return sent


def whole_blocks(world: Any) -> int:
    """The number of a day that opens a block of 64."""
    days: int = (world.clock.now() - EPOCH) // DAY
    return (days // 64 + 1) * 64


def rows_of(world: Any, rule: str) -> list[Any]:
    found = world.all(tables.measurements, rule=rule, current=True)
    return sorted(found, key=lambda row: row.window_start)


def labels(world: Any, said: dict[str, int], *, wrong: bool) -> None:
    world.label(list(said), [str(one ^ int(wrong)) for one in said.values()])


def test_a_small_lasting_shift_is_found_by_a_pool_and_ends_when_a_pool_is_calm(
    referenced: Any,
) -> None:
    referenced.policy([LASTING | {"dispersion": 1}], alarm_budget=100_000)
    first = whole_blocks(referenced)

    live(referenced, first, [0.0] * 16 + [0.25] * 16 + [0.0] * 16)

    rows = rows_of(referenced, "lasting")
    found = [row for row in rows if row.state == "breach"]
    told = referenced.told()
    assert min(row.scale for row in found) > 1
    assert found[0].window_start < EPOCH + (first + 32) * DAY
    assert f"over the last {found[0].scale} windows: wasserstein of AGE" in found[0].reason
    assert found[0].n == 100, "the measurement is of the window, not of the pool"
    assert [kind for kind, _ in told] == ["opened", "cleared"]
    assert told[0][1].opened_window == found[0].window_start
    assert told[1][1].pooled is None, "what ends it is no breach"
    assert not told[1][1].withdrawn
    over = told[1][1].window.start
    assert over >= EPOCH + (first + 32) * DAY, "a single good day does not end it"
    assert over < EPOCH + (first + 32 + max(row.scale for row in found)) * DAY


def test_what_a_pool_found_is_told_with_the_numbers_and_rows_of_all_its_days(
    referenced: Any,
) -> None:
    referenced.policy([LASTING | {"dispersion": 1}], alarm_budget=100_000)
    first = whole_blocks(referenced)

    live(referenced, first, [0.0] * 16 + [0.25] * 16)

    (_, event), *_ = referenced.told()
    (frozen,) = referenced.all(tables.evidence)
    assert event.pooled is not None
    span = event.pooled.start, event.pooled.end
    assert span == (event.window.end - event.scale * DAY, event.window.end)
    assert event.pooled.n == event.scale * event.n == event.scale * 100
    assert event.pooled.value == pytest.approx(0.25, abs=0.1)
    assert event.pooled.value != event.value
    assert f"wasserstein of AGE {event.pooled.value:.4g} at or above 0.1" in event.reason
    assert event.pooled.low <= event.pooled.value <= event.pooled.high
    assert event.evidence == frozen.id
    assert (frozen.window_start, frozen.window_end) == span
    assert (frozen.sample_rows, frozen.window_rows) == (event.pooled.n, event.pooled.n)
    days = pc.floor_temporal(samples.from_bytes(frozen.sample).column("time"), unit="day")
    assert pc.count_distinct(days).as_py() == event.scale
    ticket = wording.facts(event)
    assert ticket["Value"].startswith(f"{event.pooled.value:.4g} over {event.scale} windows")
    assert minute(event.pooled.start) in ticket["Judged over"]


def test_without_the_shift_nobody_is_told(referenced: Any) -> None:
    referenced.policy([LASTING | {"dispersion": 1}], alarm_budget=100_000)

    live(referenced, whole_blocks(referenced), [0.0] * 48)

    assert referenced.told() == []


def test_a_day_that_breaches_alone_is_not_told_again_by_every_pool_over_it(
    referenced: Any,
) -> None:
    referenced.policy([LASTING | {"dispersion": 1}])

    live(referenced, whole_blocks(referenced), [0.0] * 5 + [4.0] + [0.0] * 10)

    breaching = [row for row in rows_of(referenced, "lasting") if row.state == "breach"]
    assert [row.scale for row in breaching] == [1]
    assert [kind for kind, _ in referenced.told()] == ["opened", "cleared"]


def test_late_labels_reach_the_pools_over_their_day(referenced: Any) -> None:
    referenced.policy([ACCURACY | {"dispersion": 1}])
    first = whole_blocks(referenced)
    sent = live(referenced, first, [0.0] * 8, rows=40)
    before = rows_of(referenced, "accuracy")
    some = sent[first] | sent[first + 1] | sent[first + 2]

    labels(referenced, some, wrong=True)
    referenced.settle()
    raised = rows_of(referenced, "accuracy")
    told = [(kind, event.scale) for kind, event in referenced.told()]
    referenced.clock.advance(timedelta(hours=1))
    labels(referenced, some, wrong=False)
    referenced.settle()

    assert {row.state for row in before} == {"no_data"}
    # 40 labels a day are too few; those of a block of four days are not, and the fourth day
    # says so, although nothing of its own changed.
    assert [row.state for row in raised[:4]] == ["insufficient"] * 3 + ["breach"]
    assert (raised[3].scale, raised[3].status, raised[3].n) == (4, "amended", 0)
    assert told == [("opened", 4)]
    corrected = [row.state for row in rows_of(referenced, "accuracy")]
    assert corrected == ["insufficient"] * 3 + ["no_data"] * 5
    assert [event.withdrawn for _, event in referenced.told()] == [True]


@pytest.mark.parametrize("dispersion", [None, 1.0])
def test_a_season_is_learnt_and_does_not_flood(referenced: Any, dispersion: float | None) -> None:
    rule = LASTING if dispersion is None else LASTING | {"dispersion": dispersion}
    referenced.policy([rule])
    season = [0.35 * math.sin(2 * math.pi * number / 7) for number in range(56)]

    live(referenced, whole_blocks(referenced), season, rows=300)

    # Who declares rows to be independent hears of each crest.
    assert bool(referenced.told()) == (dispersion is not None)
    if dispersion is None:
        past = [row.reason for row in rows_of(referenced, "lasting") if row.state == "warn"]
        assert "of 30 windows), taken as" in past[0]
        assert " 30 windows in control" in past[-1]  # whichever look was the strongest


def test_a_block_is_kept_and_merged_from_its_halves(referenced: Any) -> None:
    referenced.policy([LASTING])

    live(referenced, whole_blocks(referenced), [0.0] * 16, rows=20)

    spans = [row.end - row.start for row in referenced.all(tables.blocks)]
    assert sorted(span // DAY for span in spans) == [2] * 8 + [4] * 4 + [8] * 2 + [16]
    taught = [(row.scale, row.end - row.start) for row in referenced.all(tables.sights)]
    assert all(length == scale * DAY for scale, length in taught)
    assert len(taught) == 16 + 15
