"""Which events of a request are taken, by their place in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_ingest.acceptance import Accepted, Known, accept
from watchkeeper_shared.db.withdrawals import Withdrawal
from watchkeeper_shared.events.codec import JSON, decode_items
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.testing.builders import NOON, SYSTEM, a_label, a_prediction, a_system

TWO_KINDS = a_system(versions={"2": {"features": {"AGEP": "categorical"}}})


def accepted(items: list[Any], kind: Kind = Kind.PREDICTIONS) -> Accepted:
    known = Known(
        systems={SYSTEM: a_system(), "credit": TWO_KINDS},
        versions=lambda name: frozenset({"1", "2"} if name == "credit" else ()),
        may_publish=lambda name: name != "secret",
        now=NOON,
        oldest=NOON - timedelta(days=365),
        withdrawn={
            name: Withdrawal(2, a_system(), "ada", NOON, "replaced") for name in ("gone", "secret")
        },
    )
    return accept(decode_items(json.dumps(items).encode(), JSON, kind), kind, known)


def test_places_are_kept_across_systems_and_faults() -> None:
    items = [
        a_prediction(0, system="credit"),
        7,
        a_prediction(1),
        a_prediction(2, system="secret"),
        a_prediction(3, score=9),
        a_prediction(4, system="credit", version="3"),
        a_prediction(5, system="nobody"),
        a_prediction(1),
        a_prediction(6, system=""),
    ]

    result = accepted(items)

    assert [(one.index, one.code.value) for one in result.rejects] == [
        (1, "malformed"),
        (3, "forbidden_system"),
        (4, "out_of_range"),
        (5, "unknown_version"),
        (6, "unknown_system"),
        (8, "missing_field"),
    ]
    assert (result.rows, result.duplicates) == (2, 1)


def test_a_withdrawn_system_is_named_with_who_withdrew_it_and_why() -> None:
    (reject,) = accepted([a_prediction(0, system="gone"), a_prediction(1)]).rejects

    assert (reject.index, reject.code, reject.system) == (0, "withdrawn_system", "gone")
    when = f"{NOON:%Y-%m-%d %H:%M} UTC"
    assert f"system 'gone' was withdrawn by ada at {when}: replaced; nothing of" in reject.detail


def test_who_may_not_publish_does_not_learn_what_is_registered() -> None:
    (reject,) = accepted([a_prediction(1, system="secret")]).rejects

    assert reject.code == "forbidden_system"
    assert "registered" not in reject.detail
    assert "withdrawn" not in reject.detail


def test_versions_with_columns_of_their_own_do_not_share_records() -> None:
    items = [
        a_prediction(1, system="credit", version="1"),
        a_prediction(2, system="credit", version="2", features={"AGEP": "old"}),
        a_prediction(2, system="credit", version="2", features={"AGEP": "old"}),
        a_prediction(3, system="credit", version="2", features={"AGEP": "new"}, score=3),
    ]

    result = accepted(items)

    assert {part.version: part.batch.num_rows for part in result.parts} == {"": 1, "2": 1}
    assert result.duplicates == 1
    assert [one.index for one in result.rejects] == [3]


def test_what_is_too_old_is_refused_alone_and_counts_for_no_conflict() -> None:
    items = [
        a_prediction(0, score=9),
        a_prediction(1, time="1970-01-01T00:00:01Z"),
        a_prediction(1),
        a_prediction(2, time="2019-06-30T00:00:00Z"),
        a_prediction(2, seq=9),
        a_prediction(2),
    ]

    result = accepted(items)

    assert [(one.index, one.code.value) for one in result.rejects] == [
        (0, "out_of_range"),
        (1, "time_too_old"),
        (3, "time_too_old"),
        (5, "conflicting_id"),
    ]
    assert result.rows == 2


def test_a_label_that_carries_an_old_prediction_is_too_old() -> None:
    old = {"prediction": 1, "prediction_time": "1970-01-02T00:00:00Z", "version": "1"}

    (reject,) = accepted([a_label(1), a_label(2, **old)], Kind.LABELS).rejects

    assert (reject.index, reject.code) == (1, "time_too_old")
    assert "prediction_time" in reject.detail


def test_the_same_id_in_two_systems_is_two_events() -> None:
    assert accepted([a_prediction(1), a_prediction(1, system="credit")]).rows == 2


def test_conflicts_carry_the_place_in_the_request() -> None:
    items = [a_prediction(0, score=5), a_prediction(1), a_prediction(1, seq=9), a_prediction(1)]

    result = accepted(items)

    assert [(one.index, one.code.value) for one in result.rejects] == [
        (0, "out_of_range"),
        (2, "conflicting_id"),
    ]
    assert (result.rows, result.duplicates) == (1, 1)


def test_a_label_may_be_corrected_but_not_repeated() -> None:
    result = accepted([a_label(1, label=n) for n in (0, 1, 1)], Kind.LABELS)

    assert (result.rows, result.duplicates, result.rejects) == (2, 1, ())


ITEMS = st.sampled_from(
    [
        a_prediction(1),
        a_prediction(2),
        a_prediction(2, score=0.5),
        a_prediction(3, score=5),
        a_prediction(4, system="credit", version="2"),
        a_prediction(5, system="nobody"),
        a_prediction(6, features={"AGEP": "x"}),
        a_prediction(7, id=None),
        [],
    ]
)


@given(st.lists(ITEMS, max_size=12))
def test_every_item_is_accepted_a_duplicate_or_refused_once(items: list[Any]) -> None:
    result = accepted(items)

    places = [one.index for one in result.rejects]
    assert result.rows + result.duplicates + len(places) == len(items)
    assert len(set(places)) == len(places)
    assert places == sorted(places)
