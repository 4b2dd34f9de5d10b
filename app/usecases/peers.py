"""Figures of peers, frozen: computed once over the units below one, then read and never moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from app.domain.expression import Environment, Unanswerable
from app.domain.rounding import plain
from app.domain.rule_set import Aggregate, Level, Peers
from app.domain.sheet import Entry, EntryKind
from app.rulebook.metrics import load_metrics
from app.store import audit, sheets
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import index, scorecards
from app.usecases.access import Principal
from app.usecases.card import told
from app.usecases.inputs import VerifierBelow, may_verify
from app.usecases.scorecards import Asked, Loaded
from app.usecases.subtree import unit_of


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of the units of one level below a unit, as they were frozen."""

    level: Level
    values: Mapping[str, Mapping[str, object]]


def freeze(
    session: WriteSession, asked: Asked, code: str, *, who: Principal, now: datetime
) -> tuple[Snapshot, ...]:
    """Compute every figure of peers of a rule set over the units below one, and keep it.

    A unit for which an input is missing or does not apply is left out and counted.

    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises VerifierBelow: the key may not appraise units below.
    """
    row = unit_of(session, who, code)
    if not (may_verify(who, row) or who.unit_id == row.id):
        raise VerifierBelow(unit=row.code)
    bound = {name: one for name, one in asked.rule_set.inputs.items() if isinstance(one, Peers)}
    sheets.lock(session, row.id, asked.rule_set.id)
    loaded = scorecards.load(session, asked, root=row, who=who)
    found = _snapshots(loaded, row, bound)
    entries = [
        Entry(
            EntryKind.PEERS,
            {
                "level": one.level.value,
                "values": {name: dict(value) for name, value in one.values.items()},
                "known_at": told(asked.known_at),
            },
            who.actor,
            now,
        )
        for one in found
    ]
    if entries:
        sheets.append(session, row.id, asked.rule_set.id, asked.period, entries)
        audit.append(
            session,
            actor=who.actor,
            action="scorecard.peers",
            subject=f"{asked.rule_set.id} {row.code} {asked.period.first}..{asked.period.last}",
            unit_id=row.id,
            after={one.level.value: sorted(one.values) for one in found},
        )
    return found


def _snapshots(loaded: Loaded, row: UnitRow, bound: Mapping[str, Peers]) -> tuple[Snapshot, ...]:
    rule_set = loaded.asked.rule_set
    figures = scorecards.figures_of(loaded)
    whole = index.rolled_up(figures.units, figures.own)
    env = index.environments(rule_set, load_metrics(), figures, whole)
    found: list[Snapshot] = []
    for level in sorted(rule_set.levels):
        peers = [
            env[one.code]
            for one in loaded.units
            if one.level == level.value
            and one.id != row.id
            and index.is_assessed(one, rule_set, figures)
        ]
        values = {
            name: value
            for name, binding in bound.items()
            if (value := _aggregate(binding, peers)) is not None
        }
        if values:
            found.append(Snapshot(level, values))
    return tuple(found)


def _aggregate(binding: Peers, peers: Sequence[Environment]) -> dict[str, object] | None:
    pairs = [pair for env in peers if (pair := _pair(binding, env)) is not None]
    value = _value(binding.aggregate, pairs)
    if value is None:
        return None
    return {"value": plain(value), "units": len(pairs), "left_out": len(peers) - len(pairs)}


def _pair(binding: Peers, env: Environment) -> tuple[Fraction, Fraction] | None:
    try:
        over = Fraction(1) if binding.over is None else Fraction(binding.over.number(env))
        return Fraction(binding.of.number(env)), over
    except Unanswerable:
        return None


def _value(aggregate: Aggregate, pairs: Sequence[tuple[Fraction, Fraction]]) -> Fraction | None:
    values = sorted(value for value, _ in pairs)
    if not values:
        return None
    match aggregate:
        case Aggregate.MEAN:
            return sum(values, Fraction(0)) / len(values)
        case Aggregate.POOLED:
            over = sum((divisor for _, divisor in pairs), Fraction(0))
            return sum(values, Fraction(0)) / over if over else None
        case Aggregate.MEDIAN:
            middle = len(values) // 2
            return (values[middle] + values[-1 - middle]) / 2 if values else None
        case Aggregate.LOWEST:
            return values[0]
        case Aggregate.HIGHEST:
            return values[-1]
