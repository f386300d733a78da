"""Deciding on many small bodies at once says to each what it would have been told alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_ingest.acceptance import Accepted
from watchkeeper_ingest.company import Company
from watchkeeper_ingest.deciding import Body, Decider
from watchkeeper_shared.clock import SystemClock
from watchkeeper_shared.db.keys import Caller, Role
from watchkeeper_shared.db.registry import Registry
from watchkeeper_shared.db.withdrawals import Withdrawal
from watchkeeper_shared.errors import MalformedRecord
from watchkeeper_shared.events.codec import JSON, NDJSON
from watchkeeper_shared.events.rows import Kind
from watchkeeper_shared.specs import AISystem
from watchkeeper_shared.testing.builders import SYSTEM, a_label, a_prediction, a_system

TWO_KINDS = a_system(versions={"2": {"features": {"AGEP": "categorical"}}})


class Declared(Registry):
    """What was declared, without a database."""

    def __init__(self) -> None:
        pass

    def systems(self) -> Mapping[str, AISystem]:
        return {SYSTEM: a_system(), "credit": TWO_KINDS}

    def withdrawn(self) -> Mapping[str, Withdrawal]:
        return {}

    def versions(self, system: str) -> frozenset[str]:
        return frozenset({"1", "2"} if system == "credit" else ())


DECIDER = Decider(Declared(), SystemClock(), max_rows=4, max_age=timedelta(days=3650))
ANN = Caller("ann", "ann", Role.PUBLISHER, frozenset({SYSTEM, "credit"}))
BOB = Caller("bob", "bob", Role.PUBLISHER, frozenset({SYSTEM}))

items = st.one_of(
    st.builds(a_prediction, st.integers(0, 40)),
    st.builds(a_prediction, st.integers(0, 40), score=st.sampled_from([0.25, 9])),
    st.builds(
        a_prediction,
        st.integers(0, 40),
        system=st.sampled_from(["credit", "nobody", ""]),
        version=st.sampled_from(["1", "2", "3"]),
    ),
    st.builds(a_label, st.integers(0, 40)),
    st.just(7),
)
documents = st.one_of(
    items.map(json.dumps),
    st.lists(items, max_size=5).map(json.dumps),
    st.just("{"),
    st.just('{"columns": {}}'),
)
bodies = st.builds(
    Body,
    documents.map(str.encode),
    st.just(JSON),
    st.sampled_from(list(Kind)),
    st.sampled_from([ANN, BOB]),
)


def alone(body: Body) -> Accepted | Exception:
    try:
        return DECIDER.decide(body)
    except MalformedRecord as error:
        return error


def told(answer: Accepted | Exception) -> object:
    """Return what a decision says, whatever columns others brought along."""
    if isinstance(answer, Exception):
        return type(answer), str(answer)
    parts: dict[tuple[str, str], list[Any]] = {}
    for part in answer.parts:
        rows = [
            {name: value for name, value in row.items() if value is not None}
            for row in part.batch.to_pylist()
        ]
        parts.setdefault((part.system, part.version), []).extend(rows)
    return parts, answer.duplicates, answer.rejects


@given(st.lists(bodies, max_size=8))
def test_each_body_is_told_what_it_would_be_told_alone(them: list[Body]) -> None:
    together = DECIDER.decide_all(them)

    assert [told(one) for one in together] == [told(alone(one)) for one in them]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.LABELS, [a_label(1, label=1e308), a_label(2, label="no")]),
        (Kind.LABELS, [a_label(1, label=2**53 + 1), a_label(2, label=0.5)]),
        (Kind.PREDICTIONS, [a_prediction(1, prediction=1), a_prediction(2, prediction="no")]),
        *(
            (
                Kind.PREDICTIONS,
                [
                    a_prediction(1, features={"RELP": 2**53 + 1}),
                    a_prediction(2, features={"RELP": other}),
                ],
            )
            for other in (0.5, "no")
        ),
    ],
)
def test_the_kind_of_one_bodys_values_is_nothing_to_another(
    kind: Kind, said: list[dict[str, Any]]
) -> None:
    them = [Body(json.dumps(one).encode(), JSON, kind, ANN) for one in said]

    together = DECIDER.decide_all(them)

    assert [told(one) for one in together] == [told(alone(one)) for one in them]


def test_the_same_id_in_two_bodies_is_nothing_to_either() -> None:
    said = [json.dumps(a_prediction(1, score=score)).encode() for score in (0.25, 0.75)]

    answers = DECIDER.decide_all([Body(one, NDJSON, Kind.PREDICTIONS, ANN) for one in said])

    assert [isinstance(one, Accepted) and one.rows for one in answers] == [1, 1]


def test_bodies_that_could_be_pooled_are() -> None:
    said = [json.dumps(a_prediction(number)).encode() for number in range(3)]

    answers = DECIDER.decide_all([Body(one, JSON, Kind.PREDICTIONS, ANN) for one in said])

    batches = [one.parts[0].batch for one in answers if isinstance(one, Accepted)]
    # Slices of one batch, not three batches: they start where the one before ends.
    assert [batch.column("id").offset for batch in batches] == [0, 1, 2]


def test_an_error_that_nobody_expected_is_told_to_every_sender() -> None:
    before_the_first_year = timedelta(days=1_000_000)
    decider = Decider(Declared(), SystemClock(), max_rows=4, max_age=before_the_first_year)
    said = [json.dumps(a_prediction(number)).encode() for number in range(2)]

    async def ask() -> list[Accepted | BaseException]:
        company = Company(decider)
        asked = [company.decide(Body(one, JSON, Kind.PREDICTIONS, ANN)) for one in said]
        together = asyncio.gather(*asked, return_exceptions=True)
        return await asyncio.wait_for(together, timeout=30)

    assert [type(one) for one in asyncio.run(ask())] == [OverflowError, OverflowError]
