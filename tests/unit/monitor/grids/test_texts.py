"""A number and the text it is written as have the same place."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper_monitor.grids.texts import Known

WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20)
LIKE_NUMBERS = st.sampled_from(["07", "-0", "+1", "1.0", "", "٣", "9" * 20, str(2**63), "a"])


@given(
    st.lists(st.one_of(WHOLE.map(str), LIKE_NUMBERS), unique=True, max_size=12),
    st.lists(st.none() | WHOLE, max_size=12),
)
def test_whole_numbers_are_found_where_their_texts_are(
    known: list[str], values: list[int | None]
) -> None:
    numbers = pa.array([*values, *(int(one) for one in known if _fits(one))], pa.int64())

    found = Known(known).places(numbers)

    assert found.tolist() == Known(known).places(numbers.cast(pa.string())).tolist()
    assert known == [known[place] for place in Known(known).places(pa.array(known, pa.string()))]


def _fits(text: str) -> bool:
    try:
        return -(2**63) <= int(text) < 2**63
    except ValueError:
        return False


@pytest.mark.parametrize("known", [["0", "1"], ["-3", "4", "x"], ["0", str(2**40)], ["x"]])
def test_a_whole_number_far_from_every_known_one_has_no_place(known: list[str]) -> None:
    numbers = [-(2**63), 2**63 - 1, -1, 2, 4, 2**40, 0, 1]

    places = Known(known).places(pa.array(numbers, pa.int64())).tolist()

    assert places == [known.index(str(n)) if str(n) in known else -1 for n in numbers]
