"""The catalogue: units as a tree, procedures with their dated limits.

Every change is kept as a revision and told to the audit trail in the same transaction; telling
the same thing again changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar, Final

from app.domain.dossier import ZONE
from app.domain.duration import read_duration, write_duration
from app.domain.errors import Forbidden, Invalid
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, PauseKind, PausePolicy
from app.domain.procedure import LimitVersion, OnlineLevel, Procedure
from app.domain.record import Channel
from app.store import access, audit, procedures, units
from app.store.procedures import ProcedureRow
from app.store.session import ReadSession, WriteSession
from app.store.units import Slots, UnitRow, UnitUnknown
from app.usecases.subtree import Subtree

EVERYWHERE: Final = Subtree(*access.WHOLE)
"""The whole installation."""


class UnitLevel(StrEnum):
    """What kind of body a unit is (cấp); ``district`` is for figures up to 2025-06-30."""

    MINISTRY = "ministry"
    PROVINCE = "province"
    DEPARTMENT = "department"
    DISTRICT = "district"
    COMMUNE = "commune"
    SERVICE_POINT = "service_point"
    OTHER = "other"


class Change(StrEnum):
    """What telling a thing changed."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(eq=False, kw_only=True)
class ParentUnknown(Invalid):
    """The parent is no unit within the caller's units."""

    code: ClassVar[str] = "unit.parent_unknown"
    unit: str
    parent: str


@dataclass(eq=False, kw_only=True)
class ParentLoop(Invalid):
    """A unit cannot stand below itself."""

    code: ClassVar[str] = "unit.parent_loop"
    unit: str


@dataclass(eq=False, kw_only=True)
class ParentInFuture(Invalid):
    """A unit is told to stand below another parent from a day that has not come."""

    code: ClassVar[str] = "unit.parent_in_future"
    unit: str
    parent_since: date


@dataclass(eq=False, kw_only=True)
class UnitTwice(Invalid):
    """One request names the same unit twice."""

    code: ClassVar[str] = "unit.twice"
    unit: str


@dataclass(eq=False, kw_only=True)
class RootForbidden(Forbidden):
    """Only a key of the whole installation may add a unit without a parent."""

    code: ClassVar[str] = "unit.root_forbidden"
    unit: str


@dataclass(eq=False, kw_only=True)
class ValidityReversed(Invalid):
    """A thing ends before it begins."""

    code: ClassVar[str] = "catalogue.validity_reversed"
    valid_from: date
    valid_to: date


@dataclass(eq=False, kw_only=True)
class SharedCatalogue(Forbidden):
    """Procedures and the state calendar belong to all; a key of a lower unit may not touch them."""

    code: ClassVar[str] = "catalogue.shared"


@dataclass(eq=False, kw_only=True)
class LimitTwice(Invalid):
    """Two limits of a procedure begin on one day for the same case and channel."""

    code: ClassVar[str] = "procedure.limit_twice"
    valid_from: date


@dataclass(eq=False, kw_only=True)
class ProcedureTwice(Invalid):
    """One request names the same procedure twice."""

    code: ClassVar[str] = "procedure.twice"
    procedure: str


# ---------------------------------------------------------------- units


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpec:
    """What is told of a unit (đơn vị).

    :raises ValidityReversed: it ends before it begins.
    """

    code: str
    name: str
    level: UnitLevel
    parent: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    legacy_codes: tuple[str, ...] = ()
    parent_since: date | None = None

    def __post_init__(self) -> None:
        """Refuse a validity that ends before it begins."""
        check_validity(self.valid_from, self.valid_to)

    @classmethod
    def of(cls, row: UnitRow) -> "UnitSpec":
        """Return what was told last of a unit."""
        return cls(
            code=row.code,
            name=row.name,
            level=UnitLevel(row.level),
            parent=row.parent_code,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            legacy_codes=row.legacy_codes,
            parent_since=row.parent_since,
        )

    def plain(self) -> dict[str, object]:
        """Return the same as plain JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "level": self.level.value,
            "parent": self.parent,
            "valid_from": _plain_day(self.valid_from),
            "valid_to": _plain_day(self.valid_to),
            "legacy_codes": list(self.legacy_codes),
            "parent_since": _plain_day(self.parent_since),
        }


def check_validity(valid_from: date | None, valid_to: date | None) -> None:
    """Pass if a validity does not end before it begins.

    :raises ValidityReversed: it does.
    """
    if valid_from is not None and valid_to is not None and valid_to < valid_from:
        raise ValidityReversed(valid_from=valid_from, valid_to=valid_to)


def _plain_day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


@dataclass(frozen=True, slots=True)
class UnitPut:
    """A unit as it stands after it was told, and what that changed."""

    row: UnitRow
    change: Change
    moved: bool = False


def put_unit(
    session: WriteSession,
    spec: UnitSpec,
    *,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> UnitPut:
    """Tell one unit; see ``put_units``."""
    return put_units(session, [spec], actor=actor, now=now, within=within)[0]


def put_units(
    session: WriteSession,
    specs: Iterable[UnitSpec],
    *,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> tuple[UnitPut, ...]:
    """Tell units, new and known, parents before or after their children.

    A known unit with another parent moves there with all below it.

    :param within: the part of the tree that the caller may change.
    :raises UnitUnknown: a known unit lies outside that part.
    :raises ParentUnknown: a parent does not exist or lies outside.
    :raises ParentLoop: a unit would stand below itself.
    :raises RootForbidden: a new unit has no parent, and the caller has not the whole tree.
    :raises UnitTwice: one unit is told twice.
    :raises TreeTooDeep: the tree has no such level.
    :raises TreeFull: a parent has no room.
    """
    told = _by_code(specs)
    units.lock_tree(session)
    desk = _Desk(session, within, Slots.of(session), actor, now, told)
    for spec in _parents_first(told):
        desk.put(spec)
    units.add_revisions(session, desk.revisions, actor=actor, now=now)
    audit.append_many(session, desk.lines)
    return tuple(UnitPut(desk.known[code], desk.changes[code], code in desk.moved) for code in told)


def _by_code(specs: Iterable[UnitSpec]) -> dict[str, UnitSpec]:
    told: dict[str, UnitSpec] = {}
    for spec in specs:
        if spec.code in told:
            raise UnitTwice(unit=spec.code)
        told[spec.code] = spec
    return told


def _parents_first(told: Mapping[str, UnitSpec]) -> list[UnitSpec]:
    """Order units so that each comes after its parent, if that is told as well."""
    ordered: dict[str, UnitSpec] = {}
    for code in told:
        path: list[UnitSpec] = []
        here: str | None = code
        while here is not None and here in told and here not in ordered:
            if any(one.code == here for one in path):
                raise ParentLoop(unit=here)
            path.append(told[here])
            here = told[here].parent
        ordered.update({one.code: one for one in reversed(path)})
    return list(ordered.values())


@dataclass(slots=True)
class _Desk:
    """Puts units one after another, and gathers what is to be written of them at the end."""

    session: WriteSession
    within: Subtree
    slots: Slots
    actor: str
    now: datetime
    told: Mapping[str, UnitSpec]
    known: dict[str, UnitRow] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    revisions: dict[int, dict[str, object]] = field(default_factory=dict)
    lines: list[dict[str, object]] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Read every unit that is named."""
        named = {spec.code for spec in self.told.values()}
        named |= {spec.parent for spec in self.told.values() if spec.parent is not None}
        self.known = units.by_code(self.session, named)

    def put(self, spec: UnitSpec) -> None:
        """Tell one unit whose parent has been told."""
        row = self.known.get(spec.code)
        if spec.parent_since is not None and spec.parent_since > self._today:
            raise ParentInFuture(unit=spec.code, parent_since=spec.parent_since)
        if row is not None and spec.parent_since is None:
            spec = replace(spec, parent_since=row.parent_since)
        if row is None:
            self._create(spec)
        elif not self._covers(row):
            raise UnitUnknown(unit=spec.code)
        elif UnitSpec.of(row) == spec:
            self.changes[spec.code] = Change.UNCHANGED
        else:
            self._update(row, spec)

    @property
    def _today(self) -> date:
        return self.now.astimezone(ZONE).date()

    def _create(self, spec: UnitSpec) -> None:
        if spec.parent is None and self.within != EVERYWHERE:
            raise RootForbidden(unit=spec.code)
        row = units.add(
            self.session,
            self.slots,
            code=spec.code,
            name=spec.name,
            level=spec.level.value,
            parent=self._parent(spec),
            valid_from=spec.valid_from,
            valid_to=spec.valid_to,
            legacy_codes=spec.legacy_codes,
            parent_since=spec.parent_since,
            now=self.now,
        )
        self.known[spec.code] = row
        self._note(row, Change.CREATED, before=None, after=spec)

    def _update(self, row: UnitRow, spec: UnitSpec) -> None:
        if spec.parent != row.parent_code:
            if spec.parent is None and self.within != EVERYWHERE:
                raise RootForbidden(unit=spec.code)
            parent = self._parent(spec)
            if parent is not None and row.lft <= parent.lft <= row.rgt:
                raise ParentLoop(unit=spec.code)
            units.move(self.session, self.slots, row, parent)
            self.moved.add(spec.code)
        units.update(
            self.session,
            row.id,
            name=spec.name,
            level=spec.level.value,
            valid_from=spec.valid_from,
            valid_to=spec.valid_to,
            legacy_codes=spec.legacy_codes,
            parent_since=spec.parent_since,
            now=self.now,
        )
        self.known |= units.by_code(self.session, self.known)
        self._note(self.known[spec.code], Change.UPDATED, before=UnitSpec.of(row), after=spec)

    def _parent(self, spec: UnitSpec) -> UnitRow | None:
        if spec.parent is None:
            return None
        parent = self.known.get(spec.parent)
        if parent is None or parent.is_bucket or not self._covers(parent):
            raise ParentUnknown(unit=spec.code, parent=spec.parent)
        return parent

    def _covers(self, row: UnitRow) -> bool:
        return self.within.lft <= row.lft <= self.within.rgt

    def _note(
        self, row: UnitRow, change: Change, *, before: UnitSpec | None, after: UnitSpec
    ) -> None:
        self.changes[row.code] = change
        self.revisions[row.id] = after.plain()
        self.lines.append(
            {
                "actor": self.actor,
                "action": "unit.put",
                "subject": row.code,
                "unit_id": row.id,
                "before": None if before is None else before.plain(),
                "after": after.plain(),
            }
        )


def hold_units(session: WriteSession) -> None:
    """Let nobody else change units until this transaction ends, so that a look stays true."""
    units.lock_tree(session)


def get_unit(session: ReadSession, code: str, *, within: Subtree = EVERYWHERE) -> UnitRow:
    """Return a unit by its code, a former one, or an old one written backwards.

    :raises UnitUnknown: there is none, or it lies outside.
    """
    row = units.get(session, code)
    if not within.lft <= row.lft <= within.rgt:
        raise UnitUnknown(unit=code)
    return row


def find_unit(session: ReadSession, code: str, *, within: Subtree = EVERYWHERE) -> UnitRow | None:
    """Return the unit of exactly this code, None when there is none or it lies outside."""
    row = units.by_code(session, [code]).get(code)
    return row if row is not None and within.lft <= row.lft <= within.rgt else None


def page_units(
    session: ReadSession,
    *,
    within: Subtree,
    after: str | None,
    limit: int,
    parent: str | None = None,
    level: UnitLevel | None = None,
    on: date | None = None,
) -> tuple[UnitRow, ...]:
    """Return units by code, beginning after a code; ``on`` takes those that are valid that day."""
    return units.page(
        session,
        lft=within.lft,
        rgt=within.rgt,
        after=after,
        limit=limit,
        parent=parent,
        level=None if level is None else level.value,
        on=on,
    )


# ---------------------------------------------------------------- procedures


@dataclass(frozen=True, slots=True)
class DatedLimit:
    """A limit with its validity, and whether it was compared with the text that sets it."""

    version: LimitVersion
    is_verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureSpec:
    """What is told of a procedure (thủ tục hành chính).

    :raises LimitTwice: two limits begin on one day for the same case and channel.
    :raises ValidityReversed: a limit ends before it begins.
    """

    code: str
    name: str
    field: str | None = None
    field_name: str | None = None
    level: UnitLevel | None = None
    online_level: OnlineLevel | None = None
    limits: tuple[DatedLimit, ...] = ()

    def __post_init__(self) -> None:
        """Refuse limits that contradict one another."""
        seen: set[tuple[object, ...]] = set()
        for limit in self.limits:
            version = limit.version
            check_validity(version.valid_from, version.valid_to)
            key = (version.valid_from, version.case, version.channel)
            if key in seen:
                raise LimitTwice(valid_from=version.valid_from)
            seen.add(key)

    @property
    def procedure(self) -> Procedure:
        """Return the procedure as the clock needs it."""
        limits = tuple(limit.version for limit in self.limits)
        return Procedure(self.code, limits, self.online_level)

    def plain(self) -> dict[str, object]:
        """Return the same as plain JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "field": self.field,
            "field_name": self.field_name,
            "level": None if self.level is None else self.level.value,
            "online_level": None if self.online_level is None else self.online_level.value,
            "limits": [_plain_limit(limit) for limit in self.limits],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ProcedureSpec":
        """Read what ``plain`` wrote."""
        level, online = plain.get("level"), plain.get("online_level")
        return cls(
            code=plain["code"],
            name=plain["name"],
            field=plain.get("field"),
            field_name=plain.get("field_name"),
            level=None if level is None else UnitLevel(level),
            online_level=None if online is None else OnlineLevel(online),
            limits=tuple(_limit_from(limit) for limit in plain.get("limits", ())),
        )


def _plain_limit(dated: DatedLimit) -> dict[str, object]:
    version, limit = dated.version, dated.version.limit
    plain: dict[str, object] = {
        "valid_from": version.valid_from.isoformat(),
        "valid_to": _plain_day(version.valid_to),
        "case": version.case,
        "channel": None if version.channel is None else version.channel.value,
        "pauses": {kind.value: policy.value for kind, policy in version.policies.items()},
        "source": "verified" if dated.is_verified else "unverified",
        **plain_limit(limit),
    }
    return plain


def plain_limit(limit: TimeLimit) -> dict[str, object]:
    """Return a time limit as plain JSON, with the members that its kind has."""
    plain: dict[str, object] = {"kind": limit.kind.value, "legal_basis": limit.legal_basis}
    if limit.value is not None:
        whole = limit.value.denominator == 1
        plain["value"] = limit.value.numerator if whole else float(limit.value)
    if limit.duration is not None:
        plain["duration"] = write_duration(limit.duration)
    if limit.kind is LimitKind.SAME_DAY:
        plain["cutoff"] = limit.cutoff.isoformat("seconds" if limit.cutoff.second else "minutes")
        plain["reception"] = limit.reception
    return plain


def _limit_from(plain: Mapping[str, Any]) -> DatedLimit:
    """Read what ``_plain_limit`` wrote."""
    kind = LimitKind(plain["kind"])
    value = plain.get("value")
    duration = plain.get("duration")
    limit = TimeLimit(
        kind,
        None if value is None else Fraction(value),
        None if duration is None else read_duration(duration),
        time.fromisoformat(plain.get("cutoff", "15:00")),
        plain.get("reception", True),
        legal_basis=plain.get("legal_basis"),
    )
    channel, valid_to = plain.get("channel"), plain.get("valid_to")
    version = LimitVersion(
        limit=limit,
        valid_from=date.fromisoformat(plain["valid_from"]),
        valid_to=None if valid_to is None else date.fromisoformat(valid_to),
        case=plain.get("case"),
        channel=None if channel is None else Channel(channel),
        policies=policies_with(
            {
                PauseKind(kind): PausePolicy(policy)
                for kind, policy in plain.get("pauses", {}).items()
            }
        ),
    )
    return DatedLimit(version, plain.get("source") != "unverified")


def policies_with(
    told: Mapping[PauseKind, PausePolicy],
) -> Mapping[PauseKind, PausePolicy]:
    """Return the policy of every kind of pause: what is told, else what holds by default."""
    return {**DEFAULT_POLICIES, **told}


@dataclass(frozen=True, slots=True)
class ProcedurePut:
    """A procedure as it stands after it was told, and what that changed."""

    row: ProcedureRow
    spec: ProcedureSpec
    change: Change


def put_procedure(
    session: WriteSession, spec: ProcedureSpec, *, actor: str, now: datetime
) -> ProcedurePut:
    """Tell one procedure; see ``put_procedures``."""
    return put_procedures(session, [spec], actor=actor, now=now)[0]


def put_procedures(
    session: WriteSession, specs: Iterable[ProcedureSpec], *, actor: str, now: datetime
) -> tuple[ProcedurePut, ...]:
    """Tell procedures, new and known, each whole: limits not told again are gone.

    :raises ProcedureTwice: one procedure is told twice.
    """
    told: dict[str, ProcedureSpec] = {}
    for spec in specs:
        if spec.code in told:
            raise ProcedureTwice(procedure=spec.code)
        told[spec.code] = spec
    procedures.lock(session)
    known = procedures.by_code(session, told)
    plain = {code: spec.plain() for code, spec in told.items()}
    changes = {code: _change(known.get(code), plain[code]) for code in told}
    news = {code: plain[code] for code in told if changes[code] is not Change.UNCHANGED}
    revisions = {code: known[code].revision + 1 if code in known else 1 for code in news}
    procedures.put(session, news, revisions=revisions, actor=actor, now=now)
    audit.append_many(session, [_line(code, known.get(code), plain[code], actor) for code in news])
    rows = procedures.by_code(session, told)
    return tuple(ProcedurePut(rows[code], told[code], changes[code]) for code in told)


def _change(row: ProcedureRow | None, plain: Mapping[str, object]) -> Change:
    if row is None:
        return Change.CREATED
    return Change.UNCHANGED if row.spec == plain else Change.UPDATED


def _line(
    code: str, before: ProcedureRow | None, after: Mapping[str, object], actor: str
) -> dict[str, object]:
    return {
        "actor": actor,
        "action": "procedure.put",
        "subject": code,
        "unit_id": None,
        "before": None if before is None else dict(before.spec),
        "after": dict(after),
    }


def hold_procedures(session: WriteSession) -> None:
    """Let nobody else change procedures until this transaction ends."""
    procedures.lock(session)


def get_procedure(session: ReadSession, code: str) -> ProcedureRow:
    """Return a procedure by its code.

    :raises ProcedureUnknown: there is none.
    """
    return procedures.get(session, code)


def find_procedure(session: ReadSession, code: str) -> ProcedureRow | None:
    """Return the procedure of a code, None when there is none."""
    return procedures.by_code(session, [code]).get(code)


def known_procedures(
    session: ReadSession, codes: Iterable[str]
) -> dict[str, tuple[int, Procedure]]:
    """Return the number and the limits of each procedure that is known, by code."""
    return {
        code: (row.id, ProcedureSpec.from_plain(row.spec).procedure)
        for code, row in procedures.by_code(session, codes).items()
    }


def page_procedures(
    session: ReadSession,
    *,
    after: str | None,
    limit: int,
    field_code: str | None = None,
    level: UnitLevel | None = None,
) -> tuple[ProcedureRow, ...]:
    """Return procedures by code, beginning after a code."""
    return procedures.page(
        session,
        after=after,
        limit=limit,
        field=field_code,
        level=None if level is None else level.value,
    )


def require_shared(within: Subtree) -> None:
    """Pass if the holder of this part of the tree may change what all units share.

    :raises SharedCatalogue: it is less than a whole tree of units.
    """
    if within.rgt - within.lft + 1 < units.WIDTHS[0]:
        raise SharedCatalogue
