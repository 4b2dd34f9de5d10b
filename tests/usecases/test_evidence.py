"""Evidence: kept once by hash, refused by content, linked where the sheet's readers see it."""

from datetime import UTC, datetime

import pytest

from app.store import evidence as stored
from app.store.evidence import EvidenceUnknown
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import evidence
from app.usecases.evidence import EvidenceEmpty, EvidenceKindRefused, EvidenceTooBig
from app.usecases.subtree import unit_of
from tests.factories import make_unit
from tests.principals import holder

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
PDF = b"%PDF-1.7 minutes"


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    make_unit(session, "H44.1", parent=found)
    make_unit(session, "H44.2", parent=found)
    return found


def test_the_same_bytes_are_kept_once(session: WriteSession, province: UnitRow) -> None:
    who = holder(province)

    first = evidence.put(session, "H44.1", "a.pdf", PDF, who=who, now=NOW)
    again = evidence.put(session, "H44.1", "b.pdf", PDF, who=who, now=NOW)

    assert (first.is_new, again.is_new, again.row.name) == (True, False, "a.pdf")
    assert evidence.content(session, first.row) == PDF
    assert evidence.get(session, first.row.hash.upper(), who=who) == first.row


def test_what_is_empty_too_big_or_of_another_kind_is_refused(
    session: WriteSession, province: UnitRow
) -> None:
    who = holder(province)

    with pytest.raises(EvidenceEmpty):
        evidence.put(session, "H44.1", "a.pdf", b"", who=who, now=NOW)
    with pytest.raises(EvidenceKindRefused):
        evidence.put(session, "H44.1", "a.pdf", b"<html>", who=who, now=NOW)
    with pytest.raises(EvidenceTooBig):
        evidence.put(session, "H44.1", "a.pdf", b"%PDF-" + b"x" * 2**24, who=who, now=NOW)


def test_a_key_sees_the_files_of_its_own_units_alone(
    session: WriteSession, province: UnitRow
) -> None:
    made = evidence.put(session, "H44.1", "a.pdf", PDF, who=holder(province), now=NOW)
    sister = unit_of(session, holder(province), "H44.2")

    with pytest.raises(EvidenceUnknown):
        evidence.get(session, made.row.hash, who=holder(sister))
    with pytest.raises(EvidenceUnknown):
        evidence.get(session, "not a hash", who=holder(province))


def test_a_line_is_proved_by_files_of_the_unit_or_of_one_above(
    session: WriteSession, province: UnitRow
) -> None:
    who = holder(province)
    own = evidence.put(session, "H44.1", "a.pdf", PDF, who=who, now=NOW).row.hash
    above = evidence.put(session, "H44", "a.pdf", PDF + b"1", who=who, now=NOW).row.hash
    sisters = evidence.put(session, "H44.2", "a.pdf", PDF + b"2", who=who, now=NOW).row.hash
    row = unit_of(session, who, "H44.1")

    read, faults = evidence.linked(
        session, row, {"a": [own, above], "b": [sisters, "x"], "c": []}, ["a", "b"]
    )

    assert read["a"] == [own, above]
    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/evidence/b/0", "evidence.not_held"),
        ("/evidence/b/1", "evidence.not_held"),
        ("/evidence/c", "input.unknown_leaf"),
    ]


def test_bytes_that_are_not_those_of_the_hash_are_an_alarm(
    session: WriteSession, province: UnitRow
) -> None:
    stored.add(
        session,
        province.id,
        digest="sha256:" + "0" * 64,
        name="a",
        media_type="text/plain",
        data=b"x",
        actor="t",
        now=NOW,
    )

    row = evidence.get(session, "0" * 64, who=holder(province))

    with pytest.raises(RuntimeError, match="does not have its hash"):
        evidence.content(session, row)


def test_files_are_listed_for_a_subtree(session: WriteSession, province: UnitRow) -> None:
    evidence.put(session, "H44.1", "a.pdf", PDF, who=holder(province), now=NOW)

    rows = evidence.listed(session, lft=province.lft, rgt=province.rgt, after=None, limit=5)

    assert [row.unit_code for row in rows] == ["H44.1"]
