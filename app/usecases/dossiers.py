"""Read dossiers: where one stands under each reading, what was told of it, why its date is so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from app.domain.account import account
from app.domain.calendar import WorkCalendar
from app.domain.canonical import to_plain
from app.domain.deadline import Due
from app.domain.dossier import gather
from app.domain.edges import Edge
from app.domain.errors import Conflict, NotFound
from app.domain.ledger import Ledger
from app.domain.procedure import LimitVersion
from app.domain.reading import Clocked, Revision, read
from app.domain.record import Message
from app.domain.timeliness import Reading, State
from app.domain.verdict import classify, rewound_to
from app.store import dossiers, procedures
from app.store.dossiers import Found, Same
from app.store.session import ReadSession
from app.usecases import terms
from app.usecases.access import Principal, Scope
from app.usecases.catalogue import ProcedureSpec
from app.usecases.subtree import Subtree, reach_of
from app.usecases.terms import NOWHERE, Lexicon


@dataclass(eq=False, kw_only=True)
class DossierUnknown(NotFound):
    """No dossier of this number was told, or not within the caller's units."""

    code: ClassVar[str] = "dossier.unknown"
    dossier: str


@dataclass(eq=False, kw_only=True)
class DossierAmbiguous(Conflict):
    """Several source systems sent a dossier of this number; name one with ``source``."""

    code: ClassVar[str] = "dossier.ambiguous"
    dossier: str
    sources: str


class Sourced(Protocol):
    """A dossier as one source system sent it."""

    @property
    def source(self) -> str:
        """Return the code of the system."""


Sent = TypeVar("Sent", bound=Sourced)


@dataclass(eq=False, kw_only=True)
class DueDateMissing(NotFound):
    """The dossier has no due date to explain: none was told, and none can be computed."""

    code: ClassVar[str] = "dossier.due_date_missing"
    dossier: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a dossier stands under one reading at an instant."""

    state: State | None
    due: Due | None


@dataclass(frozen=True, slots=True)
class HeldLimit:
    """The time limit that binds a dossier, and which state of the catalogue told it."""

    version: LimitVersion
    procedure: str
    revision: int
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """A dossier with everything that follows from its record.

    ``clocked`` knows all that was told; ``clocked_then`` only what had happened before ``as_of``.
    """

    found: Found
    same_as: tuple[Same, ...]
    messages: tuple[Message, ...]
    clocked: Clocked
    clocked_then: Mapping[Reading, Clocked]
    lexicon: Lexicon
    standings: Mapping[Reading, Standing]
    as_of: datetime

    @property
    def row(self) -> Mapping[str, Any]:
        """Return the stored row."""
        return self.found.row

    def unit_code(self, unit: int) -> str:
        """Return the code of a unit at which the dossier stayed."""
        return self.lexicon.by_id[unit].code

    def edges(self, reading: Reading) -> tuple[Edge, ...]:
        """Return what is counted of the dossier under one reading."""
        return self.clocked.edges(reading)

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """Return every change of the promise, with its reason."""
        return self.clocked.revisions


def get_dossier(
    session: ReadSession, code: str, *, within: Subtree, source: str | None, as_of: datetime
) -> Whole:
    """Return one dossier, folded from its record, as it stands at ``as_of`` (exclusive).

    :raises DossierUnknown: there is none of this number within the units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    """
    found = _found(session, code, within, source)
    key = (found.row["source_id"], found.row["code"])
    messages = dossiers.tellings(session, [key])[key]
    lexicon = terms.lexicon_for_reading(
        session, terms.words_in([[(message.root, message.told) for message in messages]])
    )
    history = gather(
        messages,
        lexicon.unit_ids,
        nowhere=lexicon.unit_ids.get((messages[0].root, NOWHERE)),
        heirs=lexicon.heirs,
    )
    law = lexicon.terms(history, parent_known=bool(found.row["is_leg"]))
    clocked = read(history, law)
    then = {reading: read(rewound_to(history, as_of, reading), law) for reading in Reading}
    standings = {}
    for reading in Reading:
        verdict = classify(history, law, reading=reading, as_of=as_of)
        state = None if verdict is None else verdict[0]
        standings[reading] = Standing(state, then[reading].due(reading))
    same_as = dossiers.same_as(session, key, lft=within.lft, rgt=within.rgt)
    return Whole(found, same_as, messages, clocked, then, lexicon, standings, as_of)


def explain_due_date(whole: Whole, *, reading: Reading) -> tuple[Ledger, WorkCalendar]:
    """Account day by day for the due date of a dossier, with the calendar that was used.

    The statutory reading accounts for our own computation; the others for the promise that they
    hold. A pause that is still open is taken to end at ``as_of``.

    :raises DueDateMissing: the dossier has no receipt, or no due date under this reading.
    :raises CalendarYearMissing: a year that it needs is not loaded.
    """
    clocked = whole.clocked_then[reading]
    ledger = account(clocked, reading, as_of=whole.as_of)
    if ledger is None:
        raise DueDateMissing(dossier=str(whole.row["code"]))
    return ledger, clocked.terms.calendar


def find_limit(session: ReadSession, whole: Whole) -> HeldLimit | None:
    """Return the limit that binds a dossier, with the state of the catalogue that told it."""
    history, version = whole.clocked.history, whole.clocked.version
    procedure = whole.clocked.terms.procedure
    if version is None or procedure is None:
        return None
    told = procedures.revisions_of(session, [procedure.code])[procedure.code]
    known = [row for row in told if row.recorded_at <= history.rules_known_at] or told[:1]
    limits = ProcedureSpec.from_plain(known[-1].spec).limits
    return HeldLimit(
        version,
        procedure.code,
        len(known),
        is_verified=any(one.is_verified for one in limits if one.version == version),
    )


def plain(message: Message) -> dict[str, Any]:
    """Return what a message told, as plain JSON values; the hash of an applicant is left out."""
    told = to_plain(message.told)
    told.pop("applicant_hash", None)
    return told


def source_named(session: ReadSession, who: Principal, code: str, source: str) -> int:
    """Return the number of another source whose dossier a superior speaks of.

    :raises ScopeMissing: the asker is no superior (``dossiers:correct``).
    :raises DossierUnknown: that source sent no such dossier within the asker's units.
    """
    who.require(Scope.DOSSIERS_CORRECT)
    found = _found(session, code, reach_of(who), source)
    return int(found.row["source_id"])


def _found(session: ReadSession, code: str, within: Subtree, source: str | None) -> Found:
    span = {"lft": within.lft, "rgt": within.rgt}
    found = dossiers.find(session, code, **span, source=source)
    if not found:  # under a former number, or one that another system gave it
        found = dossiers.find_by_other(session, code, **span, source=source)
    return the_one(found, code)


def the_one(found: Sequence[Sent], code: str) -> Sent:
    """Return the one dossier that was found under a number.

    :raises DossierUnknown: none was.
    :raises DossierAmbiguous: several sources sent one.
    """
    if not found:
        raise DossierUnknown(dossier=code)
    if len(found) > 1:
        raise DossierAmbiguous(dossier=code, sources=", ".join(one.source for one in found))
    return found[0]
