"""Units that cease, merge, split or change their name, and who goes on for them.

A succession is told once, for a unit and a day. What the unit still held that day passes to its
successor as a transfer of its own kind; what had ended stays in the figures of its time. Records
that arrive later, or that still use the old code, follow by themselves (``domain.stay``). A wrong
succession is taken back by another row, and everything is restated.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import ClassVar, Final, assert_never

from app.domain.dossier import ZONE
from app.domain.errors import Conflict, Invalid, NotFound
from app.store import access, audit, successions, units
from app.store.dossiers import Key
from app.store.session import ReadSession, WriteSession
from app.store.successions import SuccessionRow
from app.store.units import UnitRow, UnitUnknown
from app.usecases import catalogue, ingest, precedence
from app.usecases.catalogue import EVERYWHERE, UnitSpec
from app.usecases.ingest import Sender
from app.usecases.subtree import Subtree

BATCH: Final = 1_000
"""How many dossiers are folded again together, to bound memory."""


class SuccessionKind(StrEnum):
    """What became of a unit (hình thức sắp xếp)."""

    MERGER = "merger"
    SPLIT = "split"
    RENAME = "rename"
    ABOLITION = "abolition"


@dataclass(eq=False, kw_only=True)
class SuccessionUnknown(NotFound):
    """The unit goes on: no succession of it is in force."""

    code: ClassVar[str] = "succession.unknown"
    unit: str


@dataclass(eq=False, kw_only=True)
class SuccessionKnown(Conflict):
    """Another succession of the unit is in force; it must be taken back first."""

    code: ClassVar[str] = "succession.known"
    unit: str
    effective_on: date


@dataclass(eq=False, kw_only=True)
class SuccessionInFuture(Invalid):
    """The day has not come; before it, what would happen can only be previewed."""

    code: ClassVar[str] = "succession.in_future"
    effective_on: date


@dataclass(eq=False, kw_only=True)
class SuccessorsMismatch(Invalid):
    """The successors do not fit the kind of succession."""

    code: ClassVar[str] = "succession.successors_mismatch"
    kind: str


@dataclass(eq=False, kw_only=True)
class SuccessorUnknown(Invalid):
    """A successor is no unit within the caller's units."""

    code: ClassVar[str] = "succession.successor_unknown"
    successor: str


@dataclass(eq=False, kw_only=True)
class SuccessorCeased(Invalid):
    """The successor had itself ceased by that day, or what went before ceased later."""

    code: ClassVar[str] = "succession.successor_ceased"
    successor: str
    effective_on: date


@dataclass(eq=False, kw_only=True)
class SuccessionLoop(Invalid):
    """The successor is itself succeeded by the unit."""

    code: ClassVar[str] = "succession.loop"
    unit: str
    successor: str


@dataclass(eq=False, kw_only=True)
class SuccessionBuiltOn(Conflict):
    """A later succession follows from this one, and must be taken back first."""

    code: ClassVar[str] = "succession.built_on"
    unit: str
    successor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessionSpec:
    """What is told of a succession.

    ``continuing`` is who takes what is open: the only successor of a merger, renaming or abolition,
    and of a split the one that is named, which may be the unit itself. ``children_to`` is the
    parent that units below get, None for the successor, or the unit's own parent.

    :raises SuccessorsMismatch: the successors do not fit the kind.
    """

    kind: SuccessionKind
    effective_on: date
    successors: tuple[str, ...]
    continuing: str | None = None
    children_to: str | None = None
    document: str

    def __post_init__(self) -> None:
        """Refuse successors that do not fit the kind."""
        number = len(set(self.successors))
        match self.kind:
            case SuccessionKind.MERGER | SuccessionKind.RENAME:
                fits = number == 1
            case SuccessionKind.ABOLITION:
                fits = number <= 1
            case SuccessionKind.SPLIT:
                fits = number > 1
            case _:
                assert_never(self.kind)
        named = self.continuing is None or self.continuing in self.successors
        if not fits or not named or number != len(self.successors):
            raise SuccessorsMismatch(kind=self.kind.value)

    @property
    def heir(self) -> str | None:
        """Return the code of who takes what is open, None for nobody."""
        if self.kind is SuccessionKind.SPLIT or not self.successors:
            return self.continuing
        return self.successors[0]

    def plain(self) -> dict[str, object]:
        """Return the same as plain JSON."""
        return {
            "kind": self.kind.value,
            "effective_on": self.effective_on.isoformat(),
            "successors": list(self.successors),
            "continuing": self.heir,
            "children_to": self.children_to,
            "document": self.document,
        }


@dataclass(frozen=True, slots=True)
class Moved:
    """What passes to the successor: open and not yet received dossiers, and those told since.

    ``open`` were in hand and ``awaiting`` were not yet received when the day began; ``since`` were
    told under the old unit with dates from that day on. ``restated`` are all that were read again.
    """

    open: int
    awaiting: int
    since: int
    restated: int


@dataclass(frozen=True, slots=True)
class Done:
    """A succession as it was told, or would be; ``is_new`` is false if it was told before."""

    unit: UnitRow
    spec: SuccessionSpec
    moved: Moved
    children: tuple[str, ...]
    is_new: bool


def preview(
    session: ReadSession,
    code: str,
    spec: SuccessionSpec,
    *,
    within: Subtree = EVERYWHERE,
) -> Done:
    """Return what a succession would do; its day may lie ahead.

    :raises UnitUnknown: there is no such unit within the caller's.
    :raises SuccessionKnown: another one is in force.
    :raises Invalid: the successors cannot be.
    """
    plan = _Plan.of(session, code, spec, within)
    children = tuple(child.code for child in plan.children)
    counted = successions.count(session, plan.unit.id, at=plan.at)
    moved = Moved(*counted, restated=len(plan.concerned(session)))
    return Done(plan.unit, spec, moved if plan.passes else _NOTHING, children, not plan.is_known)


def apply(
    session: WriteSession,
    code: str,
    spec: SuccessionSpec,
    *,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> Done:
    """Tell a succession: end the unit, move what it holds, and units below it.

    The same again changes nothing, save that dossiers which slipped past are moved too.

    :raises SuccessionInFuture: its day has not come.
    :raises Invalid, UnitUnknown, SuccessionKnown: as ``preview`` does.
    """
    if spec.effective_on > now.astimezone(ZONE).date():
        raise SuccessionInFuture(effective_on=spec.effective_on)
    catalogue.hold_units(session)
    done = preview(session, code, spec, within=within)
    plan = _Plan.of(session, code, spec, within)
    if not done.is_new:
        settle_stranded(session, now=now)
        return done
    keys = plan.concerned(session)
    plan.write(session, actor=actor, now=now)
    _restate(session, keys, now=now)
    return done


def reverse(
    session: WriteSession,
    code: str,
    *,
    document: str,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> int:
    """Take back the succession of a unit, as if it had never been; return how many are restated.

    :raises UnitUnknown: there is no such unit within the caller's.
    :raises SuccessionUnknown: none is in force.
    :raises SuccessionBuiltOn: the successor was itself succeeded since.
    """
    catalogue.hold_units(session)
    unit = catalogue.get_unit(session, code, within=within)
    row = successions.find(session, unit.id)
    if row is None:
        raise SuccessionUnknown(unit=unit.code)
    chain = successions.heirs(session, [unit.id])
    heir = chain.get(unit.id)
    if heir is not None and heir.unit in chain:
        successor = units.by_id(session, [heir.unit])[heir.unit]
        raise SuccessionBuiltOn(unit=unit.code, successor=successor.code)
    concerned = {unit.id, *successions.forebears(session, unit.id)}
    concerned |= set() if heir is None else {heir.unit}
    keys = successions.concerned(session, concerned, at=successions.begins(row.effective_on))
    _write_reversal(session, unit, row, document=document, actor=actor, now=now)
    _restate(session, keys, now=now)
    return len(keys)


def _write_reversal(
    session: WriteSession,
    unit: UnitRow,
    row: SuccessionRow,
    *,
    document: str,
    actor: str,
    now: datetime,
) -> None:
    successions.add(
        session,
        unit_id=unit.id,
        kind="reversal",
        effective_on=row.effective_on,
        successor_ids=[],
        heir_id=None,
        children_to_id=None,
        former_valid_to=None,
        document=document,
        reverses=row.id,
        actor=actor,
        now=now,
    )
    specs = []
    if unit.valid_to == row.effective_on - _DAY:
        specs.append(replace(UnitSpec.of(unit), valid_to=row.former_valid_to))
    if row.children_to_id is not None:
        specs += [
            replace(UnitSpec.of(child), parent=unit.code)
            for child in units.children(session, row.children_to_id)
            if child.parent_since == row.effective_on
            and units.last_parent(session, child.id, before=row.recorded_at) == unit.code
        ]
    precedence.follow(session, catalogue.put_units(session, specs, actor=actor, now=now), now=now)
    audit.append(
        session,
        actor=actor,
        action="unit.succession_reversed",
        subject=unit.code,
        unit_id=unit.id,
        before={"kind": row.kind, "effective_on": row.effective_on.isoformat()},
        after={"document": document},
    )


def settle_stranded(session: WriteSession, *, now: datetime) -> int:
    """Move open dossiers that arrived at a unit while its succession was being told; count them."""
    keys = successions.stranded(session, limit=BATCH)
    _restate(session, keys, now=now)
    return len(keys)


# ---------------------------------------------------------------- both ends


@dataclass(frozen=True, slots=True)
class Ends:
    """What became of a unit, and which units it follows: codes, and the day."""

    kind: str | None
    effective_on: date | None
    successors: tuple[str, ...]
    continuing: str | None
    document: str | None
    predecessors: tuple[str, ...]


def ends_of(session: ReadSession, ids: Iterable[int]) -> dict[int, Ends]:
    """Return both ends of each of some units."""
    wanted = list(ids)
    gone, came = successions.of_units(session, wanted)
    named = {number for row in gone for number in row.successor_ids}
    named |= {row.unit_id for row in came}
    codes = {number: row.code for number, row in units.by_id(session, named).items()}
    ceased = {row.unit_id: row for row in gone}
    before: dict[int, list[str]] = {}
    for row in came:
        for number in row.successor_ids:
            if number != row.unit_id:
                before.setdefault(number, []).append(codes[row.unit_id])
    return {
        number: _ends(ceased.get(number), codes, sorted(before.get(number, ())))
        for number in wanted
    }


def _ends(row: SuccessionRow | None, codes: dict[int, str], before: Iterable[str]) -> Ends:
    if row is None:
        return Ends(None, None, (), None, None, tuple(before))
    heir = row.unit_id if row.unit_id in row.successor_ids else row.heir_id
    return Ends(
        kind=row.kind,
        effective_on=row.effective_on,
        successors=tuple(codes[number] for number in row.successor_ids),
        continuing=None if heir is None else codes[heir],
        document=row.document,
        predecessors=tuple(before),
    )


# ---------------------------------------------------------------- the plan

_DAY: Final = timedelta(days=1)
_NOTHING: Final = Moved(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A succession whose units are known and fit."""

    unit: UnitRow
    spec: SuccessionSpec
    successors: tuple[UnitRow, ...]
    heir: UnitRow | None
    children_to: UnitRow | None
    children: tuple[UnitRow, ...]
    is_known: bool
    forebears: tuple[int, ...]

    @classmethod
    def of(cls, session: ReadSession, code: str, spec: SuccessionSpec, within: Subtree) -> "_Plan":
        unit = catalogue.get_unit(session, code, within=within)
        if unit.is_bucket:
            raise UnitUnknown(unit=code)
        successors = tuple(_successor(session, told, within) for told in spec.successors)
        by_code = dict(zip(spec.successors, successors, strict=True))
        heir = None if spec.heir is None else by_code[spec.heir]
        goes_on = unit.id in {one.id for one in successors}
        if goes_on and (spec.kind is not SuccessionKind.SPLIT or heir not in (None, unit)):
            raise SuccessorsMismatch(kind=spec.kind.value)
        forebears = successions.forebears(session, unit.id)
        known = successions.find(session, unit.id)
        is_known = known is not None and _same(known, spec, successors, heir)
        if known is not None and not is_known:
            raise SuccessionKnown(unit=unit.code, effective_on=known.effective_on)
        for one in successors:
            _check_order(session, unit, one, spec.effective_on)
        to = _children_to(session, spec, unit, None if goes_on else heir, within)
        children = () if to is None or is_known else _children(session, unit, to, spec.effective_on)
        return cls(unit, spec, successors, heir, to, children, is_known, forebears)

    @property
    def at(self) -> datetime:
        """Return the first instant of the succession."""
        return successions.begins(self.spec.effective_on)

    @property
    def passes(self) -> bool:
        """Tell whether anything passes to another unit."""
        return self.heir is not None and self.heir.id != self.unit.id

    def concerned(self, session: ReadSession) -> list[Key]:
        """Return the dossiers to be read again."""
        if not self.passes:
            return []
        keys = successions.concerned(session, [self.unit.id, *self.forebears], at=self.at)
        words = {self.unit.code, self.unit.name, *self.unit.legacy_codes}
        if self.heir is not None:
            words |= {self.heir.code, self.heir.name}
        above = units.ancestors(session, self.unit)
        return sorted({*keys, *successions.not_understood(session, words, above=above)})

    def write(self, session: WriteSession, *, actor: str, now: datetime) -> None:
        """Write the succession, the last day of the unit, and the places of units below it."""
        spec, unit = self.spec, self.unit
        successions.add(
            session,
            unit_id=unit.id,
            kind=spec.kind.value,
            effective_on=spec.effective_on,
            successor_ids=[one.id for one in self.successors],
            heir_id=self.heir.id if self.heir is not None and self.passes else None,
            children_to_id=None if self.children_to is None else self.children_to.id,
            former_valid_to=unit.valid_to,
            document=spec.document,
            actor=actor,
            now=now,
        )
        specs = [
            replace(
                UnitSpec.of(child),
                parent=None if self.children_to is None else self.children_to.code,
                parent_since=spec.effective_on,
            )
            for child in self.children
        ]
        if unit.id not in {one.id for one in self.successors}:
            specs.append(replace(UnitSpec.of(unit), valid_to=spec.effective_on - _DAY))
        told = catalogue.put_units(session, specs, actor=actor, now=now)
        precedence.follow(session, told, now=now)
        audit.append(
            session,
            actor=actor,
            action="unit.succession",
            subject=unit.code,
            unit_id=unit.id,
            before=None,
            after=spec.plain(),
        )


def _successor(session: ReadSession, code: str, within: Subtree) -> UnitRow:
    found = catalogue.find_unit(session, code, within=within)
    if found is None or found.is_bucket:
        raise SuccessorUnknown(successor=code)
    return found


def _same(
    known: SuccessionRow,
    spec: SuccessionSpec,
    successors: tuple[UnitRow, ...],
    heir: UnitRow | None,
) -> bool:
    told = (spec.kind.value, spec.effective_on, {one.id for one in successors})
    passed_to = None if heir is None or heir.id == known.unit_id else heir.id
    return known.heir_id == passed_to and told == (
        known.kind,
        known.effective_on,
        set(known.successor_ids),
    )


def _check_order(session: ReadSession, unit: UnitRow, successor: UnitRow, day: date) -> None:
    """Pass if the unit ends before its successor does, and after all that ended in it."""
    if successor.id == unit.id:
        return
    if successor.id in successions.forebears(session, unit.id):
        raise SuccessionLoop(unit=unit.code, successor=successor.code)
    gone, came = successions.of_units(session, [successor.id, unit.id])
    ended = any(row.unit_id == successor.id and row.effective_on <= day for row in gone)
    late = any(unit.id in row.successor_ids and row.effective_on >= day for row in came)
    closed = successor.valid_to is not None and successor.valid_to < day
    if ended or late or closed:
        raise SuccessorCeased(successor=successor.code, effective_on=day)


def _children_to(
    session: ReadSession,
    spec: SuccessionSpec,
    unit: UnitRow,
    heir: UnitRow | None,
    within: Subtree,
) -> UnitRow | None:
    """Return the parent of the units below from the day on; None leaves them where they are."""
    if spec.children_to is not None:
        return _successor(session, spec.children_to, within)
    if spec.kind in {SuccessionKind.MERGER, SuccessionKind.RENAME}:
        return heir
    if spec.kind is SuccessionKind.ABOLITION and unit.parent_id is not None:
        return units.by_id(session, [unit.parent_id])[unit.parent_id]
    return None


def _children(session: ReadSession, unit: UnitRow, to: UnitRow, day: date) -> tuple[UnitRow, ...]:
    """Return the units directly below that go on after the day and get another parent."""
    below = units.children(session, unit.id)
    gone, _ = successions.of_units(session, [one.id for one in below])
    ceased = {row.unit_id for row in gone if row.effective_on <= day and row.heir_id is not None}
    return tuple(
        one
        for one in below
        if not one.is_bucket
        and one.id not in ceased | {to.id}
        and (one.valid_to is None or one.valid_to >= day)
    )


def _restate(session: WriteSession, keys: Iterable[Key], *, now: datetime) -> None:
    everybody = Sender(0, None, None, *access.WHOLE)
    for source_id, own in groupby(sorted(keys), key=lambda key: key[0]):
        for some in _batches(list(own)):
            ingest.refold(session, some, by=replace(everybody, source_id=source_id), now=now)


def _batches(keys: list[Key]) -> Iterator[list[Key]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
