"""Rule sets in use: those that we ship and those that offices put, chosen by day and by unit.

A set that an office puts belongs to a unit and holds for it and everything below. It is never
edited: a change is another version, and one that mends an earlier version names it. Numbers of a
template count as confirmed when a named person has confirmed them, value by value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import ClassVar, Final

from app.domain.errors import Conflict, Forbidden, Invalid
from app.domain.lint import Finding
from app.domain.period import Period
from app.domain.rule_set import RuleSet, Validity
from app.rulebook.entry import refuse
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_numbers import RuleNumber, numbers_of
from app.rulebook.rule_sets import (
    INDEX_FOLDER,
    RuleSetNotInForce,
    UnknownRuleSet,
    examine,
    load_rule_sets,
)
from app.store import audit, rule_sets
from app.store.rule_sets import EVERYBODY, ConfirmationRow, VersionRow
from app.store.session import ReadSession, WriteSession
from app.usecases.access import Principal
from app.usecases.subtree import unit_of

SHIPPED: Final = 0
"""The version of a set that comes with the software."""


@dataclass(eq=False, kw_only=True)
class RuleSetShipped(Conflict):
    """The set comes with the software and is only read; put yours under another id."""

    code: ClassVar[str] = "rule_set.shipped"
    rule_set: str


@dataclass(eq=False, kw_only=True)
class RuleSetTaken(Conflict):
    """Another office uses this id."""

    code: ClassVar[str] = "rule_set.taken"
    rule_set: str


@dataclass(eq=False, kw_only=True)
class RuleSetOfSuperior(Forbidden):
    """The set belongs to a unit above; it is read here and changed there."""

    code: ClassVar[str] = "rule_set.of_superior"
    rule_set: str


@dataclass(eq=False, kw_only=True)
class RuleSetIdDiffers(Invalid):
    """The id in the text is not the one that it is put under."""

    code: ClassVar[str] = "rule_set.id_differs"
    rule_set: str
    written: str


@dataclass(eq=False, kw_only=True)
class ValidityOverlaps(Conflict):
    """Another version of the set is in force on some of the same days."""

    code: ClassVar[str] = "rule_set.validity_overlaps"
    rule_set: str
    version: int
    first: str
    last: str


@dataclass(eq=False, kw_only=True)
class VersionNotInUse(Conflict):
    """The version that is to be replaced does not exist or was replaced before."""

    code: ClassVar[str] = "rule_set.version_not_in_use"
    rule_set: str
    version: int


@dataclass(eq=False, kw_only=True)
class PeriodAcrossChange(Conflict):
    """Two versions of the set hold in the period; each part is scored by itself."""

    code: ClassVar[str] = "rule_set.period_across_change"
    rule_set: str
    parts: str


@dataclass(eq=False, kw_only=True)
class NumberUnknown(Invalid):
    """The set has no number at this place."""

    code: ClassVar[str] = "rule_set.number_unknown"
    path: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a rule set; ``row`` is None for one that we ship."""

    rule_set: RuleSet
    text: str
    number: int = SHIPPED
    row: VersionRow | None = None
    replaced_by: int | None = None

    @property
    def is_shipped(self) -> bool:
        """Tell whether it comes with the software."""
        return self.row is None

    @property
    def owner(self) -> str | None:
        """Return the code of the unit that it belongs to, None for everybody's."""
        return None if self.row is None else self.row.owner_code

    def holds_for(self, lft: int) -> bool:
        """Tell whether the unit at a place of the tree is judged by it."""
        row = self.row
        if row is None or row.owner_lft is None or row.owner_rgt is None:
            return True
        return row.owner_lft <= lft <= row.owner_rgt

    def is_seen_by(self, lft: int, rgt: int) -> bool:
        """Tell whether holders of a part of the tree may read it: those below and those above."""
        row = self.row
        if row is None or row.owner_lft is None:
            return True
        return self.holds_for(lft) or lft <= row.owner_lft <= rgt


@dataclass(frozen=True, slots=True)
class Put:
    """A set after it was put, and whether that was new."""

    version: Version
    findings: tuple[Finding, ...]
    is_new: bool


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Shipped:
    versions: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _shipped() -> _Shipped:
    texts = {_digest_of(text): text for text in _texts()}
    found: dict[str, tuple[Version, ...]] = {}
    for rule_set in load_rule_sets().all:
        version = Version(rule_set, texts[rule_set.digest])
        found[rule_set.id] = (*found.get(rule_set.id, ()), version)
    return _Shipped(found)


def _texts() -> Iterable[str]:
    return (path.read_text(encoding="utf-8") for path in sorted(INDEX_FOLDER.glob("*.yaml")))


@lru_cache(maxsize=256)
def _examined(text: str) -> tuple[RuleSet | None, tuple[Finding, ...]]:
    return examine(text, metrics=load_metrics())


@lru_cache(maxsize=256)
def _digest_of(text: str) -> str:
    rule_set, _ = _examined(text)
    return "" if rule_set is None else rule_set.digest


def lint(text: str) -> tuple[RuleSet | None, tuple[Finding, ...]]:
    """Return what a text says and everything that is wrong or looks wrong with it."""
    return _examined(text)


def history(
    session: ReadSession, identifier: str, *, known_at: datetime | None = None
) -> tuple[Version, ...]:
    """Return every version of a set as known at an instant, replaced ones too, oldest first.

    :raises UnknownRuleSet: there is none.
    """
    shipped = _shipped().versions.get(identifier)
    if shipped is not None:
        return shipped
    found = _versions(rule_sets.versions(session, identifier, known_at=known_at))
    if not found:
        raise UnknownRuleSet(rule_set=identifier)
    return found


def _versions(rows: Sequence[VersionRow]) -> tuple[Version, ...]:
    replaced = {(row.id, row.replaces): row.version for row in rows if row.replaces is not None}
    return tuple(
        Version(_usable(row), row.text, row.version, row, replaced.get((row.id, row.version)))
        for row in rows
    )


def _usable(row: VersionRow) -> RuleSet:
    rule_set, findings = _examined(row.text)
    if rule_set is None:
        refuse(f"{row.id} ({row.version})", findings)
        raise ValueError("a text that cannot be read has findings")
    return rule_set


def seen(
    session: ReadSession, identifier: str, *, who: Principal, known_at: datetime | None = None
) -> tuple[Version, ...]:
    """Return every version of a set that the asker may see.

    :raises UnknownRuleSet: there is none within what the asker may see.
    """
    found = history(session, identifier, known_at=known_at)
    if not found[0].is_seen_by(who.lft, who.rgt):
        raise UnknownRuleSet(rule_set=identifier)
    return found


def in_use(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Return the versions that no other replaced."""
    return tuple(version for version in versions if version.replaced_by is None)


def on_day(versions: Sequence[Version], day: date) -> Version:
    """Return the version for a period that ends on a day; a template without dates is for any.

    :raises RuleSetNotInForce: none is in force on the day.
    """
    live = in_use(versions)
    for version in live:
        valid = version.rule_set.valid
        undated = valid.first is None and not version.rule_set.provenance.confirmed
        if undated or valid.holds(day):
            return version
    raise RuleSetNotInForce(rule_set=versions[0].rule_set.id, day=day.isoformat())


def for_period(versions: Sequence[Version], period: Period) -> Version:
    """Return the version that a period is scored by: that of its last day.

    :raises RuleSetNotInForce: none is in force on the last day.
    :raises PeriodAcrossChange: another version holds on earlier days; the parts are named.
    """
    chosen = on_day(versions, period.last)
    spans = [
        span
        for version in in_use(versions)
        if (span := _within(version.rule_set.valid, period)) is not None
    ]
    if len(spans) > 1:
        parts = ", ".join(f"{span.first}..{span.last}" for span in sorted(spans, key=_first_day))
        raise PeriodAcrossChange(rule_set=chosen.rule_set.id, parts=parts)
    return chosen


def _first_day(period: Period) -> date:
    return period.first


def _within(valid: Validity, period: Period) -> Period | None:
    if valid.first is None:
        return None
    first, last = max(valid.first, period.first), min(valid.last or period.last, period.last)
    return Period(first, last) if first <= last else None


def pick(versions: Sequence[Version], *, day: str | None, number: int | None) -> Version:
    """Return the version of a number, else the one for a day, else the newest in use.

    :raises VersionNotInUse: there is no version of this number.
    :raises RuleSetNotInForce: none is in force on the day, or the day does not exist.
    """
    identifier = versions[0].rule_set.id
    if number is not None:
        for version in versions:
            if version.number == number:
                return version
        raise VersionNotInUse(rule_set=identifier, version=number)
    if day is None:
        return in_use(versions)[-1]
    try:
        return on_day(versions, date.fromisoformat(day))
    except ValueError as error:
        raise RuleSetNotInForce(rule_set=identifier, day=day) from error


def listed(session: ReadSession, *, who: Principal) -> tuple[Version, ...]:
    """Return every version in use that the asker may see, by id."""
    put = in_use(_versions(rule_sets.versions(session)))
    ours = [version for each in _shipped().versions.values() for version in each]
    visible = [version for version in (*ours, *put) if version.is_seen_by(who.lft, who.rgt)]
    return tuple(sorted(visible, key=lambda version: (version.rule_set.id, version.number)))


# ---------------------------------------------------------------- putting


def put(
    session: WriteSession,
    identifier: str,
    text: str,
    *,
    who: Principal,
    now: datetime,
    unit: str | None = None,
    replaces: int | None = None,
    document: str | None = None,
) -> Put:
    """Keep a rule set as its next version; the same text again changes nothing.

    :param unit: the unit that a new set belongs to; the asker's own when None.
    :param replaces: the version that this one mends and puts out of use.
    :raises RulebookRefused: with every fault of the text.
    :raises RuleSetIdDiffers: the text has another id.
    :raises RuleSetShipped: the id is one of ours.
    :raises RuleSetTaken: another office has it.
    :raises RuleSetOfSuperior: it belongs to a unit above the asker's.
    :raises ValidityOverlaps: another version is in force on the same days.
    :raises VersionNotInUse: ``replaces`` names no version in use.
    :raises UnitUnknown: the unit is not within what the asker may see.
    """
    rule_set, findings = _examined(text)
    refuse(identifier, findings)
    if rule_set is None:
        raise ValueError("a text without faults is a rule set")
    if rule_set.id != identifier:
        raise RuleSetIdDiffers(rule_set=identifier, written=rule_set.id)
    if identifier in _shipped().versions:
        raise RuleSetShipped(rule_set=identifier)
    owner = _owner(session, who, unit)
    rule_sets.lock(session)
    before = _versions(rule_sets.versions(session, identifier))
    if before:
        _may_change(before[0], who)
        owner = before[0].row.owner_code if before[0].row else None
    same = [version for version in in_use(before) if version.rule_set.digest == rule_set.digest]
    if same:
        return Put(same[0], findings, is_new=False)
    _check_place(before, rule_set, replaces)
    number = len(before) + 1
    rule_sets.add(
        session,
        identifier=identifier,
        version=number,
        owner_id=None if owner is None else unit_of(session, who, owner).id,
        text=text,
        digest=rule_set.digest,
        first_on=rule_set.valid.first,
        last_on=rule_set.valid.last,
        replaces=replaces,
        document=document,
        actor=who.actor,
        now=now,
    )
    audit.append(
        session,
        actor=who.actor,
        action="rule_set.put",
        subject=f"{identifier}@{number}",
        unit_id=who.unit_id,
        after={"digest": rule_set.digest, "replaces": replaces, "document": document},
    )
    made = _versions(rule_sets.versions(session, identifier))[-1]
    return Put(made, findings, is_new=True)


def _owner(session: ReadSession, who: Principal, unit: str | None) -> str | None:
    return who.unit_code if unit is None else unit_of(session, who, unit).code


def _may_change(version: Version, who: Principal) -> None:
    row = version.row
    if row is None or not version.is_seen_by(who.lft, who.rgt):
        raise RuleSetTaken(rule_set=version.rule_set.id)
    covers = who.is_whole if row.owner_lft is None else who.covers(row.owner_lft)
    if not covers:
        raise RuleSetOfSuperior(rule_set=row.id)


def _check_place(before: Sequence[Version], rule_set: RuleSet, replaces: int | None) -> None:
    live = in_use(before)
    if replaces is not None and replaces not in {version.number for version in live}:
        raise VersionNotInUse(rule_set=rule_set.id, version=replaces)
    for version in live:
        if version.number != replaces and _overlap(version.rule_set.valid, rule_set.valid):
            valid = version.rule_set.valid
            raise ValidityOverlaps(
                rule_set=rule_set.id,
                version=version.number,
                first="…" if valid.first is None else valid.first.isoformat(),
                last="…" if valid.last is None else valid.last.isoformat(),
            )


def _overlap(one: Validity, other: Validity) -> bool:
    first = max(one.first or date.min, other.first or date.min)
    last = min(one.last or date.max, other.last or date.max)
    return first <= last


# ---------------------------------------------------------------- confirming


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One number of a set, and who confirmed it; None while nobody has."""

    number: RuleNumber
    by: ConfirmationRow | None


def confirmed(version: Version, rows: Iterable[ConfirmationRow], lft: int) -> tuple[Confirmed, ...]:
    """Return every number of a version with who confirmed it for the unit at a place of the tree.

    A confirmation is of a value: a later version with another number there is not confirmed.
    """
    held: dict[tuple[str, str], ConfirmationRow] = {}
    for row in rows:
        if row.unit_lft is None or (
            row.unit_rgt is not None and row.unit_lft <= lft <= row.unit_rgt
        ):
            held.setdefault((row.path, row.value), row)
    return tuple(
        Confirmed(number, held.get((number.path, number.value)))
        for number in numbers_of(version.text)
    )


def is_confirmed(version: Version, rows: Iterable[ConfirmationRow], lft: int) -> bool:
    """Tell whether sheets of a unit may go without "chưa xác nhận"."""
    return version.rule_set.provenance.confirmed or all(
        one.by is not None for one in confirmed(version, rows, lft)
    )


def confirmations(
    session: ReadSession, identifier: str, *, known_at: datetime | None = None
) -> list[ConfirmationRow]:
    """List what was confirmed of a set, for whomever."""
    return rule_sets.confirmations(session, identifier, known_at=known_at)


def confirm(
    session: WriteSession,
    version: Version,
    paths: Sequence[str],
    *,
    person: str,
    document: str,
    who: Principal,
    now: datetime,
) -> int:
    """Write down that a person confirmed numbers, from a document; return how many are new.

    A path that stands above others means all of them. What the same person confirmed before from
    the same document is not written again.

    :raises NumberUnknown: there is no number at or below a path.
    :raises RuleSetOfSuperior: the set belongs to a unit above.
    """
    if version.row is not None:
        _may_change(version, who)
    rule_sets.lock(session)
    identifier = version.rule_set.id
    wanted = _numbers_at(version, paths)
    known = {
        (row.path, row.value)
        for row in rule_sets.confirmations(session, identifier)
        if (row.person, row.document, row.unit_code) == (person, document, who.unit_code)
    }
    fresh = [pair for one in wanted if (pair := (one.path, one.value)) not in known]
    if not fresh:
        return 0
    rule_sets.confirm(
        session,
        identifier,
        fresh,
        unit_id=EVERYBODY if who.unit_id is None else who.unit_id,
        person=person,
        document=document,
        actor=who.actor,
        now=now,
    )
    audit.append(
        session,
        actor=who.actor,
        action="rule_set.confirm",
        subject=f"{identifier}@{version.number}",
        unit_id=who.unit_id,
        after={"numbers": len(fresh), "document": document},
    )
    return len(fresh)


def _numbers_at(version: Version, paths: Sequence[str]) -> list[RuleNumber]:
    numbers = numbers_of(version.text)
    found: dict[str, RuleNumber] = {}
    for path in paths:
        below = [one for one in numbers if one.path == path or one.path.startswith(f"{path}/")]
        if not below:
            raise NumberUnknown(path=path)
        found |= {one.path: one for one in below}
    return list(found.values())
