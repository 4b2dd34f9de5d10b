"""Registers of offices: who may tell what, and how far back it is counted."""

from datetime import UTC, date, datetime

import pytest

from app.domain.petition import Petition, PetitionKind, PetitionState
from app.domain.publication import Publication, PublicationCount
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import catalogue, registers
from app.usecases.catalogue import Change, ProcedureSpec
from app.usecases.registers import EntryInFuture, EntryUnitUnknown, Filed, Posting, Teller
from app.usecases.subtree import Subtree
from tests import factories

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
TODAY = date(2026, 8, 10)


def who_of(unit: UnitRow) -> Teller:
    return Teller("t", Subtree(unit.lft, unit.rgt), NOW, TODAY)


def test_units_tell_only_of_themselves_and_those_below(session: WriteSession) -> None:
    who = who_of(factories.make_unit(session, "H44"))
    factories.make_unit(session, "H15")
    petition = Petition(date(2026, 8, 3))
    own = Filed("H44", "1", PetitionKind.REFLECTION, petition)
    other = Filed("H15", "1", PetitionKind.REFLECTION, petition)

    (done,) = registers.put_petitions(session, [own], by=who)

    assert done.change is Change.CREATED
    with pytest.raises(EntryUnitUnknown):
        registers.put_petitions(session, [other], by=who)


def test_a_day_that_has_not_come_cannot_have_seen_a_step(session: WriteSession) -> None:
    who = who_of(factories.make_unit(session, "H44"))
    early = Filed("H44", "1", PetitionKind.PROPOSAL, Petition(date(2026, 8, 11)))

    with pytest.raises(EntryInFuture):
        registers.put_petitions(session, [early], by=who)


def test_more_entries_than_are_read_at_once_are_all_listed(session: WriteSession) -> None:
    unit = factories.make_unit(session, "H44")
    who = who_of(unit)
    told = [
        Filed("H44", f"{n:05}", PetitionKind.REFLECTION, Petition(date(2026, 8, 3)))
        for n in range(registers.AT_ONCE + 5)
    ]
    registers.put_petitions(session, told, by=who)
    within = Subtree(unit.lft, unit.rgt)

    found = registers.filed(session, within=within, on=TODAY, limit=registers.AT_ONCE + 100)
    none = registers.filed(session, within=within, on=TODAY, state=PetitionState.OVERDUE, limit=10)

    assert [one.filed.code for one in found] == [one.code for one in told]
    assert none == []


def test_postings_are_counted_as_they_were_known(session: WriteSession) -> None:
    unit = factories.make_unit(session, "H44")
    catalogue.put_procedure(
        session, ProcedureSpec(code="1.001193", name="Khai sinh"), actor="t", now=NOW
    )
    who = who_of(unit)
    publication = Publication(date(2026, 1, 1), at_office_on=TODAY, online_on=TODAY)
    posting = Posting("H44", "1.001193", publication)
    registers.put_postings(session, [posting], by=who)

    def posted(known_at: datetime) -> int:
        found = registers.posting_counts(
            session,
            within=Subtree(unit.lft, unit.rgt),
            first=TODAY,
            last=TODAY,
            known_at=known_at,
        )
        return sum(counts[PublicationCount.POSTED] for counts in found.values())

    assert posted(NOW) == 1
    assert posted(datetime(2026, 8, 9, tzinfo=UTC)) == 0
