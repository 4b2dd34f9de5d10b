"""Numbers alone link dossiers; what could be read in two ways is shown and not guessed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.record import Message, Told
from app.domain.sameness import (
    MOST_NUMBERS,
    Candidate,
    Kinship,
    Numbered,
    Relation,
    counting,
    is_distinctive,
    kinships,
    numbered,
    signs,
    words_of,
)
from tests.strategies import message

FIRST = datetime(2026, 3, 2, tzinfo=UTC)


def one(source: int, code: str, *others: str, leg: bool = False, day: int = 0) -> Numbered:
    """Return the numbers of a dossier."""
    return Numbered(source, code, frozenset(others), leg, FIRST + timedelta(days=day))


def test_the_same_number_at_two_sources_is_one_dossier_in_two_systems() -> None:
    found = kinships([one(1, "H44-1"), one(2, "H44-1"), one(2, "H44-2")])

    assert found[1, "H44-1"].relations((1, "H44-1")) == (((2, "H44-1"), Relation.OTHER_SYSTEM),)
    assert found[2, "H44-2"] == Kinship((((2, "H44-2"),),))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (one(1, "H44-1"), one(2, "BN-1", "H44-1")),
        (one(1, "H44-1", "QG-7"), one(2, "BN-1", "QG-7")),
    ],
    ids=["names ours", "both name a third"],
)
def test_another_number_links_across_sources(ours: Numbered, theirs: Numbered) -> None:
    found = kinships([ours, theirs])

    assert len(found[ours.key].lines) == len(found[theirs.key].lines) == 2


def test_a_plain_running_number_names_a_dossier_only_within_its_source() -> None:
    found = kinships([one(1, "17"), one(2, "17"), one(1, "18", "17", day=1)])

    assert found[2, "17"] == Kinship((((2, "17"),),))
    assert found[1, "18"].line == ((1, "18"), (1, "17"))


def test_a_number_that_names_another_of_its_source_is_the_newer_one() -> None:
    found = kinships([one(1, "A-1"), one(1, "B-1", "A-1"), one(1, "C-1", "A-1", "B-1")])

    line = ((1, "C-1"), (1, "B-1"), (1, "A-1"))
    assert {kinship.line for kinship in found.values()} == {line}
    assert found[1, "B-1"].relations((1, "B-1")) == (
        ((1, "A-1"), Relation.FORMER_NUMBER),
        ((1, "C-1"), Relation.NEWER_NUMBER),
    )


def test_two_that_name_each_other_are_ordered_by_the_first_news() -> None:
    found = kinships([one(1, "A-1", "B-1", day=2), one(1, "B-1", "A-1", day=1)])

    assert found[1, "A-1"].line == ((1, "A-1"), (1, "B-1"))


@pytest.mark.parametrize(
    "known",
    [
        [one(1, "O-1"), one(1, "A-1", "O-1"), one(1, "B-1", "O-1")],
        [one(1, "O-1"), one(1, "P-1"), one(1, "A-1", "O-1", "P-1")],
    ],
    ids=["two successors", "two predecessors"],
)
def test_two_candidates_are_shown_and_not_joined(known: list[Numbered]) -> None:
    found = kinships(known)

    for each in known:
        kinship = found[each.key]
        assert kinship.line == (each.key,)
        assert {other for other, _ in kinship.relations(each.key)} == {
            other.key for other in known if other is not each
        }
        assert {relation for _, relation in kinship.relations(each.key)} == {Relation.UNCLEAR}


def test_one_number_that_fits_two_dossiers_of_a_source_is_unclear() -> None:
    found = kinships([one(1, "A-1", "QG-7"), one(1, "B-1", "QG-7"), one(2, "QG-7")])

    assert all(len(kinship.lines) == 1 for kinship in found.values())
    assert found[2, "QG-7"].unclear == ((1, "A-1"), (1, "B-1"))


def test_two_of_one_source_that_share_a_third_number_stay_two() -> None:
    found = kinships([one(1, "A-1", "QG-7"), one(1, "B-1", "QG-7")])

    assert all(not kinship.relations(key) for key, kinship in found.items())


def test_a_leg_is_linked_to_its_own_former_number_alone() -> None:
    known = [one(1, "L-2", "L-1", "QG-7", leg=True), one(1, "L-1", leg=True), one(2, "QG-7")]

    found = kinships(known)

    assert found[1, "L-2"].lines == (((1, "L-2"), (1, "L-1")),)
    assert found[2, "QG-7"].relations((2, "QG-7")) == ()


def test_a_number_that_too_many_share_is_no_dossiers() -> None:
    known = [one(source, "H44-1") for source in range(1, MOST_NUMBERS + 2)]

    assert all(not kinship.relations(key) for key, kinship in kinships(known).items())
    assert all(kinship.relations(key) for key, kinship in kinships(known[1:]).items())


def test_the_parent_of_a_leg_is_no_number_of_it() -> None:
    told = Told(unit="A", procedure="P", parent="H44-1", other_codes=("H44-1", "L-1"))

    found = numbered((1, "L-2"), [message(told, at=FIRST)])

    assert (found.others, found.has_parent) == (frozenset({"L-1"}), True)


def test_the_numbers_are_those_of_the_newest_record_and_none_is_forgotten() -> None:
    messages = [
        message(Told(other_codes=("H44-9",)), at=FIRST + timedelta(days=1)),
        message(Told(other_codes=("H44-7", "H44-8")), at=FIRST),
    ]

    assert numbered((1, "H44-1"), messages).others == {"H44-9"}
    told = [one.told for one in messages]
    assert words_of((1, "H44-1"), told) == {"H44-1", "H44-7", "H44-8", "H44-9"}


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("H44.100-260803-0012", True),
        ("HS-1", True),
        ("12345678", True),
        ("1234567", False),
        ("N/A", False),
        ("000-000", False),
    ],
)
def test_what_names_a_dossier_beyond_its_source(word: str, is_one: bool) -> None:
    assert is_distinctive(word) is is_one


def test_signs_of_plain_numbers_belong_to_their_source() -> None:
    assert signs(7, ["17", "H44-1", "không có"]) == {"7/17", "H44-1"}


def test_what_counts_is_alive_then_preferred_then_seen_first() -> None:
    def at(day: int, *, preferred: bool = False, voided: bool = False) -> Candidate:
        return Candidate(voided, preferred, FIRST + timedelta(days=day))

    first, second, third = (1, "A"), (2, "A"), (3, "A")

    assert counting({first: at(1), second: at(0)}) == second
    assert counting({first: at(1, preferred=True), second: at(0)}) == first
    assert counting({first: at(0, preferred=True, voided=True), third: at(2)}) == third
    assert counting({first: at(0), second: at(0)}) == first


codes = st.sampled_from(["A-1", "B-1", "C-1", "D-1"])


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 3), codes), st.frozensets(codes, max_size=2), max_size=8
    ),
    st.randoms(use_true_random=False),
)
def test_kinship_is_mutual_and_does_not_depend_on_the_order(
    told: dict[tuple[int, str], frozenset[str]], random: object
) -> None:
    known = [one(source, code, *others - {code}) for (source, code), others in told.items()]
    shuffled = list(known)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis types its random as object

    found = kinships(known)

    assert found == kinships(shuffled)
    assert found.keys() == told.keys()
    for key, kinship in found.items():
        assert key in kinship.line
        for line in kinship.lines:
            for other in line:
                assert set(found[other].lines) == set(kinship.lines)
        for other in kinship.unclear:
            assert key in found[other].unclear


def test_a_message_without_numbers_tells_none() -> None:
    messages: list[Message] = [message(Told(unit="A", procedure="P"), at=FIRST)]

    assert numbered((1, "H44-1"), messages).others == frozenset()
