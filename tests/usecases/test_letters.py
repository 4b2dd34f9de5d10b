"""Letters go through the record: register, figures and dossier cannot disagree."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.letter import LetterFacts, LetterState, Timing
from app.domain.period import Period
from app.domain.tally import Count
from app.rulebook.metrics import load_metrics
from app.store import units
from app.store.session import WriteSession
from app.usecases import intake, late_causes, letters, reporting
from app.usecases.access import Principal, ScopeMissing
from app.usecases.dossiers import DossierUnknown
from app.usecases.letters import (
    Apology,
    ApologyTold,
    ExemptionUnknown,
    LetterNumberUnknown,
    LetterUnclear,
    NewDateNotLater,
)
from app.usecases.reporting import Question
from app.usecases.subtree import Subtree
from tests.factories import local, make_source
from tests.usecases.test_intake import who

NOW = local("2026-08-20", 9)
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
ISSUED = local("2026-08-05", 10)
NEW = local("2026-08-12", 17)
LETTER = ApologyTold(ISSUED, NEW, "15/TXL")


@pytest.fixture
def sender(session: WriteSession) -> Principal:
    return who(session)


def tell(session: WriteSession, sender: Principal, *codes: str, **more: object) -> None:
    for code in codes:
        record = {
            "code": code,
            "unit": "H44",
            "procedure": "P",
            "received_at": "2026-08-03T09:00:00+07:00",
            "due_at": "2026-08-06T17:00:00+07:00",
            "status": "processing",
            "source_updated_at": "2026-08-03T09:00:05+07:00",
            **more,
        }
        hashed = intake.hasher(b"k")
        intake.native_records(session, [record], who=sender, hash_applicant=hashed, now=NOW)


def put(session: WriteSession, sender: Principal, told: ApologyTold, code: str = "A") -> Apology:
    verdict = letters.put_apology(session, code, told, source=None, who=sender, now=NOW)
    assert letters.is_taken(verdict)
    within = Subtree(sender.lft, sender.rgt)
    return letters.get_apology(session, code, source=None, within=within, now=NOW)


def total(session: WriteSession, sender: Principal, state: LetterState) -> int:
    within = Subtree(sender.lft, sender.rgt)
    page = letters.list_letters(
        session, within=within, state=state, period=AUGUST, now=NOW, after=None, limit=99
    )
    assert len(page.lines) == page.total
    return page.total


def test_a_letter_moves_its_dossier_from_owed_to_issued_and_the_figures_with_it(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A", "B", "C")
    owed = total(session, sender, LetterState.OWED)

    found = put(session, sender, LETTER)
    put(session, sender, ApologyTold(exempt_reason="force_majeure"), "B")

    assert owed == 3
    (listed,) = found.letters
    assert (found.state, listed.timing) == (LetterState.ISSUED, Timing.BEFORE_DUE_DAY)
    counted = {state: total(session, sender, state) for state in LetterState}
    assert counted == dict.fromkeys(LetterState, 1)
    unit = units.get(session, "H44")
    figures = reporting.figures(
        session,
        Question(unit=unit, period=AUGUST),
        definitions=[load_metrics().default],
        now=NOW,
    ).total.tally
    assert [
        figures[Count(f"open_overdue_{name}")]
        for name in ("without_apology", "with_apology", "apology_exempt")
    ] == [1, 1, 1]


def test_the_same_letter_again_changes_nothing_and_a_number_is_added(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A")
    put(session, sender, replace(LETTER, document=None))

    again = letters.put_apology(session, "A", LETTER, source=None, who=sender, now=NOW)
    third = letters.put_apology(session, "A", LETTER, source=None, who=sender, now=NOW)
    corrected = put(session, sender, replace(LETTER, document="16/TXL"))

    assert again is not None
    assert third is None
    (listed,) = corrected.letters
    assert (listed.letter.document, listed.letter.sequence) == ("16/TXL", 1)


def test_a_number_of_a_person_in_the_number_of_a_letter_is_kept_masked_and_told_once(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A")
    told = replace(LETTER, document="15/001987654321")

    found = put(session, sender, told)

    assert found.letters[0].letter.document == "15/***"
    again = letters.put_apology(session, "A", told, source=None, who=sender, now=NOW)
    assert again is None


def test_a_second_new_date_is_flagged_and_a_late_letter_is_told_from_one_in_time(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A")
    put(session, sender, LETTER)

    found = put(
        session, sender, ApologyTold(local("2026-08-11", 9), local("2026-08-19", 17), "20/TXL")
    )

    assert [
        (one.letter.sequence, one.letter.is_second_extension, one.timing) for one in found.letters
    ] == [(1, False, Timing.BEFORE_DUE_DAY), (2, True, Timing.AFTER_DUE)]
    lines = letters.register(
        session, within=Subtree(sender.lft, sender.rgt), period=AUGUST, now=NOW
    )
    assert [len(line.letters) for line in lines] == [2]


def test_a_letter_told_by_the_software_stands_in_the_register_too(
    session: WriteSession, sender: Principal
) -> None:
    told = {"issued_at": ISSUED.isoformat(), "new_due_at": NEW.isoformat(), "document": "9/TXL"}
    tell(session, sender, "A", extension=told)

    lines = letters.register(
        session, within=Subtree(sender.lft, sender.rgt), period=AUGUST, now=NOW
    )

    assert [line.letters[0].letter.document for line in lines] == ["9/TXL"]
    assert (
        letters.put_apology(
            session, "A", replace(LETTER, document=None), source=None, who=sender, now=NOW
        )
        is None
    )


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        (ApologyTold(), LetterUnclear),
        (replace(LETTER, exempt_reason="other"), LetterUnclear),
        (ApologyTold(new_due_at=NEW, exempt_reason="other"), LetterUnclear),
        (ApologyTold(exempt_reason="because"), ExemptionUnknown),
        (ApologyTold(ISSUED, ISSUED), NewDateNotLater),
    ],
)
def test_what_is_no_letter_is_refused(
    session: WriteSession, sender: Principal, told: ApologyTold, refusal: type[Exception]
) -> None:
    tell(session, sender, "A")

    with pytest.raises(refusal):
        letters.put_apology(session, "A", told, source=None, who=sender, now=NOW)


def test_only_a_superior_speaks_for_another_system(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A")
    other = replace(sender, source_id=make_source(session, "other"), source_code="other")

    with pytest.raises(DossierUnknown):
        letters.put_apology(session, "A", LETTER, source=None, who=other, now=NOW)
    with pytest.raises(ScopeMissing):
        letters.put_apology(session, "A", LETTER, source="mot-cua", who=other, now=NOW)


def test_the_form_knows_what_the_dossier_knows_and_leaves_the_rest(
    session: WriteSession, sender: Principal
) -> None:
    tell(session, sender, "A")
    within = Subtree(sender.lft, sender.rgt)
    late_causes.put_cause(session, "A", "other_agency", source=None, who=sender, now=NOW)

    def form(number: int | None = None, day: date | None = None) -> LetterFacts:
        return letters.get_facts(
            session, "A", source=None, within=within, number=number, new_due_on=day, now=NOW
        )

    blank, asked = form(), form(day=date(2026, 8, 25))
    put(session, sender, LETTER)
    issued = form(1)

    assert (blank.document, blank.issued_on, blank.new_due_on) == (None, None, None)
    assert blank.is_late
    assert blank.reason == "Chờ cơ quan phối hợp hoặc cơ quan ở chặng liên thông khác"
    assert asked.new_due_on == date(2026, 8, 25)
    assert (issued.document, issued.issued_on) == ("15/TXL", date(2026, 8, 5))
    assert issued.new_due_on == date(2026, 8, 12)
    with pytest.raises(LetterNumberUnknown):
        form(2)
