"""Every unit of a subtree with its score and place, and how both moved since another period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from app.domain.rounding import plain
from app.domain.rule_set import Level, Round
from app.domain.scoring import Place, Standing
from app.domain.sheet import RoundState, Sheet, of_record
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import index, scorecards
from app.usecases.access import Principal
from app.usecases.card import Json, lost_of
from app.usecases.index import Assessed
from app.usecases.scorecards import Asked, Loaded
from app.usecases.subtree import unit_of


@dataclass(frozen=True, slots=True)
class Line:
    """One unit of the board; ``round`` is None for a score computed just now.

    ``total`` and ``max`` are as printed.
    """

    unit: str
    name: str
    level: Level
    parent: str | None
    status: Standing
    total: str | None
    max: str
    label: str | None
    value: Fraction | None
    place: Place | None
    missing: int
    round: Round | None = None
    record: RoundState | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """How a unit moved against another period; None where the two cannot be compared."""

    points: Fraction | None
    places: int | None


@dataclass(frozen=True, slots=True)
class Board:
    """The units in the order of their places, and the moves since another period."""

    asked: Asked
    lines: tuple[Line, ...]
    earlier: Asked | None
    deltas: Mapping[str, Delta]

    @property
    def is_comparable(self) -> bool:
        """Tell whether both periods are scored by the same text."""
        return (
            self.earlier is not None and self.earlier.rule_set.digest == self.asked.rule_set.digest
        )


def board(
    session: ReadSession,
    asked: Asked,
    *,
    root: UnitRow | None,
    who: Principal,
    round_: Round | None = None,
    earlier: Asked | None = None,
) -> Board:
    """Score every unit of a subtree and rank those of one level under one parent.

    With a round, a unit whose round is closed shows what was frozen then.
    """
    lines = _lines(session, asked, root, who, round_)
    deltas: dict[str, Delta] = {}
    if earlier is not None:
        before = {line.unit: line for line in _lines(session, earlier, root, who, round_)}
        is_same = earlier.rule_set.digest == asked.rule_set.digest
        deltas = {
            line.unit: _delta(before[line.unit], line, is_same=is_same)
            for line in lines
            if line.unit in before
        }
    return Board(asked, tuple(sorted(lines, key=_order)), earlier, deltas)


def _order(line: Line) -> tuple[str, str, int, str]:
    place = line.place.place if line.place else 1_000_000
    return line.level.value, line.parent or "", place, line.unit


def _delta(before: Line, line: Line, *, is_same: bool) -> Delta:
    if not is_same:
        return Delta(None, None)
    points, places = None, None
    if before.total is not None and line.total is not None:
        points = Fraction(line.total) - Fraction(before.total)
    if before.place is not None and line.place is not None:
        places = before.place.place - line.place.place
    return Delta(points, places)


def _lines(
    session: ReadSession,
    asked: Asked,
    root: UnitRow | None,
    who: Principal,
    round_: Round | None,
) -> list[Line]:
    loaded = scorecards.load(session, asked, root=root, who=who)
    scored = scorecards.assess(loaded, scorecards.figures_of(loaded, round_=round_))
    lines = [_line(one, loaded, round_) for one in scored]
    return lines if round_ is None else _ranked_again(lines, loaded)


def _line(one: Assessed, loaded: Loaded, round_: Round | None) -> Line:
    sheet = loaded.sheet(one.unit)
    card = one.card
    line = Line(
        unit=one.unit,
        name=one.name,
        level=one.level,
        parent=one.parent,
        status=card.standing,
        total=card.printed,
        max=plain(card.max),
        label=card.label,
        value=one.value,
        place=one.place,
        missing=len(card.missing),
        round=round_,
        record=record_of(loaded, sheet),
    )
    frozen = None if round_ is None else sheet.rounds.get(round_)
    return line if frozen is None or frozen.card is None else _as_frozen(line, frozen.card)


def record_of(loaded: Loaded, sheet: Sheet) -> RoundState | None:
    """Return the round of the score of record of a sheet, None before one is closed."""
    return of_record(sheet, loaded.asked.rule_set.score_of_record)


def _as_frozen(line: Line, card: Mapping[str, object]) -> Line:
    total, label, value = card["total"], card["class"], card["ranked_by"]
    missing = card["missing"]
    return replace(
        line,
        status=Standing(str(card["status"])),
        total=None if total is None else str(total),
        max=str(card["max"]),
        label=None if label is None else str(label),
        value=None if value is None else Fraction(str(value)),
        missing=len(missing) if isinstance(missing, list) else 0,
    )


def _ranked_again(lines: Sequence[Line], loaded: Loaded) -> list[Line]:
    seen = {row.code for row in loaded.units}
    places = index.places_within(
        {
            line.unit: (line.level, line.parent, line.value)
            for line in lines
            if line.value is not None and line.parent in seen
        }
    )
    return [replace(line, place=places.get(line.unit)) for line in lines]


# ---------------------------------------------------------------- lost points


@dataclass(frozen=True, slots=True)
class Role:
    """What one role answers for; ``responsible`` None is what nobody was named for."""

    responsible: str | None
    lost: Fraction
    lines: int


@dataclass(frozen=True, slots=True)
class LostPoints:
    """The points lost by a unit, or by all units of a subtree, the greatest loss first."""

    total: Fraction
    lines: tuple[Json, ...]
    roles: tuple[Role, ...]


def lost_points(
    session: ReadSession, asked: Asked, code: str, *, who: Principal, is_deep: bool
) -> LostPoints:
    """List the points lost, with who answers for each line and what would recover it.

    :param is_deep: with every unit below, too.
    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises UnitNotAssessed: it has no sheet under this rule set, and units below are not asked for.
    """
    row = unit_of(session, who, code)
    loaded = scorecards.load(session, asked, root=row, who=who)
    scored = scorecards.assess(loaded, scorecards.figures_of(loaded))
    if not is_deep:
        scored = (scorecards.find(scored, asked, row.code),)
    rows = {one.code: one for one in loaded.units}
    lines = [line for one in scored for line in lost_of(one, loaded, rows[one.unit])]
    lines.sort(key=lambda line: (-_lost(line), str(line["unit"])))
    return LostPoints(
        sum((_lost(line) for line in lines), Fraction(0)), tuple(lines), _roles(lines)
    )


def _lost(line: Json) -> Fraction:
    return Fraction(str(line["lost"]))


def _roles(lines: Sequence[Json]) -> tuple[Role, ...]:
    found: dict[str | None, Role] = {}
    for line in lines:
        named = line["responsible"]
        name = None if named is None else str(named)
        held = found.get(name, Role(name, Fraction(0), 0))
        found[name] = Role(name, held.lost + _lost(line), held.lines + 1)
    return tuple(sorted(found.values(), key=lambda role: (-role.lost, role.responsible or "")))
