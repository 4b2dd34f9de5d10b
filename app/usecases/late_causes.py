"""Why dossiers came late: causes to choose from, what was said of each dossier, and the counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from app.domain.errors import AppError, Invalid
from app.domain.late_cause import UNCLASSIFIED, CauseGroup, LateCause, local_id
from app.domain.tally import Count
from app.rulebook.late_causes import load_late_causes
from app.store import audit, late_causes, tallies
from app.store.dossiers import Key
from app.store.late_causes import Place, Said
from app.store.session import ReadSession, WriteSession
from app.usecases import reporting
from app.usecases.access import Principal
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown, the_one
from app.usecases.reporting import Question
from app.usecases.subtree import Subtree, reach_of, unit_of

MOST_AT_ONCE: Final = 1_000


@dataclass(eq=False, kw_only=True)
class LateCauseUnknown(Invalid):
    """No cause has this id, or none that holds for the dossier's unit; or it is retired."""

    code: ClassVar[str] = "late_cause.unknown"
    cause: str


@dataclass(eq=False, kw_only=True)
class LateCauseReserved(Invalid):
    """A cause of an office may not take the code of one that ships with the service."""

    code: ClassVar[str] = "late_cause.reserved"
    cause: str


@dataclass(frozen=True, slots=True)
class OwnCause:
    """A cause that a unit wants to add or to change."""

    code: str
    group: CauseGroup
    vi: str
    en: str | None = None
    is_retired: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A dossier of a bulk that no cause could be named for, and why."""

    index: int
    code: str
    error: AppError


@dataclass(frozen=True, slots=True)
class Assigned:
    """What came of naming a cause for many dossiers at once."""

    assigned: int
    unchanged: int
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class CauseLine:
    """The late dossiers of one cause: finished late in the period, and overdue at T."""

    id: str
    cause: LateCause | None
    finished_late: int
    open_overdue: int


@dataclass(frozen=True, slots=True)
class CauseCounts:
    """The late dossiers of a period by cause; the lines add up to the counts."""

    as_of: datetime
    known_at: datetime
    lines: tuple[CauseLine, ...]


# ---------------------------------------------------------------- causes to choose from


def list_causes(session: ReadSession, *, who: Principal, unit: str | None) -> list[LateCause]:
    """Return the causes that may be named in a unit: the shipped ones, its own, those above.

    Without a unit, those of all that the asker may see.

    :raises UnitUnknown: there is no such unit, or it lies outside what the asker may see.
    """
    if unit is None:
        found = late_causes.own(session, above=who.lft, lft=who.lft, rgt=who.rgt)
    else:
        at = unit_of(session, who, unit)
        found = late_causes.own(session, above=at.lft, lft=at.lft, rgt=at.lft)
    return [*load_late_causes().values(), *(own.cause for own in found)]


def put_causes(
    session: WriteSession, causes: Sequence[OwnCause], *, unit: str, who: Principal, now: datetime
) -> list[LateCause]:
    """Add causes of a unit, or change them; what was called so before stays readable.

    :raises UnitUnknown: there is no such unit, or it lies outside what the asker may see.
    :raises LateCauseReserved: a code is that of a shipped cause.
    """
    at = unit_of(session, who, unit)
    known = {own.cause.id: own.cause for own in late_causes.own(session, lft=at.lft, rgt=at.lft)}
    for told in causes:
        if told.code in load_late_causes() or told.code == UNCLASSIFIED:
            raise LateCauseReserved(cause=told.code)
        cause = LateCause(
            local_id(at.code, told.code),
            told.group,
            told.vi,
            told.en or told.vi,
            at.code,
            told.is_retired,
        )
        before = known.get(cause.id)
        if before == cause:
            continue
        late_causes.put_own(session, at.id, told.code, cause, actor=who.actor, now=now)
        known[cause.id] = cause
        audit.append(
            session,
            actor=who.actor,
            action="late_cause.put",
            subject=cause.id,
            unit_id=at.id,
            before=None if before is None else _plain(before),
            after=_plain(cause),
        )
    return [known[local_id(at.code, told.code)] for told in causes]


def _plain(cause: LateCause) -> dict[str, object]:
    return {
        "group": cause.group.value,
        "vi": cause.vi,
        "en": cause.en,
        "is_retired": cause.is_retired,
    }


# ---------------------------------------------------------------- said of dossiers


def assign(
    session: WriteSession,
    dossiers: Sequence[tuple[str, str | None]],
    cause: str,
    *,
    who: Principal,
    now: datetime,
) -> Assigned:
    """Name a cause for dossiers, each on its own; ``unclassified`` takes the word back.

    :param dossiers: code and, where the code is ambiguous, source of each.
    """
    found = late_causes.places(session, dossiers, lft=who.lft, rgt=who.rgt)
    scope = _scope_of(session, cause, who)
    refused: list[Refusal] = []
    taken: dict[Key, Place] = {}
    for index, (code, source) in enumerate(dossiers):
        try:
            place = the_one(found.get((code, source), []), code)
            _check(cause, scope, place)
        except (DossierUnknown, DossierAmbiguous, LateCauseUnknown) as error:
            refused.append(Refusal(index, code, error))
        else:
            taken[place.key] = place
    changed = _say(session, list(taken.values()), cause, who=who, now=now)
    return Assigned(changed, len(dossiers) - len(refused) - changed, tuple(refused))


def put_cause(
    session: WriteSession,
    code: str,
    cause: str,
    *,
    source: str | None,
    who: Principal,
    now: datetime,
) -> list[Said]:
    """Name the cause of one dossier and return everything that was said of it.

    :raises DossierUnknown: there is none of this number within the asker's units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    :raises LateCauseUnknown: the cause does not exist for the unit, or is retired.
    """
    asked = [(code, source)]
    place = the_one(
        late_causes.places(session, asked, lft=who.lft, rgt=who.rgt).get(asked[0], []), code
    )
    _check(cause, _scope_of(session, cause, who), place)
    _say(session, [place], cause, who=who, now=now)
    return late_causes.history(session, place.key)


def cause_history(
    session: ReadSession, code: str, *, source: str | None, within: Subtree
) -> list[Said]:
    """Return everything that was said of one dossier, the oldest first.

    :raises DossierUnknown: there is none of this number within the units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    """
    return late_causes.history(session, _place_of(session, code, source, within).key)


def causes_of(session: ReadSession, keys: Iterable[Key]) -> Mapping[Key, str]:
    """Return the cause last named for each of the dossiers that have one."""
    found = late_causes.newest(session, list(dict.fromkeys(keys)))
    return {key: cause for key, cause in found.items() if cause != UNCLASSIFIED}


def _say(
    session: WriteSession, places: Sequence[Place], cause: str, *, who: Principal, now: datetime
) -> int:
    changed = late_causes.say(session, places, cause, actor=who.actor, now=now)
    audit.append_many(
        session,
        [
            {
                "actor": who.actor,
                "action": "late_cause.assign",
                "subject": place.key[1],
                "unit_id": place.home_unit_id,
                "before": None,
                "after": {"cause": cause, "source_id": place.key[0]},
            }
            for place in places
            if place.key in changed
        ],
    )
    return len(changed)


def _place_of(session: ReadSession, code: str, source: str | None, within: Subtree) -> Place:
    found = late_causes.places(session, [(code, source)], lft=within.lft, rgt=within.rgt)
    return the_one(found.get((code, source), []), code)


def _scope_of(session: ReadSession, cause: str, who: Principal) -> Subtree | None:
    """Return the part of the tree for which a cause may be named, None when for none."""
    if cause == UNCLASSIFIED or cause in load_late_causes():
        return reach_of(who)
    for own in late_causes.own(session, above=who.lft, lft=who.lft, rgt=who.rgt):
        if own.cause.id == cause and not own.cause.is_retired:
            return Subtree(own.lft, own.rgt)
    return None


def _check(cause: str, scope: Subtree | None, place: Place) -> None:
    if scope is None or not scope.lft <= place.unit_lft <= scope.rgt:
        raise LateCauseUnknown(cause=cause)


# ---------------------------------------------------------------- counts


def count_by_cause(session: ReadSession, question: Question, *, now: datetime) -> CauseCounts:
    """Count the late dossiers of a period by the cause that was named, the shipped ones first.

    The lines add up to ``finished_late`` and ``open_overdue`` of the statistics: what nobody has
    classified is a line of its own.

    :raises ObservedAfterEnd: ``as_of`` lies after the period.
    :raises KnownInFuture: ``known_at`` has not come.
    """
    as_of, span = reporting.observed(question, now=now)
    found = tallies.late_by_cause(session, question.scope(as_of), span)
    finished, overdue = (
        _named(found[count]) for count in (Count.FINISHED_LATE, Count.OPEN_OVERDUE)
    )
    unit = question.unit
    own = late_causes.own(session, above=unit.lft, lft=unit.lft, rgt=unit.rgt)
    known = {**load_late_causes(), **{each.cause.id: each.cause for each in own}}
    told = [*known, *sorted((finished.keys() | overdue.keys()) - known.keys() - {UNCLASSIFIED})]
    lines = [
        CauseLine(one, known.get(one), finished.get(one, 0), overdue.get(one, 0))
        for one in (*told, UNCLASSIFIED)
    ]
    return CauseCounts(as_of, question.known_at or now, tuple(lines))


def _named(counted: Mapping[str | None, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for cause, number in counted.items():
        name = UNCLASSIFIED if cause is None else cause
        found[name] = found.get(name, 0) + number
    return found
