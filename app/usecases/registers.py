"""The registers that offices keep by hand: procedures made public, and petitions.

Both are counted here for scores and figures. Every state that was told stays, so that a count can
be asked as it was known; the same told again changes nothing. What a petition says and who wrote it
is never taken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Generic, TypeVar

from app.domain import petition as petitions
from app.domain import publication as publications
from app.domain.errors import Invalid
from app.domain.faults import Fault
from app.domain.petition import Petition, PetitionCount, PetitionDue, PetitionKind, PetitionState
from app.domain.publication import Publication, PublicationCount, PublicationState
from app.feeds.reading import Flaw
from app.feeds.sheet import PETITIONS, POSTINGS, Heading, SheetRow, find_columns
from app.feeds.words import fold
from app.feeds.workbook import open_book
from app.rulebook.petitions import load_petition_rules
from app.store import audit, procedures, registers, units
from app.store.registers import EntryRow, NewEntry, Register
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
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


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells, of which units, when; ``today`` is the local day of ``now``."""

    actor: str
    within: Subtree
    now: datetime
    today: date


def put_postings(
    session: WriteSession, told: Sequence[Posting], *, by: Teller
) -> list[Put[Posting]]:
    """Tell how public procedures are at units; each entry is whole.

    :raises EntryTwice: an entry occurs twice.
    :raises EntryUnitUnknown: a unit is not within the caller's units.
    :raises EntryProcedureUnknown: a procedure is not in the catalogue.
    :raises EntryInFuture: something is told as done on a day that has not come.
    """
    return _put(session, Register.PUBLICATION, [(one, _of_posting(one)) for one in told], by)


def put_petitions(session: WriteSession, told: Sequence[Filed], *, by: Teller) -> list[Put[Filed]]:
    """Tell petitions; each entry is whole.

    :raises EntryTwice: an entry occurs twice.
    :raises EntryUnitUnknown: a unit is not within the caller's units.
    :raises EntryProcedureUnknown: a procedure is not in the catalogue.
    :raises EntryInFuture: a step is told on a day that has not come.
    """
    return _put(session, Register.PETITION, [(one, _of_filed(one)) for one in told], by)


@dataclass(frozen=True, slots=True)
class _Line:
    """An entry as the register keeps it: ``days`` are those on which something was done."""

    unit: str
    code: str
    procedure: str | None
    days: tuple[date | None, ...]
    spec: Mapping[str, Any]


def _of_posting(one: Posting) -> _Line:
    done = (one.publication.at_office_on, one.publication.online_on)
    return _Line(one.unit, one.procedure, one.procedure, done, _posting_spec(one))


def _of_filed(one: Filed) -> _Line:
    days = tuple(day for day in asdict(one.petition).values() if isinstance(day, date))
    return _Line(one.unit, one.code, one.procedure, days, _filed_spec(one))


class _Checks:
    """What every entry must stand up to: each refusal names the entry that it is of."""

    def __init__(self, session: ReadSession, lines: Sequence[_Line], by: Teller) -> None:
        self.units = units.by_code(session, {line.unit for line in lines})
        named = {line.procedure for line in lines if line.procedure is not None}
        self._procedures = procedures.by_code(session, named) if named else {}
        self._by = by
        self._seen: set[tuple[str, str]] = set()

    def refusal(self, line: _Line) -> Invalid | None:
        """Return why an entry cannot be taken, or None; it is then known as told."""
        place = self.units.get(line.unit)
        within = self._by.within
        if place is None or place.is_bucket or not within.lft <= place.lft <= within.rgt:
            return EntryUnitUnknown(unit=line.unit)
        if line.procedure is not None and line.procedure not in self._procedures:
            return EntryProcedureUnknown(procedure=line.procedure)
        late = max((day for day in line.days if day is not None), default=self._by.today)
        if late > self._by.today:
            return EntryInFuture(entry=line.code, day=late)
        if (line.unit, line.code) in self._seen:
            return EntryTwice(unit=line.unit, entry=line.code)
        self._seen.add((line.unit, line.code))
        return None


def _put(
    session: WriteSession, register: Register, told: Sequence[tuple[Told, _Line]], by: Teller
) -> list[Put[Told]]:
    lines = [line for _, line in told]
    checks = _Checks(session, lines, by)
    for line in lines:
        refusal = checks.refusal(line)
        if refusal is not None:
            raise refusal
    changes = _kept(session, register, lines, checks.units, by)
    return [Put(one, change) for (one, _), change in zip(told, changes, strict=True)]


def _kept(
    session: WriteSession,
    register: Register,
    lines: Sequence[_Line],
    places: Mapping[str, UnitRow],
    by: Teller,
) -> list[Change]:
    registers.hold(session, register)
    keys = [(places[line.unit].id, line.code) for line in lines]
    known = registers.known(session, register, keys)
    changes, new = [], []
    for key, line in zip(keys, lines, strict=True):
        before = known.get(key)
        if before is not None and before.spec == line.spec:
            changes.append(Change.UNCHANGED)
            continue
        changes.append(Change.CREATED if before is None else Change.UPDATED)
        new.append(NewEntry(*key, 1 if before is None else before.seq + 1, line.spec))
    registers.add(session, register, new, actor=by.actor, now=by.now)
    audit.append_many(session, [_trail(register, one, known, by) for one in new])
    return changes


def _trail(
    register: Register, one: NewEntry, known: Mapping[tuple[int, str], EntryRow], by: Teller
) -> dict[str, object]:
    before = known.get((one.unit_id, one.code))
    return {
        "actor": by.actor,
        "action": f"{register.value}.put",
        "subject": f"{register.value}:{one.code}",
        "unit_id": one.unit_id,
        "before": None if before is None else dict(before.spec),
        "after": dict(one.spec),
    }


# ---------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: entries by change, rows that cannot be, columns that were not read."""

    changes: Mapping[Change, int]
    refused: tuple[tuple[int, tuple[Fault, ...]], ...]
    unread: tuple[str, ...]


def take_file(
    session: WriteSession, register: Register, raw: bytes, *, by: Teller, sheet: str | None = None
) -> Taken:
    """Take a register from a CSV or Excel file; rows that cannot be are told, the others kept.

    :raises Invalid: the file is no table, or lacks a column that must be there.
    """
    headings = POSTINGS if register is Register.PUBLICATION else PETITIONS
    book = open_book(raw, sheet=sheet)
    with book.rows() as rows:
        found = find_columns(rows, headings)
    with book.rows() as rows:
        read = list(found.rows(rows))
    refused = {row.number: row.faults for row in read if row.faults}
    lines: list[tuple[int, _Line]] = []
    for row in read:
        if row.faults:
            continue
        try:
            lines.append((row.number, _line_of(register, row, headings)))
        except Flaw as flawed:
            refused[row.number] = flawed.faults
        except Invalid as error:
            refused[row.number] = (Fault("", error.code, error.params),)
    checks = _Checks(session, [line for _, line in lines], by)
    good = []
    for number, line in lines:
        refusal = checks.refusal(line)
        if refusal is None:
            good.append(line)
        else:
            refused[number] = (Fault("", refusal.code, refusal.params),)
    changes = Counter(_kept(session, register, good, checks.units, by))
    return Taken(changes, tuple(sorted(refused.items())), found.unread)


def _line_of(register: Register, row: SheetRow, headings: Sequence[Heading]) -> _Line:
    """Return the entry of a row.

    :raises Flaw: a value that must be there is missing, or a word is not known.
    :raises Invalid: its days cannot be.
    """
    values: dict[str, Any] = dict(row.values)
    missing = [
        Fault(f"/{one.field}", "field.missing")
        for one in headings
        if one.required and one.field not in values
    ]
    if missing:
        raise Flaw(*missing)
    if register is Register.PUBLICATION:
        unit, procedure = values.pop("unit"), values.pop("procedure")
        document, address = values.pop("document", None), values.pop("address", None)
        return _of_posting(Posting(unit, procedure, Publication(**values), document, address))
    unit, code = values.pop("unit"), values.pop("code")
    kind, procedure = _kind(values.pop("kind", None)), values.pop("procedure", None)
    return _of_filed(Filed(unit, code, kind, Petition(**values), procedure))


_KINDS = {"phan anh": PetitionKind.REFLECTION, "kien nghi": PetitionKind.PROPOSAL}
_KINDS |= {kind.value: kind for kind in PetitionKind}


def _kind(word: str | None) -> PetitionKind:
    """Return the kind that a word names; without one it is a reflection, which most are."""
    if word is None:
        return PetitionKind.REFLECTION
    if fold(word) not in _KINDS:
        allowed = ", ".join(kind.value for kind in PetitionKind)
        raise Flaw(Fault("/kind", "import.word_unknown", {"allowed": allowed}))
    return _KINDS[fold(word)]


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
