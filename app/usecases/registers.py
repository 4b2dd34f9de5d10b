"""The registers that offices keep by hand: procedures made public, and petitions.

Both are counted here for scores and figures. Every state that was told stays, so that a count can
be asked as it was known; the same told again changes nothing. What a petition says and who wrote it
is never taken.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Generic, TypeVar

from app.domain import petition as petitions
from app.domain import publication as publications
from app.domain.errors import Invalid
from app.domain.petition import Petition, PetitionCount, PetitionDue, PetitionKind, PetitionState
from app.domain.publication import Publication, PublicationCount, PublicationState
from app.rulebook.petitions import load_petition_rules
from app.store import audit, procedures, registers, units
from app.store.registers import EntryRow, NewEntry, Register
from app.store.session import ReadSession, WriteSession
from app.usecases.access import Principal
from app.usecases.calendars import calendars_of
from app.usecases.catalogue import Change
from app.usecases.subtree import Subtree

Told = TypeVar("Told")


@dataclass(eq=False, kw_only=True)
class EntryTwice(Invalid):
    """One request tells the same entry twice."""

    code: ClassVar[str] = "register.twice"
    unit: str
    entry: str


@dataclass(eq=False, kw_only=True)
class EntryUnitUnknown(Invalid):
    """An entry names a unit that is not within the caller's units."""

    code: ClassVar[str] = "register.unit_unknown"
    unit: str


@dataclass(eq=False, kw_only=True)
class EntryProcedureUnknown(Invalid):
    """An entry names a procedure that the catalogue does not have."""

    code: ClassVar[str] = "register.procedure_unknown"
    procedure: str


@dataclass(eq=False, kw_only=True)
class EntryInFuture(Invalid):
    """An entry tells of a day that has not come as of something that has happened."""

    code: ClassVar[str] = "register.in_future"
    entry: str
    day: date


@dataclass(frozen=True, slots=True)
class Posting:
    """A procedure at a unit, how public it is, and where that can be seen."""

    unit: str
    procedure: str
    publication: Publication
    document: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    """A petition at a unit under its number there; ``procedure`` is what it is about, if one."""

    unit: str
    code: str
    kind: PetitionKind
    petition: Petition
    procedure: str | None = None


@dataclass(frozen=True, slots=True)
class Put(Generic[Told]):
    """An entry after it was told, and what that changed."""

    told: Told
    change: Change


@dataclass(frozen=True, slots=True)
class PostingSeen:
    """A posting as it stands at the end of a day."""

    posting: Posting
    state: PublicationState
    recorded_at: datetime
    place: tuple[int, str]


@dataclass(frozen=True, slots=True)
class FiledSeen:
    """A petition as it stands at the end of a day, with the last days of its steps."""

    filed: Filed
    state: PetitionState
    due: PetitionDue
    recorded_at: datetime
    place: tuple[int, str]


# ---------------------------------------------------------------- telling


def put_postings(
    session: WriteSession, told: Sequence[Posting], *, who: Principal, now: datetime, today: date
) -> list[Put[Posting]]:
    """Tell how public procedures are at units; each entry is whole.

    :raises EntryTwice: an entry occurs twice.
    :raises EntryUnitUnknown: a unit is not within the caller's units.
    :raises EntryProcedureUnknown: a procedure is not in the catalogue.
    :raises EntryInFuture: something is told as done on a day that has not come.
    """
    for one in told:
        for day in (one.publication.at_office_on, one.publication.online_on):
            _check_past(one.procedure, day, today)
    _check_procedures(session, [one.procedure for one in told])
    changes = _put(
        session,
        Register.PUBLICATION,
        [(one.unit, one.procedure, _posting_spec(one)) for one in told],
        who=who,
        now=now,
    )
    return [Put(one, change) for one, change in zip(told, changes, strict=True)]


def put_petitions(
    session: WriteSession, told: Sequence[Filed], *, who: Principal, now: datetime, today: date
) -> list[Put[Filed]]:
    """Tell petitions; each entry is whole.

    :raises EntryTwice: an entry occurs twice.
    :raises EntryUnitUnknown: a unit is not within the caller's units.
    :raises EntryProcedureUnknown: a procedure is not in the catalogue.
    :raises EntryInFuture: a step is told on a day that has not come.
    """
    for one in told:
        for day in _days_of(one.petition):
            _check_past(one.code, day, today)
    _check_procedures(session, [one.procedure for one in told if one.procedure is not None])
    changes = _put(
        session,
        Register.PETITION,
        [(one.unit, one.code, _filed_spec(one)) for one in told],
        who=who,
        now=now,
    )
    return [Put(one, change) for one, change in zip(told, changes, strict=True)]


def _days_of(petition: Petition) -> Iterable[date]:
    return (value for value in asdict(petition).values() if isinstance(value, date))


def _check_past(entry: str, day: date | None, today: date) -> None:
    if day is not None and day > today:
        raise EntryInFuture(entry=entry, day=day)


def _check_procedures(session: ReadSession, codes: Iterable[str]) -> None:
    wanted = set(codes)
    missing = wanted - procedures.by_code(session, wanted).keys() if wanted else set()
    if missing:
        raise EntryProcedureUnknown(procedure=min(missing))


def _put(
    session: WriteSession,
    register: Register,
    told: Sequence[tuple[str, str, dict[str, Any]]],
    *,
    who: Principal,
    now: datetime,
) -> list[Change]:
    seen: set[tuple[str, str]] = set()
    for unit, code, _ in told:
        if (unit, code) in seen:
            raise EntryTwice(unit=unit, entry=code)
        seen.add((unit, code))
    found = units.by_code(session, {unit for unit, _, _ in told})
    for unit, _, _ in told:
        if unit not in found or not who.covers(found[unit].lft) or found[unit].is_bucket:
            raise EntryUnitUnknown(unit=unit)
    registers.hold(session, register)
    keys = [(found[unit].id, code) for unit, code, _ in told]
    known = registers.known(session, register, keys)
    changes, new = [], []
    for key, (_, _, spec) in zip(keys, told, strict=True):
        before = known.get(key)
        if before is not None and before.spec == spec:
            changes.append(Change.UNCHANGED)
            continue
        changes.append(Change.CREATED if before is None else Change.UPDATED)
        new.append(NewEntry(*key, 1 if before is None else before.seq + 1, spec))
    registers.add(session, register, new, actor=who.actor, now=now)
    audit.append_many(session, [_line(register, one, known, who) for one in new])
    return changes


def _line(
    register: Register, one: NewEntry, known: Mapping[tuple[int, str], EntryRow], who: Principal
) -> dict[str, object]:
    before = known.get((one.unit_id, one.code))
    return {
        "actor": who.actor,
        "action": f"{register.value}.put",
        "subject": f"{register.value}:{one.code}",
        "unit_id": one.unit_id,
        "before": None if before is None else dict(before.spec),
        "after": dict(one.spec),
    }


# ---------------------------------------------------------------- reading


def postings(
    session: ReadSession,
    *,
    within: Subtree,
    on: date,
    state: PublicationState | None = None,
    known_at: datetime | None = None,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[PostingSeen]:
    """Return how public each procedure is at each unit at the end of a day, in order."""

    def seen(rows: Sequence[EntryRow], lefts: Mapping[int, int]) -> Iterable[PostingSeen]:
        for row in rows:
            posting = _posting(row)
            found = publications.state(posting.publication, on=on)
            if state in {None, found}:
                place = (lefts[row.unit_id], row.code)
                yield PostingSeen(posting, found, row.recorded_at, place)

    return _listed(session, Register.PUBLICATION, within, known_at, after, limit, seen)


def filed(
    session: ReadSession,
    *,
    within: Subtree,
    on: date,
    state: PetitionState | None = None,
    known_at: datetime | None = None,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[FiledSeen]:
    """Return the petitions of units as they stand at the end of a day, in order.

    One that was received later is left out.
    """
    rules = load_petition_rules()

    def seen(rows: Sequence[EntryRow], lefts: Mapping[int, int]) -> Iterable[FiledSeen]:
        calendars = calendars_of(session, {row.unit_id for row in rows})
        for row in rows:
            one = _filed(row)
            if one.petition.received_on > on:
                continue
            calendar, limits = calendars[row.unit_id], rules.on(one.petition.received_on).limits
            known = one.petition.known_on(on)
            found = petitions.standing(known, limits, calendar, on=on)
            if state in {None, found}:
                due = petitions.due_of(known, limits, calendar)
                place = (lefts[row.unit_id], row.code)
                yield FiledSeen(one, found, due, row.recorded_at, place)

    return _listed(session, Register.PETITION, within, known_at, after, limit, seen)


_Seen = TypeVar("_Seen")
_Show = Callable[[Sequence[EntryRow], Mapping[int, int]], Iterable[_Seen]]
AT_ONCE = 1_000


def _listed(
    session: ReadSession,
    register: Register,
    within: Subtree,
    known_at: datetime | None,
    after: tuple[int, str] | None,
    limit: int,
    show: _Show[_Seen],
) -> list[_Seen]:
    """Read on until enough entries are shown, or there are no more."""
    found: list[_Seen] = []
    while len(found) < limit:
        rows = registers.page(
            session,
            register,
            lft=within.lft,
            rgt=within.rgt,
            known_at=known_at,
            after=after,
            limit=AT_ONCE,
        )
        places = units.by_id(session, {row.unit_id for row in rows})
        lefts = {unit_id: place.lft for unit_id, place in places.items()}
        found += show(rows, lefts)
        if len(rows) < AT_ONCE:
            break
        after = (lefts[rows[-1].unit_id], rows[-1].code)
    return found[:limit]


# ---------------------------------------------------------------- counting


def posting_counts(
    session: ReadSession,
    *,
    within: Subtree,
    first: date,
    last: date,
    known_at: datetime | None = None,
) -> dict[str, dict[PublicationCount, int]]:
    """Count the procedures of each unit that told of any: at the end of ``last``, or due since."""
    rows = registers.latest(
        session, Register.PUBLICATION, lft=within.lft, rgt=within.rgt, known_at=known_at
    )
    return {
        unit: publications.counts(
            [_posting(row).publication for row in told], first=first, last=last
        )
        for unit, told in _by(rows, lambda row: row.unit).items()
    }


def petition_counts(
    session: ReadSession,
    *,
    within: Subtree,
    first: date,
    last: date,
    known_at: datetime | None = None,
) -> dict[str, dict[PetitionCount, int]]:
    """Count the petitions of each unit that told of any, from ``first`` to ``last``.

    Each is judged by the limits of the day on which it came, on the calendar of its unit.
    """
    rows = registers.latest(
        session, Register.PETITION, lft=within.lft, rgt=within.rgt, known_at=known_at
    )
    calendars = calendars_of(session, {row.unit_id for row in rows})
    rules = load_petition_rules()
    found: dict[str, dict[PetitionCount, int]] = {}
    for unit, told in _by(rows, lambda row: row.unit).items():
        total = dict.fromkeys(PetitionCount, 0)
        by_rule = _by(told, lambda row: rules.on(_filed(row).petition.received_on))
        for rule, under in by_rule.items():
            counted = petitions.counts(
                [_filed(row).petition for row in under],
                rule.limits,
                calendars[under[0].unit_id],
                first=first,
                last=last,
            )
            total = {name: total[name] + counted[name] for name in total}
        found[unit] = total
    return found


_Key = TypeVar("_Key")


def _by(rows: Iterable[EntryRow], key: Callable[[EntryRow], _Key]) -> dict[_Key, list[EntryRow]]:
    found: dict[_Key, list[EntryRow]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


# ---------------------------------------------------------------- as JSON


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _days(spec: Mapping[str, Any], kept: Iterable[str]) -> dict[str, Any]:
    return {
        name: date.fromisoformat(value)
        if isinstance(value := spec[name], str) and name in _DAYS
        else value
        for name in kept
    }


_PUBLICATION = tuple(Publication.__dataclass_fields__)
_PETITION = tuple(Petition.__dataclass_fields__)
_DAYS = frozenset({*_PUBLICATION, *_PETITION} - {"is_complete", "satisfied"})


def _posting_spec(one: Posting) -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in asdict(one.publication).items()}
    return plain | {"document": one.document, "address": one.address}


def _posting(row: EntryRow) -> Posting:
    spec = row.spec
    publication = Publication(**_days(spec, _PUBLICATION))
    return Posting(row.unit, row.code, publication, spec["document"], spec["address"])


def _filed_spec(one: Filed) -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in asdict(one.petition).items()}
    return plain | {"kind": one.kind.value, "procedure": one.procedure}


def _filed(row: EntryRow) -> Filed:
    spec = row.spec
    petition = Petition(**_days(spec, _PETITION))
    return Filed(row.unit, row.code, PetitionKind(spec["kind"]), petition, spec["procedure"])
