"""Letters of apology: who is owed one, the register of those issued, and the letter itself.

A letter is told as a message of the dossier's record, so the register, the figures and the
dossier cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar, Final

from app.domain.alert import working_days_late
from app.domain.calendar import CalendarYearMissing
from app.domain.dossier import ZONE
from app.domain.errors import Invalid
from app.domain.letter import Letter, LetterFacts, LetterState, Timing, letters_of, timing_of
from app.domain.period import Period
from app.domain.record import MessageKind
from app.domain.timeliness import State
from app.feeds.masking import mask
from app.rulebook.late_causes import load_late_causes
from app.rulebook.letter_exemptions import load_exemptions
from app.store import dossiers, letters, procedures, units
from app.store.dossiers import Found, Key
from app.store.letters import LetterRow, Place, Wanted
from app.store.session import ReadSession, WriteSession
from app.usecases import intake, late_causes
from app.usecases.access import Principal
from app.usecases.calendars import calendars_of
from app.usecases.dossiers import source_named, the_one
from app.usecases.ingest import Verdict, VerdictWord
from app.usecases.subtree import Subtree, reach_of

MOST_IN_REGISTER: Final = 20_000


@dataclass(eq=False, kw_only=True)
class LetterUnclear(Invalid):
    """Either a letter is told (``issued_at``) or an exemption from it (``exempt_reason``)."""

    code: ClassVar[str] = "letter.unclear"


@dataclass(eq=False, kw_only=True)
class ExemptionUnknown(Invalid):
    """No reason of this code stands in the catalogue of exemptions."""

    code: ClassVar[str] = "letter.exemption_unknown"
    reason: str
    known: str


@dataclass(eq=False, kw_only=True)
class NewDateNotLater(Invalid):
    """The new date must lie after the day of the letter."""

    code: ClassVar[str] = "letter.new_date_not_later"


@dataclass(eq=False, kw_only=True)
class RegisterTooLong(Invalid):
    """The register of the period is too long for one workbook."""

    code: ClassVar[str] = "letter.register_too_long"
    most: int


@dataclass(eq=False, kw_only=True)
class LetterNumberUnknown(Invalid):
    """The dossier has no letter of this number in its sequence."""

    code: ClassVar[str] = "letter.number_unknown"
    number: int


@dataclass(frozen=True, slots=True)
class ListedLetter:
    """A letter with when it was issued against the promise."""

    letter: Letter
    timing: Timing


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A dossier of a list of letters."""

    row: LetterRow
    state: LetterState
    letters: tuple[ListedLetter, ...]
    late_working_days: int | None
    late_cause: str | None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """A page of a list of letters, oldest first."""

    total: int
    lines: list[LetterLine]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Apology:
    """What a dossier has of letters."""

    code: str
    source: str
    state: LetterState | None
    letters: tuple[ListedLetter, ...]


@dataclass(frozen=True, slots=True)
class ApologyTold:
    """A letter, or an exemption, as an office tells it."""

    issued_at: datetime | None = None
    new_due_at: datetime | None = None
    document: str | None = None
    exempt_reason: str | None = None


# ---------------------------------------------------------------- lists


def list_letters(
    session: ReadSession,
    *,
    within: Subtree,
    state: LetterState,
    period: Period,
    now: datetime,
    after: Place | None,
    limit: int,
) -> LetterPage:
    """Return a page of the late dossiers of a subtree whose letter is owed, issued or exempt.

    Those owed and exempt are of the due days of the period, those issued of the days on which
    their first letter was issued.
    """
    wanted = Wanted(
        within.lft,
        within.rgt,
        state,
        period.first,
        period.last,
        period.begins,
        period.ends,
        now,
    )
    rows = letters.page(session, wanted, after=after, limit=limit + 1)
    shown = rows[:limit]
    return LetterPage(
        total=letters.count(session, wanted),
        lines=_lines(session, shown, state, now=now),
        after=shown[-1].place if len(rows) > limit else None,
    )


def _lines(
    session: ReadSession, rows: Sequence[LetterRow], state: LetterState, *, now: datetime
) -> list[LetterLine]:
    keys = [(row.place.source_id, row.place.code) for row in rows]
    told = {} if state is LetterState.OWED else _told(session, keys)
    causes = late_causes.causes_of(session, keys)
    calendars = calendars_of(session, {row.place.unit_id for row in rows})
    lines = []
    for row, key in zip(rows, keys, strict=True):
        late = None
        if row.state is State.OPEN_OVERDUE:
            try:
                late = working_days_late(calendars[row.place.unit_id], row.due_on, now)
            except CalendarYearMissing:
                late = None
        listed = tuple(
            ListedLetter(
                letter,
                timing_of(letter.issued_at, due_on=row.due_on, on_time_until=row.on_time_until),
            )
            for letter in told.get(key, ())
        )
        lines.append(LetterLine(row, state, listed, late, causes.get(key)))
    return lines


def _told(session: ReadSession, keys: Sequence[Key]) -> dict[Key, tuple[Letter, ...]]:
    kept = dossiers.records(session, dossiers.locate(session, keys))
    return {key: letters_of(one.messages) for key, one in kept.items()}


def register(
    session: ReadSession, *, within: Subtree, period: Period, now: datetime
) -> list[LetterLine]:
    """Return every dossier whose first letter was issued in a period, oldest first.

    :raises RegisterTooLong: there are more than one workbook should hold.
    """
    found: list[LetterLine] = []
    after: Place | None = None
    while True:
        page = list_letters(
            session,
            within=within,
            state=LetterState.ISSUED,
            period=period,
            now=now,
            after=after,
            limit=500,
        )
        if page.total > MOST_IN_REGISTER:
            raise RegisterTooLong(most=MOST_IN_REGISTER)
        found += page.lines
        after = page.after
        if after is None:
            return found


# ---------------------------------------------------------------- of one dossier


def get_apology(
    session: ReadSession, code: str, *, source: str | None, within: Subtree, now: datetime
) -> Apology:
    """Return the letters of one dossier, and whether it owes one.

    :raises DossierUnknown: there is none of this number within the units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    """
    found = _found(session, code, source, within)
    listed = _listed(session, found)
    return Apology(code, found.source, _state_of(found, listed, now), listed)


def _found(session: ReadSession, code: str, source: str | None, within: Subtree) -> Found:
    found = dossiers.find(session, code, lft=within.lft, rgt=within.rgt, source=source)
    return the_one(found, code)


def _listed(session: ReadSession, found: Found) -> tuple[ListedLetter, ...]:
    key = (int(found.row["source_id"]), str(found.row["code"]))
    until = found.row["on_time_until"]
    return tuple(
        ListedLetter(
            letter,
            Timing.BEFORE_DUE_DAY
            if until is None
            else timing_of(letter.issued_at, due_on=found.row["due_on"], on_time_until=until),
        )
        for letter in _told(session, [key]).get(key, ())
    )


def _state_of(found: Found, listed: Sequence[ListedLetter], now: datetime) -> LetterState | None:
    if any(one.letter.is_exemption for one in listed):
        return LetterState.EXEMPT
    if listed:
        return LetterState.ISSUED
    return LetterState.OWED if _is_late(found, now) else None


def _is_late(found: Found, now: datetime) -> bool:
    state = _state_at(found, now)
    return state in {State.OPEN_OVERDUE, State.FINISHED_LATE}


def _state_at(found: Found, now: datetime) -> State | None:
    held = None
    for at, state in zip(found.row["edge_at"], found.row["edge_state"], strict=True):
        if at < now:
            held = State(state)
    return held


def put_apology(
    session: WriteSession,
    code: str,
    told: ApologyTold,
    *,
    source: str | None,
    who: Principal,
    now: datetime,
) -> Verdict | None:
    """Tell a letter of a dossier, or an exemption from it, as a message of its record.

    What is known already is not told again (None); a number told later is added to its letter. A
    superior names with ``source`` the system whose dossier it is about.

    :raises DossierUnknown: there is none of this number within the asker's units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    :raises LetterUnclear: neither a letter nor an exemption is told, or both.
    :raises ExemptionUnknown: the reason stands in no catalogue.
    :raises NewDateNotLater: the new date is no later than the letter.
    :raises ScopeMissing: another system's dossier is named by one who is no superior.
    """
    _check(told)
    if told.document is not None:
        told = replace(told, document=mask(" ".join(told.document.split())))
    within = reach_of(who)
    own = who.source_code if source is None else source
    found = _found(session, code, own, within)
    source_id = None
    if found.source != who.source_code:
        source_id = source_named(session, who, code, found.source)
    known = [one.letter for one in _listed(session, found)]
    same = next((letter for letter in known if _is_same(letter, told)), None)
    if same is not None and _adds_nothing(same, told):
        return None
    at = told.issued_at or now
    event: dict[str, object] = {"code": code, "at": at.isoformat()}
    if same is not None:
        event["source_updated_at"] = now.isoformat()  # newer than what it completes
    if told.document is not None:
        event["document"] = told.document
    if told.new_due_at is not None:
        event |= {"kind": MessageKind.EXTENSION.value, "new_due_at": told.new_due_at.isoformat()}
    elif told.exempt_reason is not None:
        event |= {
            "kind": MessageKind.APOLOGY.value,
            "exempt": True,
            "reason": told.exempt_reason,
        }
    else:
        event["kind"] = MessageKind.APOLOGY.value
    (verdict,) = intake.native_events(
        session, [event], who=who, now=now, code=code, source_id=source_id
    )
    return verdict


def _check(told: ApologyTold) -> None:
    is_letter, is_exemption = told.issued_at is not None, told.exempt_reason is not None
    if is_letter == is_exemption or (is_exemption and told.new_due_at is not None):
        raise LetterUnclear
    if told.exempt_reason is not None and told.exempt_reason not in load_exemptions():
        raise ExemptionUnknown(reason=told.exempt_reason, known=", ".join(load_exemptions()))
    if (
        told.issued_at is not None
        and told.new_due_at is not None
        and told.new_due_at <= told.issued_at
    ):
        raise NewDateNotLater


def _is_same(letter: Letter, told: ApologyTold) -> bool:
    if told.exempt_reason is not None:
        return letter.is_exemption and letter.reason == told.exempt_reason
    return not letter.is_exemption and (letter.issued_at, letter.new_due_at) == (
        told.issued_at,
        told.new_due_at,
    )


def _adds_nothing(letter: Letter, told: ApologyTold) -> bool:
    return told.document is None or told.document == letter.document


def is_taken(verdict: Verdict | None) -> bool:
    """Tell whether what was told stands in the record now."""
    return verdict is None or verdict.word is not VerdictWord.QUARANTINED


# ---------------------------------------------------------------- the letter itself


def get_facts(
    session: ReadSession,
    code: str,
    *,
    source: str | None,
    within: Subtree,
    number: int | None,
    new_due_on: date | None,
    now: datetime,
) -> LetterFacts:
    """Return what is known for the letter of a dossier.

    :param number: which of its letters, from 1; the last one when None. One that is not issued
        yet leaves number and date to be filled in.
    :param new_due_on: the new date of a letter that is not issued yet.
    :raises DossierUnknown: there is none of this number within the units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    :raises LetterNumberUnknown: the dossier has no such letter.
    """
    found = _found(session, code, source, within)
    issued = [one.letter for one in _listed(session, found) if not one.letter.is_exemption]
    if number is not None and not 1 <= number <= len(issued):
        raise LetterNumberUnknown(number=number)
    letter = None
    if issued and new_due_on is None:
        letter = issued[-1 if number is None else number - 1]
    row = found.row
    unit = units.by_id(session, [int(row["unit_id"])])[int(row["unit_id"])]
    above = None if unit.parent_id is None else units.by_id(session, [unit.parent_id])
    key = (int(row["source_id"]), code)
    cause = load_late_causes().get(late_causes.causes_of(session, [key]).get(key, ""))
    finished = row["finished_at"]
    return LetterFacts(
        code=code,
        unit=unit.name,
        parent=None if above is None or unit.parent_id is None else above[unit.parent_id].name,
        procedure=_procedure_of(session, found),
        received_on=_day(row["received_at"]),
        due_at=row["due_at"],
        finished_on=None if finished is None or finished >= now else _day(finished),
        is_late=_is_late(found, now),
        reason=None if cause is None else cause.vi,
        document=None if letter is None else letter.document,
        issued_on=None if letter is None else _day(letter.issued_at),
        new_due_on=new_due_on if letter is None else _day(letter.new_due_at),
    )


def _procedure_of(session: ReadSession, found: Found) -> str:
    if found.procedure is None:
        return str(found.row["procedure_told"] or "")
    known = procedures.by_code(session, [found.procedure]).get(found.procedure)
    return found.procedure if known is None else f"{known.name} ({known.code})"


def _day(instant: datetime | None) -> date | None:
    return None if instant is None else instant.astimezone(ZONE).date()
