"""The index: units scored by a rule set from the same figures that every other door shows.

A feed is a function of the rule set, the year, T and ``known_at``: asked again with the same ones
it is the same document, byte for byte, and its hash covers what was counted and how, not when it
was asked.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from app.domain.errors import Invalid
from app.domain.expression import Environment, Scalar
from app.domain.method import CaseRows, names
from app.domain.period import Period
from app.domain.rate import RateDefinition
from app.domain.rounding import plain
from app.domain.rule_set import Leaf, Level, Measure, Part, RuleSet
from app.domain.scoring import (
    LeafScore,
    Place,
    Scorecard,
    Standing,
    State,
    Subject,
    competition_ranks,
    ranked_value,
    score,
)
from app.domain.tally import Count, Tally
from app.domain.timeliness import Reading
from app.rulebook.metrics import Metrics
from app.store import units
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import reporting
from app.usecases.reporting import Question

Declared = Mapping[str, Environment]
"""Inputs that units gave themselves, by code of unit."""

DEFAULT_RULE_SET: Final = "progress.feed-1"
_NOTHING_DECLARED: Final[Declared] = {}
_LEVELS: Final = frozenset(level.value for level in Level)


@dataclass(eq=False, kw_only=True)
class YearToCome(Invalid):
    """The year has not begun at the moment asked for; what will be is not guessed."""

    code: ClassVar[str] = "index.year_to_come"
    year: int


@dataclass(eq=False, kw_only=True)
class MomentOutsideYear(Invalid):
    """``as_of`` lies before the year or after its end; figures of a year are taken within it."""

    code: ClassVar[str] = "index.moment_outside_year"
    as_of: datetime
    year: int


@dataclass(eq=False, kw_only=True)
class KnowledgeToCome(Invalid):
    """``known_at`` or ``since`` has not come yet, or ``since`` is later than ``known_at``."""

    code: ClassVar[str] = "index.knowledge_to_come"
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: a year, seen from T, with what was known at an instant."""

    year: int
    as_of: datetime
    known_at: datetime
    is_present: bool

    @property
    def period(self) -> Period:
        """Return the days of the year; T may lie before their end."""
        return year_of(self.year)


def year_of(year: int) -> Period:
    """Return the days of a year."""
    return Period(date(year, 1, 1), date(year, 12, 31))


def ask(
    year: int, *, now: datetime, as_of: datetime | None = None, known_at: datetime | None = None
) -> Asked:
    """Return the question with its defaults: known now, and T the end of the year or that moment.

    T follows ``known_at`` when it is not given, so that the same ``known_at`` gives the same
    figures on every later day.

    :raises KnowledgeToCome: ``known_at`` lies ahead.
    :raises YearToCome: the year has not begun by then.
    :raises MomentOutsideYear: ``as_of`` is no moment of the year, or lies ahead.
    """
    known = now if known_at is None else known_at
    if known > now:
        raise KnowledgeToCome(known_at=known)
    begins, ends = year_of(year).begins, year_of(year).ends
    if known <= begins:
        raise YearToCome(year=year)
    moment = min(ends, known) if as_of is None else as_of
    if not begins < moment <= min(ends, now):
        raise MomentOutsideYear(as_of=moment, year=year)
    return Asked(year, moment, known, known_at is None)


# ---------------------------------------------------------------- scoring many units


@dataclass(frozen=True, slots=True)
class Assessed:
    """A unit with its figures and its scorecard.

    ``value`` is what it is ranked by; ``place`` is None while it is not ranked.
    """

    unit: str
    name: str
    level: Level
    parent: str | None
    tally: Tally
    card: Scorecard
    value: Fraction | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The units asked about, and what each held and did by itself from ``first_day`` on.

    ``declared`` are inputs that people gave, which never hide what is counted; ``replaced`` are
    inputs that do, by a rule or a round. ``given`` are points that people gave to lines. ``above``
    are units outside that others inherit from; they are not assessed. What a unit copies of a
    level above on its own sheet holds while that level has not told it; what is ``counted`` is
    never copied.
    """

    units: Sequence[UnitRow]
    own: Mapping[str, Tally]
    first_day: date
    declared: Declared = field(default_factory=dict)
    replaced: Declared = field(default_factory=dict)
    cases: Mapping[str, CaseRows] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    above: Sequence[UnitRow] = ()
    counted: Collection[str] = ()


def figures(
    session: ReadSession,
    asked: Asked,
    *,
    lft: int,
    rgt: int,
    declared: Declared = _NOTHING_DECLARED,
) -> Figures:
    """Count the year for every unit of a subtree, each by itself."""
    within = units.subtree(session, lft, rgt)
    seen = {row.id for row in within}
    own: dict[str, Tally] = {}
    for root in within:
        if root.parent_id not in seen:
            question = Question(
                root,
                asked.period,
                as_of=asked.as_of,
                known_at=None if asked.is_present else asked.known_at,
            )
            own |= reporting.by_unit(session, question, now=asked.known_at)[1]
    return Figures(within, own, asked.period.first, declared)


def score_units(rule_set: RuleSet, metrics: Metrics, known: Figures) -> tuple[Assessed, ...]:
    """Score every unit of the levels that the rule set is for, with places among equals.

    The figures of a unit are those of its whole subtree: counts are added, then divided.
    """
    whole = rolled_up(known.units, known.own)
    env = environments(rule_set, metrics, known, whole)
    by_id = {row.id: row for row in (*known.above, *known.units)}
    assessed = [
        Assessed(
            unit=row.code,
            name=row.name,
            level=Level(row.level),
            parent=row.parent_code,
            tally=whole[row.code],
            card=score(rule_set, _subject(row, by_id, env, known)),
        )
        for row in sorted(known.units, key=lambda row: row.code)
        if is_assessed(row, rule_set, known)
    ]
    return _ranked(rule_set, assessed, env, {row.code for row in known.units})


def environments(
    rule_set: RuleSet, metrics: Metrics, known: Figures, whole: Mapping[str, Tally]
) -> dict[str, Environment]:
    """Return what is known of each unit: what it gave, what is counted, and what replaces it."""
    measures = _Measures(rule_set, metrics)
    nothing: Environment = {}
    env: dict[str, Environment] = {
        row.code: {
            **known.declared.get(row.code, nothing),
            **known.replaced.get(row.code, nothing),
        }
        for row in known.above
    }
    for row in known.units:
        env[row.code] = {
            **known.declared.get(row.code, nothing),
            **measures.of(whole[row.code]),
            **known.replaced.get(row.code, nothing),
        }
    return env


def is_assessed(row: UnitRow, rule_set: RuleSet, known: Figures) -> bool:
    """Tell whether a unit is scored: what ceased counts as its successor, unless not yet known."""
    closed = row.valid_to is not None and row.valid_to < known.first_day
    rolled_up = row.heir_id is not None and row.code not in known.own
    is_asked = row.level in _LEVELS and Level(row.level) in rule_set.levels
    return is_asked and not closed and not rolled_up and not row.is_bucket


def rolled_up(rows: Sequence[UnitRow], own: Mapping[str, Tally]) -> dict[str, Tally]:
    """Return the figures of each unit with all below it."""
    whole = {row.code: own.get(row.code, Tally()) for row in rows}
    by_id = {row.id: row for row in rows}
    for row in rows:
        mine = own.get(row.code)
        above = row.parent_id
        while mine is not None and above is not None and above in by_id:
            parent = by_id[above]
            whole[parent.code] += mine
            above = parent.parent_id
    return whole


def _subject(
    row: UnitRow,
    by_id: Mapping[int, UnitRow],
    env: Mapping[str, Environment],
    known: Figures,
) -> Subject:
    copied = {
        name: value
        for name, value in known.declared.get(row.code, {}).items()
        if name not in known.counted
    }
    above: dict[Level, Environment] = dict.fromkeys(Level, copied) if copied else {}
    parent_id = row.parent_id
    while parent_id is not None and parent_id in by_id:
        parent = by_id[parent_id]
        if parent.level in _LEVELS:
            above[Level(parent.level)] = {**copied, **env[parent.code]}
        parent_id = parent.parent_id
    return Subject(
        Level(row.level),
        env[row.code],
        rows=known.cases.get(row.code, {}),
        above=above,
        given=known.given.get(row.code, {}),
    )


class _Measures:
    """The inputs of a rule set that are counted, read from a tally."""

    def __init__(self, rule_set: RuleSet, metrics: Metrics) -> None:
        self._counts: dict[str, tuple[Count, ...]] = {}
        for name, binding in rule_set.inputs.items():
            if isinstance(binding, Measure):
                self._counts[name] = counts_of(binding, metrics)

    def of(self, tally: Tally) -> dict[str, Scalar]:
        return {name: tally.sum(counts) for name, counts in self._counts.items()}


def counts_of(measure: Measure, metrics: Metrics) -> tuple[Count, ...]:
    """Return the counts that add up to a measure.

    :raises UnknownDefinition: there is no such rate.
    """
    match measure.part:
        case Part.COUNT:
            return (Count(measure.definition.partition("@")[0]),)
        case Part.NUMERATOR:
            return metrics.get(measure.definition).numerator
        case Part.DENOMINATOR:
            return metrics.get(measure.definition).denominator


def _ranked(
    rule_set: RuleSet,
    assessed: Sequence[Assessed],
    env: Mapping[str, Environment],
    seen: Collection[str],
) -> tuple[Assessed, ...]:
    """Give places within level and parent, where the parent, and so every peer, is in sight."""
    values = {
        one.unit: value
        for one in assessed
        if _is_ranked(rule_set, one, env[one.unit])
        and (value := ranked_value(one.card, env[one.unit])) is not None
    }
    places = places_within(
        {
            one.unit: (one.level, one.parent, values[one.unit])
            for one in assessed
            if one.unit in values and one.parent in seen
        }
    )
    return tuple(
        replace(one, value=values.get(one.unit), place=places.get(one.unit)) for one in assessed
    )


def places_within(
    values: Mapping[str, tuple[Level, str | None, Fraction]],
) -> dict[str, Place]:
    """Return the place of each unit among those of the same level under the same parent."""
    groups: dict[tuple[Level, str | None], dict[str, Fraction]] = {}
    for unit, (level, parent, value) in values.items():
        groups.setdefault((level, parent), {})[unit] = value
    return {
        unit: place for group in groups.values() for unit, place in competition_ranks(group).items()
    }


def _is_ranked(rule_set: RuleSet, one: Assessed, env: Environment) -> bool:
    if rule_set.ranking is None or one.card.standing is not Standing.COMPLETE:
        return False
    for name, least in rule_set.ranking.hide_below.items():
        value = env.get(name)
        if value is None or isinstance(value, str) or value < least:
            return False
    return True


# ---------------------------------------------------------------- the feed


def document(
    rule_set: RuleSet,
    metrics: Metrics,
    asked: Asked,
    assessed: Iterable[Assessed],
    *,
    is_confirmed: bool,
    since: datetime | None = None,
    before: Mapping[str, str | None] | None = None,
) -> dict[str, object]:
    """Return the feed as plain JSON values, with its hash.

    ``since`` is the ``known_at`` of an earlier feed and ``before`` what that one printed as the
    sub-index of each unit; each unit then carries the difference.
    """
    shown = _Shown(rule_set, metrics, asked)
    entries = [shown.unit(one) for one in assessed]
    body: dict[str, object] = {
        "year": asked.year,
        "rule_set": rule_set.id,
        "generated_from": {
            "known_at": _told(asked.known_at),
            "as_of": _told(asked.as_of),
            "reading": Reading.PROMISED.value,
            "definitions": shown.definitions,
            "rule_set_digest": f"sha256:{rule_set.digest}",
            "provenance": rule_set.provenance.value,
            "confirmed": is_confirmed,
        },
        "units": entries,
    }
    body["hash"] = f"sha256:{content_hash(body)}"
    for entry in entries:
        earlier = (before or {}).get(str(entry["unit"]))
        entry["delta"] = None if since is None else _delta(since, entry, earlier)
    return body


VOLATILE: Final = frozenset({"known_at", "as_of"})
"""Parts of ``generated_from`` that say when the question was asked and not what was answered."""


def content_hash(body: Mapping[str, object]) -> str:
    """Return the SHA-256 of what a feed says, over its canonical JSON.

    When it was asked (``known_at``, ``as_of``, and the links that repeat them), the difference from
    another feed and the hash itself are left out: two nights without news have one hash.
    """
    origin = body["generated_from"]
    if not isinstance(origin, dict):
        raise TypeError("generated_from is a mapping")
    kept = {name: value for name, value in origin.items() if name not in VOLATILE}
    said = {
        "year": body["year"],
        "rule_set": body["rule_set"],
        "generated_from": kept,
        "units": _without_links(body["units"]),
    }
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_links(value: object) -> object:
    match value:
        case dict():
            left_out = {"evidence", "delta"}
            return {k: _without_links(v) for k, v in value.items() if k not in left_out}
        case list():
            return [_without_links(item) for item in value]
        case _:
            return value


def _told(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _delta(since: datetime, entry: Mapping[str, object], then: str | None) -> dict[str, object]:
    current = entry["sub_index"]
    points = None
    if then is not None and isinstance(current, str):
        points = plain(Fraction(current) - Fraction(then))
    return {"since": _told(since), "sub_index": then, "points": points}


class _Shown:
    """The scores of one rule set as JSON values."""

    def __init__(self, rule_set: RuleSet, metrics: Metrics, asked: Asked) -> None:
        self._rule_set = rule_set
        self._asked = asked
        self._of_leaf: dict[str, RateDefinition] = {}
        self._lists: dict[str, str] = {}
        for leaf in rule_set.leaves:
            found = self._measured(leaf, metrics)
            if found is not None:
                self._of_leaf[leaf.id] = found
                self._lists[leaf.id] = self._list_of(found)

    @property
    def definitions(self) -> list[str]:
        return sorted({definition.name for definition in self._of_leaf.values()})

    def _measured(self, leaf: Leaf, metrics: Metrics) -> RateDefinition | None:
        """Return the rate that a leaf is made of, when it reads exactly one."""
        bindings = [self._rule_set.inputs.get(name) for name in names(leaf.method)]
        rates = {
            binding.definition
            for binding in bindings
            if isinstance(binding, Measure) and binding.part is not Part.COUNT
        }
        return metrics.get(rates.pop()) if len(rates) == 1 else None

    def unit(self, one: Assessed) -> dict[str, object]:
        card = one.card
        place = one.place
        return {
            "unit": one.unit,
            "name": one.name,
            "level": one.level.value,
            "status": card.standing.value,
            "sub_index": card.printed,
            "max": plain(card.max),
            "class": card.label,
            "rank": None
            if place is None
            else {"place": place.place, "of": place.of, "tied": place.tied},
            "missing": list(card.missing),
            "criteria": [self._criterion(one, leaf) for leaf in card.leaves],
        }

    def _criterion(self, one: Assessed, leaf: LeafScore) -> dict[str, object]:
        definition = self._of_leaf.get(leaf.leaf.id)
        rate = None if definition is None else definition.of(one.tally)
        stage = leaf.leaf.stage or self._rule_set.numbers.leaf
        scored = leaf.state is State.SCORED
        return {
            "id": leaf.leaf.id,
            "title": {"vi": leaf.leaf.title.vi, "en": leaf.leaf.title.en},
            "state": leaf.state.value,
            "score": stage.text(leaf.points) if scored else None,
            "max": plain(leaf.leaf.max),
            "numerator": None if rate is None else rate.numerator,
            "denominator": None if rate is None else rate.denominator,
            "percent": None if rate is None else rate.percent,
            "definition": None if definition is None else definition.name,
            "branch": {"code": leaf.branch.code, "params": dict(leaf.branch.params)},
            "lost": stage.text(leaf.lost) if scored else None,
            "recover": [
                {
                    "reaches": recovery.reaches,
                    "more": plain(Fraction(recovery.more)),
                    "among_new": recovery.among_new,
                    "points": plain(recovery.points),
                }
                for recovery in leaf.recovery
            ],
            "warnings": list(leaf.warnings),
            "evidence": None if definition is None else self._evidence(one.unit, leaf.leaf.id),
        }

    def _evidence(self, unit: str, leaf_id: str) -> str:
        return f"/v1/dossiers?unit={quote(unit, safe='')}&{self._lists[leaf_id]}"

    def _list_of(self, definition: RateDefinition) -> str:
        """Return the list of dossiers that cost points, or, where no count has them, of all.

        The unit is left open, for the link is the same for every unit but for that.
        """
        above = set(definition.numerator)
        against = [count for count in definition.denominator if count not in above]
        asked = self._asked
        query = {
            "count": (against or list(definition.denominator))[0].value,
            "from": f"{asked.year}-01-01",
            "to": f"{asked.year}-12-31",
            "as_of": _told(asked.as_of),
            "known_at": _told(asked.known_at),
        }
        return urlencode(query)
