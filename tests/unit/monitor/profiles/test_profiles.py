"""A profile counts what came, in constant size, and refuses what is not its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper_monitor.grids import Grid
from watchkeeper_monitor.grids.columns import encode
from watchkeeper_monitor.grids.octaves import LATENCY
from watchkeeper_monitor.profiles import Labelled, Profile
from watchkeeper_monitor.profiles.exact import EXCESS, Quantity
from watchkeeper_monitor.profiles.packing import pack
from watchkeeper_monitor.references.reference import Reference, add_rows
from watchkeeper_shared.errors import Conflict, InvalidObject, MalformedRecord
from watchkeeper_shared.testing.builders import a_system

REFERENCE = pa.record_batch(
    {
        "id": pa.array([f"r{i}" for i in range(100)]),
        "features.AGEP": pa.array(np.arange(100.0)),
        "features.RELP": pa.array(["0", "1"] * 50),
        "prediction": pa.array([0, 1] * 50),
        "score": pa.array(np.arange(100) / 100),
        "label": pa.array([0, 1, 1, 1] * 25),
        "groups.SEX": pa.array(["1", "1", "2", "2"] * 25),
    }
)
GRID = Grid.build(REFERENCE, a_system(), "1")


def profiled(**columns: pa.Array) -> Profile:
    profile = Profile.empty(GRID)
    fields = {name.replace("__", "."): values for name, values in columns.items()}
    profile.add_predictions(encode(pa.record_batch(fields), GRID))
    return profile


def test_a_missing_column_is_all_null_and_an_unknown_one_is_ignored() -> None:
    profile = profiled(prediction=pa.array([1, 0]), features__UNKNOWN=pa.array([1.0, 2.0]))

    assert profile.section("nulls").tolist() == [2, 2]
    assert int(profile.categories(0)[GRID.categories[0].null]) == 2


def test_texts_in_a_numeric_column_are_type_errors_and_not_nulls() -> None:
    profile = profiled(features__AGEP=pa.array(["x", None, "3"]))

    assert profile.section("mistyped").tolist()[0] == 2
    assert profile.section("nulls").tolist()[0] == 1
    assert not profile.cells(0).any()


def test_extremes_and_excess_are_kept_past_the_reference() -> None:
    profile = profiled(features__AGEP=pa.array([-10.0, 50.0, 119.0]))
    sd = float(np.std(np.arange(100.0)))

    assert profile.extremes[:, 0].tolist() == [-10.0, 119.0]
    assert float(profile.sums("excess_below", EXCESS)[0]) == pytest.approx(10 / sd, abs=1e-11)
    assert float(profile.sums("excess_above", EXCESS)[0]) == pytest.approx(20 / sd, abs=1e-11)


def test_latencies_are_counted_in_cells_of_their_size() -> None:
    profile = profiled(latency_ms=pa.array([12.5] * 999 + [None]))
    cell = int(profile.section("latency_cells").argmax())

    assert int(profile.section("latency_cells").sum()) == 999
    assert LATENCY.middle(cell) == pytest.approx(12.5, rel=0.016)


def test_predictions_are_counted_by_group() -> None:
    profile = profiled(prediction=pa.array([1, 1, 0]), groups__SEX=pa.array(["1", "2", "2"]))
    counts = profile.section("group_predictions")[profile.groups(0)]

    assert {name: counts[code].tolist() for code, name in enumerate(GRID.attributes[0].values)} == {
        "1": [0, 1, 0],
        "2": [1, 1, 0],
    }


def test_the_size_depends_on_the_grid_and_not_on_the_rows() -> None:
    small, large = (profiled(score=pa.array(np.full(n, 0.5))) for n in (1, 100_000))

    assert small.vector.size == large.vector.size
    assert len(large.to_bytes()) - len(small.to_bytes()) < 100


def test_profiles_of_two_grids_do_not_merge() -> None:
    other = Grid.build(REFERENCE.slice(1), a_system(), "1")

    with pytest.raises(Conflict, match="two grids"):
        Profile.empty(GRID).merge(Profile.empty(other))


def test_an_equal_grid_read_back_from_bytes_is_the_same_grid() -> None:
    mine, theirs = profiled(prediction=pa.array([1])), Grid.from_bytes(GRID.to_bytes())

    mine.merge(Profile.empty(theirs))

    assert mine.rows == 1


def test_broken_or_foreign_bytes_are_refused() -> None:
    whole = profiled(prediction=pa.array([1])).to_bytes()
    other = Grid.build(REFERENCE.slice(1), a_system(), "1")

    for data in (b"", whole[:-1], whole[:20], whole + b"x"):
        with pytest.raises(MalformedRecord):
            Profile.from_bytes(GRID, data)
    with pytest.raises(MalformedRecord, match="no profile of grid"):
        Profile.from_bytes(other, whole)


def test_what_was_stored_before_labels_of_no_row_were_told_apart_is_read() -> None:
    profile = profiled(prediction=pa.array([1, 0]), score=pa.array([0.5, 0.25]))
    bytes_now = profile.to_bytes()
    place = profile.layout.sections["echoed"][0]
    vector = pack(np.delete(profile.vector, place))
    own = profile.extremes.astype("<f8").tobytes() + vector
    head = b"WKP3" + bytes_now[4:12]
    before = head + (1).to_bytes(2, "big") + len(own).to_bytes(4, "big") + own

    assert Profile.from_bytes(GRID, before).to_bytes() == bytes_now


def test_labels_are_added_or_taken_back_and_nothing_else() -> None:
    one = np.zeros(1, dtype=np.int16)
    labelled = Labelled(one, one, np.array([0.5]), np.zeros((2, 1), dtype=np.int16))

    with pytest.raises(ValueError, match="sign must be 1 or -1"):
        Profile.empty(GRID).add_labels(labelled, sign=2)


def test_a_score_is_in_the_same_cell_with_and_without_its_label() -> None:
    scores = [0.0, 0.25, 0.5, 0.75, 1.0, *GRID.axes[GRID.score].edges[::100]]
    profile = Profile.empty(GRID)

    ones = [1] * len(scores)
    add_rows(profile, pa.record_batch({"prediction": ones, "label": ones, "score": scores}))

    by_label = profile.section("label_scores").sum(axis=0)
    assert by_label.tolist() == profile.cells(GRID.score).tolist()


def test_an_empty_batch_changes_nothing() -> None:
    assert (
        profiled(prediction=pa.array([], pa.int64())).to_bytes() == Profile.empty(GRID).to_bytes()
    )


def test_a_unit_too_fine_for_its_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 62"):
        Quantity(bits=60, limit_bits=3)


def test_a_reference_survives_its_bytes_and_counts_its_labels() -> None:
    parts = [REFERENCE.slice(0, 30), REFERENCE.slice(30)]
    reference = Reference.build(parts, a_system(), "s", "1")

    again = Reference.from_bytes(reference.to_bytes())

    assert again.id == reference.id
    assert (again.system, again.version) == ("s", "1")
    assert again.profile.rows == again.profile.labelled == 100
    assert again.sample.num_rows == 100
    assert again.grid.id == GRID.id


def test_equal_rows_in_another_order_and_split_give_the_same_artifact() -> None:
    backwards = REFERENCE.take(pa.array(range(99, -1, -1)))

    one = Reference.build([REFERENCE], a_system(), "s", "1")
    other = Reference.build([backwards.slice(0, 7), backwards.slice(7)], a_system(), "s", "1")

    assert one.id == other.id


def test_the_sample_of_a_large_reference_is_capped_and_follows_the_ids() -> None:
    batch = pa.record_batch({"id": pa.array([str(i) for i in range(12_000)])})
    backwards = batch.take(pa.array(range(11_999, -1, -1)))

    one, other = (Reference.build([rows], a_system(), "s", "1") for rows in (batch, backwards))

    assert one.sample.num_rows == 5_000
    assert one.sample.equals(other.sample)


def test_a_reference_without_rows_is_refused() -> None:
    with pytest.raises(InvalidObject, match="no row"):
        Reference.build([REFERENCE.slice(0, 0)], a_system(), "s", "1")


def test_broken_references_are_refused() -> None:
    whole = Reference.build([REFERENCE], a_system(), "s", "1").to_bytes()

    for data in (
        b"",
        b"WKREF1\n",
        whole[:-5],
        b"{}" + whole,
        whole.replace(b'"grid"', b'"gird"', 1),
    ):
        with pytest.raises(MalformedRecord):
            Reference.from_bytes(data)


def test_rows_without_a_label_are_not_labelled() -> None:
    profile = Profile.empty(GRID)

    add_rows(profile, pa.record_batch({"prediction": [1, 0, 1], "label": [1, None, None]}))

    assert (profile.rows, profile.labelled) == (3, 1)
