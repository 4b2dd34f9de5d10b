"""The tree of units: places, names, old codes, and the moves between them.

Each unit owns an interval ``lft..rgt`` that holds its whole subtree. Intervals are handed out
sparsely (``WIDTHS``), so that adding a unit renumbers nothing; moving one gives its subtree a new
interval and rewrites the copies of ``lft`` beside dossiers, alerts and quarantined records.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain import unit_name
from app.domain.errors import Invalid, NotFound
from app.store.session import ReadSession, WriteSession
from app.store.tables import alert, dossier, dossier_past, quarantine, unit, unit_revision

WIDTHS: Final = (2**40, 2**28, 2**16, 2**4, 1)
"""Width of the interval of a unit, by its depth; the last kind has room for itself alone."""

BUCKET_SUFFIX: Final = "~unknown"
_TREE_LOCK: Final = 0x64_68_75_6E  # any number, as long as every writer of the tree names it


@dataclass(eq=False, kw_only=True)
class UnitUnknown(NotFound):
    """No unit has this code, or none within the caller's units."""

    code: ClassVar[str] = "unit.unknown"
    unit: str


@dataclass(eq=False, kw_only=True)
class TreeTooDeep(Invalid):
    """The tree of units has five levels at most."""

    code: ClassVar[str] = "unit.tree_too_deep"
    unit: str
    levels: int


@dataclass(eq=False, kw_only=True)
class TreeFull(Invalid):
    """A unit has no room for another child."""

    code: ClassVar[str] = "unit.tree_full"
    unit: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    """A unit (đơn vị) as it stands."""

    id: int
    code: str
    name: str
    level: str
    parent_id: int | None
    parent_code: str | None
    lft: int
    rgt: int
    depth: int
    valid_from: date | None
    valid_to: date | None
    legacy_codes: tuple[str, ...]
    is_bucket: bool
    recorded_at: datetime
    parent_since: date | None = None
    heir_id: int | None = None


_parent = unit.alias("parent")


def _select() -> sa.Select[*tuple[object, ...]]:
    return sa.select(unit, _parent.c.code.label("parent_code")).select_from(
        unit.outerjoin(_parent, _parent.c.id == unit.c.parent_id)
    )


def _row(row: sa.RowMapping) -> UnitRow:
    return UnitRow(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        level=row["level"],
        parent_id=row["parent_id"],
        parent_code=row["parent_code"],
        lft=row["lft"],
        rgt=row["rgt"],
        depth=row["depth"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        legacy_codes=tuple(row["legacy_codes"]),
        is_bucket=row["is_bucket"],
        recorded_at=row["recorded_at"],
        parent_since=row["parent_since"],
        heir_id=row["heir_id"],
    )


def _rows(session: ReadSession, statement: sa.Select[*tuple[object, ...]]) -> tuple[UnitRow, ...]:
    return tuple(_row(row) for row in session.execute(statement).mappings())


# ---------------------------------------------------------------- reading


def by_code(session: ReadSession, codes: Iterable[str]) -> dict[str, UnitRow]:
    """Return the units that have exactly these codes."""
    wanted = sa.any_(sa.bindparam("codes", list(codes), type_=ARRAY(sa.Text)))
    return {row.code: row for row in _rows(session, _select().where(unit.c.code == wanted))}


def by_id(session: ReadSession, ids: Iterable[int]) -> dict[int, UnitRow]:
    """Return the units that have these numbers."""
    wanted = sa.any_(sa.bindparam("ids", list(ids), type_=ARRAY(sa.Integer)))
    return {row.id: row for row in _rows(session, _select().where(unit.c.id == wanted))}


_FIELDS: Final = tuple(UnitRow.__dataclass_fields__)
_TODAY: Final = (
    "SELECT {} FROM unit u LEFT JOIN unit p ON p.id = u.parent_id"  # noqa: S608  # of constants
    " WHERE u.code = ANY(ARRAY(SELECT json_array_elements_text($1::json)))".format(
        ", ".join(
            "p.code AS parent_code" if name == "parent_code" else f"u.{name}" for name in _FIELDS
        )
    )
).encode()


def find(session: ReadSession, code: str) -> UnitRow | None:
    """Return the unit of a code: today's, a former one, or an old one written backwards."""
    shapes = code_forms(code)
    found = {row.code: row for row in _today(session, shapes)}
    for shape in shapes:
        if shape in found:
            return found[shape]
    return _formerly(session, code)


def _today(session: ReadSession, codes: Sequence[str]) -> Iterator[UnitRow]:
    """Yield the units that have one of these codes."""
    asked = orjson.dumps([one for one in codes if "\0" not in one]).decode()
    for row in session.ask(_TODAY, asked):
        told = dict(zip(_FIELDS, row, strict=True))
        yield UnitRow(**told | {"legacy_codes": tuple(told["legacy_codes"])})


def _formerly(session: ReadSession, code: str) -> UnitRow | None:
    """Return the unit of a code that no unit has today."""
    told = resolve_codes(session, [code])
    found = told.get(code)
    return None if found is None else by_id(session, [found])[found]


def get(session: ReadSession, code: str) -> UnitRow:
    """Return the unit of a code, as ``find`` does.

    :raises UnitUnknown: there is none.
    """
    found = find(session, code)
    if found is None:
        raise UnitUnknown(unit=code)
    return found


def children(session: ReadSession, parent_id: int | None) -> tuple[UnitRow, ...]:
    """Return the units directly below one (below none: the roots), by code."""
    below = unit.c.parent_id.is_(None) if parent_id is None else unit.c.parent_id == parent_id
    return _rows(session, _select().where(below).order_by(unit.c.code.collate("C")))


def subtree(session: ReadSession, lft: int, rgt: int) -> tuple[UnitRow, ...]:
    """Return every unit of an interval, parents before children."""
    return _rows(session, _select().where(unit.c.lft.between(lft, rgt)).order_by(unit.c.lft))


def ancestors(session: ReadSession, row: UnitRow) -> tuple[UnitRow, ...]:
    """Return the unit and all above it, nearest first."""
    above = sa.and_(unit.c.lft <= row.lft, unit.c.rgt >= row.rgt)
    return _rows(session, _select().where(above).order_by(unit.c.depth.desc()))


def lineages(session: ReadSession, ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Return for each unit the numbers from its topmost ancestor down to itself."""
    wanted = sa.any_(sa.bindparam("ids", list(ids), type_=ARRAY(sa.Integer)))
    above = unit.alias("above")
    rows = session.execute(
        sa.select(unit.c.id, above.c.id.label("above_id"))
        .join_from(unit, above, sa.and_(above.c.lft <= unit.c.lft, above.c.rgt >= unit.c.rgt))
        .where(unit.c.id == wanted)
        .order_by(unit.c.id, above.c.depth)
    )
    found: dict[int, list[int]] = {}
    for number, above_id in rows:
        found.setdefault(number, []).append(above_id)
    return {number: tuple(chain) for number, chain in found.items()}


def parents(session: ReadSession) -> dict[int, int | None]:
    """Return the parent of every unit today."""
    return {row.id: row.parent_id for row in session.execute(_PARENTS)}


def moves(session: ReadSession) -> dict[int, tuple[tuple[datetime, int | None], ...]]:
    """Return the parents of each unit that ever had another one, and since when each was known."""
    found: dict[int, list[tuple[datetime, int | None]]] = {}
    for row in session.execute(_MOVES):
        found.setdefault(row.unit_id, []).append((row.recorded_at, row.parent_id))
    return {number: tuple(told) for number, told in found.items() if len(told) > 1}


_PARENTS: Final = sa.select(unit.c.id, unit.c.parent_id)
_MOVES: Final = sa.text(
    """
    SELECT told.unit_id, told.recorded_at, p.id AS parent_id
      FROM (SELECT unit_id, seq, recorded_at, spec ->> 'parent' AS parent,
                   row_number() OVER history = 1
                   OR spec ->> 'parent' IS DISTINCT FROM lag(spec ->> 'parent') OVER history
                   AS is_new
              FROM unit_revision WINDOW history AS (PARTITION BY unit_id ORDER BY seq)) told
      LEFT JOIN unit p ON p.code = told.parent
     WHERE told.is_new
     ORDER BY told.unit_id, told.seq
    """
)


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    after: str | None,
    limit: int,
    parent: str | None = None,
    level: str | None = None,
    on: date | None = None,
) -> tuple[UnitRow, ...]:
    """Return units of an interval by code, beginning after a code; ``on`` asks for a valid one."""
    statement = _select().where(unit.c.lft.between(lft, rgt))
    if after is not None:
        statement = statement.where(unit.c.code.collate("C") > after)
    if parent is not None:
        statement = statement.where(_parent.c.code == parent)
    if level is not None:
        statement = statement.where(unit.c.level == level)
    if on is not None:
        statement = statement.where(
            sa.or_(unit.c.valid_from.is_(None), unit.c.valid_from <= on),
            sa.or_(unit.c.valid_to.is_(None), unit.c.valid_to >= on),
        )
    return _rows(session, statement.order_by(unit.c.code.collate("C")).limit(limit))


def resolve_codes(session: ReadSession, told: Iterable[str]) -> dict[str, int]:
    """Return the unit of each word that is a code; a former code of two units resolves to none."""
    forms = {word: code_forms(word) for word in told}
    every = sorted({form for shapes in forms.values() for form in shapes})
    if not every:
        return {}
    wanted = sa.bindparam("forms", every, type_=ARRAY(sa.Text))
    rows = session.execute(
        sa.select(unit.c.id, unit.c.code, unit.c.legacy_codes).where(
            sa.or_(unit.c.code == sa.any_(wanted), unit.c.legacy_codes.overlap(wanted))
        )
    ).all()
    current = {code: number for number, code, _ in rows}
    former: dict[str, set[int]] = {}
    for number, _, legacy in rows:
        for code in legacy:
            former.setdefault(code, set()).add(number)
    return {
        word: found
        for word, shapes in forms.items()
        if (found := _first(shapes, current, former)) is not None
    }


def _first(
    shapes: Sequence[str], current: Mapping[str, int], former: Mapping[str, set[int]]
) -> int | None:
    for shape in shapes:
        if shape in current:
            return current[shape]
    owners = set().union(*(former.get(shape, set()) for shape in shapes))
    return owners.pop() if len(owners) == 1 else None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What words for units mean: a unit each, by code or by name, or several candidates.

    ``by_name`` are the words whose name fits a unit in a looser way than letter by letter.
    """

    units: Mapping[str, int]
    by_name: frozenset[str]
    candidates: Mapping[str, tuple[int, ...]]


def resolve_many(
    session: ReadSession, told: Iterable[str], *, lft: int, rgt: int
) -> dict[str, int]:
    """Return the unit of each word a sender used for one; see ``resolved``."""
    return dict(resolved(session, told, lft=lft, rgt=rgt).units)


def resolved(session: ReadSession, told: Iterable[str], *, lft: int, rgt: int) -> Resolved:
    """Return the unit of each word a sender used for one, within a subtree.

    A word is a code, a former code, an old code written backwards, or a name that fits exactly
    one unit of the subtree in the strictest way in which it fits any (``domain.unit_name``). The
    code of a unit that ceased may be used below its successor too, and a name that it shares with
    its successor is its own first. What is not certain is left out, with the units it may mean.
    """
    words = set(told)
    found = resolve_codes(session, words)
    places = by_id(session, set(found.values()))
    heirs = by_id(session, {one.heir_id for one in places.values() if one.heir_id is not None})
    reached = {
        number: {one.lft, heirs[one.heir_id].lft if one.heir_id is not None else one.lft}
        for number, one in places.items()
    }
    within = {
        word: number
        for word, number in found.items()
        if any(lft <= place <= rgt for place in reached[number])
    }
    rest = words - found.keys()
    if not rest:
        return Resolved(within, frozenset(), {})
    named = sa.select(unit.c.id, unit.c.name, unit.c.heir_id).where(
        unit.c.lft.between(lft, rgt), unit.c.is_bucket.is_(False)
    )
    rows = session.execute(named).all()
    heir_of = {number: heir_id or number for number, _, heir_id in rows}
    by_name, candidates = set(), {}
    for word, fit in unit_name.fits(rest, {number: name for number, name, _ in rows}).items():
        owner = _sole({number: heir_of[number] for number in fit.units})
        if owner is None:
            candidates[word] = fit.units
            continue
        within[word] = owner
        if not fit.is_exact:
            by_name.add(word)
    return Resolved(within, frozenset(by_name), candidates)


def _sole(owners: Mapping[int, int]) -> int | None:
    """Return the unit that a name means: its only owner, or the one whose successor shares it.

    :param owners: for each unit of the name who goes on for it in the end, or itself.
    """
    if len(owners) <= 1:
        return next(iter(owners), None)
    first = [number for number, heir in owners.items() if heir != number]
    last = set(owners.values())
    return first[0] if len(first) == 1 and len(last) == 1 and len(owners) == 2 else None


def code_forms(told: str) -> tuple[str, ...]:
    """Return the ways a code may be written today: as told, and turned round if it is old.

    ``000.00.100.H44`` is ``H44.100`` today; ``000.00.01.H22`` may be ``H22.1`` or ``H22.01``.
    """
    word = unicodedata.normalize("NFC", told).strip()
    parts = word.split(".")
    if len(parts) < 3 or not parts[0].isdecimal() or parts[-1].isdecimal():
        return (word,)
    turned = [part for part in reversed(parts) if part.strip("0")]
    short = [turned[0], *(part.lstrip("0") for part in turned[1:])]
    return tuple(dict.fromkeys((word, ".".join(turned), ".".join(short))))


# ---------------------------------------------------------------- writing


def lock_tree(session: WriteSession) -> None:
    """Let no other transaction change the tree until this one ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_TREE_LOCK)))


@dataclass(slots=True)
class Slots:
    """Hands out free intervals below the units of one transaction that holds the tree's lock."""

    session: WriteSession
    taken: dict[int | None, set[int]]

    @classmethod
    def of(cls, session: WriteSession) -> "Slots":
        """Start with nothing read."""
        return cls(session, {})

    def take(self, parent: UnitRow | None, *, code: str) -> tuple[int, int, int]:
        """Return ``lft``, ``rgt`` and depth of the next free place below a unit.

        :raises TreeTooDeep: there is no level below.
        :raises TreeFull: every place below is taken.
        """
        depth = 0 if parent is None else parent.depth + 1
        if depth >= len(WIDTHS):
            raise TreeTooDeep(unit=code, levels=len(WIDTHS))
        width = WIDTHS[depth]
        first = 0 if parent is None else parent.lft + 1
        room = (2**63 - 1 - first) // width if parent is None else (parent.rgt - first + 1) // width
        taken = self._taken(parent, first, width)
        ordinal = max(taken, default=-1) + 1
        if ordinal >= room:  # the end is reached: look for what a move left free
            ordinal = next((free for free in range(room) if free not in taken), room)
        if ordinal >= room:
            raise TreeFull(unit="" if parent is None else parent.code, limit=room)
        taken.add(ordinal)
        lft = first + ordinal * width
        return lft, lft + width - 1, depth

    def _taken(self, parent: UnitRow | None, first: int, width: int) -> set[int]:
        key = None if parent is None else parent.id
        if key not in self.taken:
            below = unit.c.parent_id.is_(None) if key is None else unit.c.parent_id == key
            places = self.session.scalars(sa.select(unit.c.lft).where(below))
            self.taken[key] = {(place - first) // width for place in places}
        return self.taken[key]


def add(
    session: WriteSession,
    slots: Slots,
    *,
    code: str,
    name: str,
    level: str,
    parent: UnitRow | None,
    valid_from: date | None,
    valid_to: date | None,
    legacy_codes: Sequence[str],
    now: datetime,
    is_bucket: bool = False,
    parent_since: date | None = None,
) -> UnitRow:
    """Append a unit below its parent.

    :raises TreeTooDeep: the tree has no such level.
    :raises TreeFull: the parent has no room.
    """
    lft, rgt, depth = slots.take(parent, code=code)
    values = {
        "code": code,
        "name": name,
        "level": level,
        "parent_id": None if parent is None else parent.id,
        "lft": lft,
        "rgt": rgt,
        "depth": depth,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "legacy_codes": list(legacy_codes),
        "is_bucket": is_bucket,
        "parent_since": parent_since,
        "recorded_at": now,
    }
    number = session.execute(sa.insert(unit).values(values).returning(unit.c.id)).scalar_one()
    return UnitRow(
        id=number,
        code=code,
        name=name,
        level=level,
        parent_id=None if parent is None else parent.id,
        parent_code=None if parent is None else parent.code,
        lft=lft,
        rgt=rgt,
        depth=depth,
        valid_from=valid_from,
        valid_to=valid_to,
        legacy_codes=tuple(legacy_codes),
        is_bucket=is_bucket,
        recorded_at=now,
        parent_since=parent_since,
    )


def update(
    session: WriteSession,
    unit_id: int,
    *,
    name: str,
    level: str,
    valid_from: date | None,
    valid_to: date | None,
    legacy_codes: Sequence[str],
    now: datetime,
    parent_since: date | None = None,
) -> None:
    """Change what is said of a unit, in its place."""
    session.execute(
        sa.update(unit)
        .where(unit.c.id == unit_id)
        .values(
            name=name,
            level=level,
            valid_from=valid_from,
            valid_to=valid_to,
            legacy_codes=list(legacy_codes),
            parent_since=parent_since,
            recorded_at=now,
        )
    )


def move(session: WriteSession, slots: Slots, row: UnitRow, parent: UnitRow | None) -> int:
    """Give a unit and all below it new places under another parent.

    The copies of ``lft`` beside dossiers, their past, alerts and quarantined records follow in
    the same transaction.

    :returns: the number of units moved.
    :raises TreeTooDeep: the subtree does not fit below the parent.
    :raises TreeFull: the parent has no room.
    """
    members = subtree(session, row.lft, row.rgt)
    slots.taken.update({member.id: set() for member in members})
    places: dict[int, UnitRow] = {}
    for member in members:
        above = parent if member.id == row.id else places[member.parent_id or 0]
        lft, rgt, depth = slots.take(above, code=member.code)
        places[member.id] = replace(
            member,
            parent_id=None if above is None else above.id,
            parent_code=None if above is None else above.code,
            lft=lft,
            rgt=rgt,
            depth=depth,
        )
    _rewrite(session, tuple(places.values()))
    return len(places)


def _rewrite(session: WriteSession, places: Sequence[UnitRow]) -> None:
    session.execute(
        sa.update(unit)
        .where(unit.c.id == sa.bindparam("which"))
        .values(
            parent_id=sa.bindparam("to_parent"),
            lft=sa.bindparam("to_lft"),
            rgt=sa.bindparam("to_rgt"),
            depth=sa.bindparam("to_depth"),
        ),
        [
            {
                "which": place.id,
                "to_parent": place.parent_id,
                "to_lft": place.lft,
                "to_rgt": place.rgt,
                "to_depth": place.depth,
            }
            for place in places
        ],
    )
    for table in (dossier, dossier_past, alert, quarantine):
        session.execute(
            sa.update(table)
            .where(table.c.unit_id == sa.bindparam("which"))
            .values(unit_lft=sa.bindparam("to_lft")),
            [{"which": place.id, "to_lft": place.lft} for place in places],
        )


def add_revisions(
    session: WriteSession,
    specs: Mapping[int, Mapping[str, object]],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Append what was told of units, each as the next revision of its unit."""
    if not specs:
        return
    wanted = sa.bindparam("ids", list(specs), type_=ARRAY(sa.Integer))
    known = session.execute(
        sa.select(unit_revision.c.unit_id, sa.func.max(unit_revision.c.seq).label("latest"))
        .where(unit_revision.c.unit_id == sa.any_(wanted))
        .group_by(unit_revision.c.unit_id)
    )
    last = {row.unit_id: row.latest for row in known}
    session.execute(
        sa.insert(unit_revision),
        [
            {
                "unit_id": number,
                "seq": last.get(number, 0) + 1,
                "recorded_at": now,
                "spec": dict(spec),
                "actor": actor,
            }
            for number, spec in specs.items()
        ],
    )


def last_parent(session: ReadSession, unit_id: int, *, before: datetime) -> str | None:
    """Return the parent that was told last of a unit before a moment."""
    told = (
        sa.select(unit_revision.c.spec["parent"].astext)
        .where(unit_revision.c.unit_id == unit_id, unit_revision.c.recorded_at < before)
        .order_by(unit_revision.c.seq.desc())
        .limit(1)
    )
    found: str | None = session.scalar(told)
    return found


def find_bucket(session: ReadSession, root: UnitRow | None) -> UnitRow | None:
    """Return the visible place of dossiers whose unit is unknown, None while there are none."""
    code = BUCKET_SUFFIX if root is None else f"{root.code}{BUCKET_SUFFIX}"
    return by_code(session, [code]).get(code)


def bucket_of(session: WriteSession, root: UnitRow | None, *, now: datetime) -> UnitRow:
    """Return the visible place of dossiers whose unit is unknown, below a key's root.

    Its name is its code: what people read is said in their language.

    :param root: the root of the key's subtree; None for a key of the whole installation.
    """
    code = BUCKET_SUFFIX if root is None else f"{root.code}{BUCKET_SUFFIX}"
    found = by_code(session, [code]).get(code)
    if found is not None:
        return found
    lock_tree(session)
    found = by_code(session, [code]).get(code)
    if found is not None:
        return found
    return add(
        session,
        Slots.of(session),
        code=code,
        name=code,
        level="other" if root is None else root.level,
        parent=root,
        valid_from=None,
        valid_to=None,
        legacy_codes=(),
        now=now,
        is_bucket=True,
    )
