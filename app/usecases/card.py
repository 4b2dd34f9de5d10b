"""A score sheet as plain JSON: every line with its inputs, the way it went, and what it lost.

Nothing in it depends on a language; sentences are made from its codes at the doors. Its hash
covers what was scored and how, not when the question was asked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final
from urllib.parse import quote, urlencode

from app.domain.distance import thresholds
from app.domain.method import Method, Recovery, names
from app.domain.rounding import Stage, plain
from app.domain.rule_set import Leaf, Level, Measure, Part, Peers
from app.domain.scoring import (
    LeafScore,
    NodeScore,
    Place,
    PoolScore,
    State,
    lost_points,
    next_label,
)
from app.domain.sheet import Told
from app.domain.tally import Count
from app.domain.wanted import Origin, from_plain, to_plain, wanted
from app.rulebook.metrics import load_metrics
from app.store.units import UnitRow
from app.usecases.index import Assessed, counts_of
from app.usecases.scorecards import Asked, Loaded, snapshot_of, teller_of

Json = dict[str, object]

VOLATILE: Final = frozenset(
    ("known_at", "as_of", "links", "rank", "rounds", "record", "hash", "recorded_at", "actor")
)
"""Parts that say when the question was asked, by whom it was answered, or how peers stand."""


def document(
    found: Assessed, loaded: Loaded, row: UnitRow, *, is_confirmed: bool, round_: str | None = None
) -> Json:
    """Return the sheet of one unit, with its hash."""
    asked, card = loaded.asked, found.card
    shown = _Shown(loaded, row, found)
    rule_set = asked.rule_set
    printed = rule_set.numbers.printed
    above = next_label(card)
    closed = loaded.frozen_for(row)
    body: Json = {
        "rule_set": rule_set.id,
        "version": asked.version.number,
        "digest": f"sha256:{rule_set.digest}",
        "title": {"vi": rule_set.title.vi, "en": rule_set.title.en},
        "provenance": rule_set.provenance.value,
        "confirmed": is_confirmed,
        "unit": row.code,
        "name": row.name,
        "level": row.level,
        "parent": row.parent_code,
        "period": {
            "from": asked.period.first.isoformat(),
            "to": asked.period.last.isoformat(),
        },
        "round": round_,
        "as_of": told(asked.as_of),
        "known_at": told(asked.known_at),
        "closed_period": None if closed is None else str(closed.id),
        "status": card.standing.value,
        "total": card.printed,
        "max": plain(card.max),
        "class": card.label,
        "next_class": None
        if above is None
        else {"label": above.label, "points": plain(above.points)},
        "rank": rank_of(found.place),
        "ranked_by": None if found.value is None else plain(found.value),
        "missing": shown.missing(),
        "nodes": [shown.node(child) for child in card.root.children],
        "bonus": shown.pool(card.bonus),
        "penalty": shown.pool(card.penalty),
        "derived": [
            {
                "id": one.derived.id,
                "title": {"vi": one.derived.title.vi, "en": one.derived.title.en},
                "score": printed.text(one.points),
                "max": plain(one.derived.max),
                "class": one.label,
            }
            for one in card.derived
        ],
    }
    body["hash"] = f"sha256:{content_hash(body)}"
    return body


def content_hash(body: Mapping[str, object]) -> str:
    """Return the SHA-256 of what a sheet says, over its canonical JSON."""
    canonical = json.dumps(
        _lasting(body), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _lasting(value: object) -> object:
    match value:
        case dict():
            return {name: _lasting(one) for name, one in value.items() if name not in VOLATILE}
        case list():
            return [_lasting(one) for one in value]
        case _:
            return value


def fingerprint(body: Mapping[str, object]) -> str:
    """Return a digest of everything but the moment of asking, for an entity tag."""
    lasting = {name: one for name, one in body.items() if name not in {"known_at", "as_of"}}
    canonical = json.dumps(_linkless(lasting), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _linkless(value: object) -> object:
    match value:
        case dict():
            return {name: _linkless(one) for name, one in value.items() if name != "links"}
        case list():
            return [_linkless(one) for one in value]
        case _:
            return value


def told(instant: datetime) -> str:
    """Write an instant in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def rank_of(place: Place | None) -> Json | None:
    """Return a place as JSON."""
    if place is None:
        return None
    return {"place": place.place, "of": place.of, "tied": place.tied}


def name_of(method: Method) -> str:
    """Return the word by which a rule set names a method."""
    name = type(method).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def recoveries(leaf: LeafScore) -> list[Json]:
    """Return what would bring points back to a line, the nearest step first."""
    return [_recovery(one, leaf) for one in leaf.recovery]


def _recovery(one: Recovery, leaf: LeafScore) -> Json:
    more = Fraction(one.more)
    return {
        "reaches": one.reaches,
        "input": one.name,
        "more": plain(more),
        "dossiers": int(more) if more.denominator == 1 else None,
        "among_new": one.among_new,
        "points": plain(one.points),
        "gains": plain(max(Fraction(0), one.points - leaf.points)),
    }


class _Shown:
    """The lines of one sheet as JSON."""

    def __init__(self, loaded: Loaded, row: UnitRow, found: Assessed) -> None:
        self._loaded = loaded
        self._asked: Asked = loaded.asked
        self._row = row
        self._found = found
        self._sheet = loaded.sheet(row.code)
        self._metrics = load_metrics()
        self._wanted = loaded.wanted or wanted(loaded.asked.rule_set)
        self._above: dict[Level, UnitRow] = {}
        for one in loaded.lineage(row):
            if one.level in {level.value for level in Level}:
                self._above.setdefault(Level(one.level), one)

    def missing(self) -> list[Json]:
        found: list[Json] = []
        for name in self._found.card.missing:
            one = self._wanted.get(name)
            found.append(
                {
                    "input": name,
                    "source": "declared" if one is None else one.origin.value,
                    "leaves": [] if one is None else list(one.leaves),
                    "from": self._holder(name, one.leaves if one else ()).code,
                }
            )
        return found

    def _holder(self, name: str, leaves: Sequence[str]) -> UnitRow:
        """Return the unit that an input of lines is read from."""
        for leaf in self._asked.rule_set.leaves:
            if leaf.id in leaves and leaf.inherit is not None and name in names(leaf.method):
                return self._source(leaf)
        return self._row

    def _source(self, leaf: Leaf) -> UnitRow:
        if leaf.inherit is None or leaf.inherit.value == self._row.level:
            return self._row
        return self._above.get(leaf.inherit, self._row)

    # ------------------------------------------------------------ the tree

    def node(self, child: NodeScore | LeafScore) -> Json:
        if isinstance(child, LeafScore):
            return self.leaf(child)
        numbers = self._asked.rule_set.numbers
        stage = numbers.nodes or numbers.leaf
        return {
            "id": child.node.id,
            "title": {"vi": child.node.title.vi, "en": child.node.title.en},
            "score": stage.text(child.points),
            "max": plain(child.node.max),
            "of": plain(child.max),
            "children": [self.node(one) for one in child.children],
        }

    def pool(self, pool: PoolScore) -> Json:
        return {
            "score": plain(pool.points),
            "items": [self.leaf(one) for one in pool.items],
        }

    def leaf(self, score: LeafScore) -> Json:
        leaf = score.leaf
        stage = self._stage(leaf)
        is_scored = score.state is State.SCORED
        ways = recoveries(score)
        return {
            "id": leaf.id,
            "title": {"vi": leaf.title.vi, "en": leaf.title.en},
            "state": score.state.value,
            "score": stage.text(score.points) if is_scored else None,
            "max": plain(leaf.max),
            "of": plain(score.max),
            "method": name_of(score.method),
            "inputs": {name: self._input(name, score) for name in self._names(score)},
            "branch": score.branch.code,
            "params": dict(score.branch.params),
            "thresholds": [
                {
                    "kind": one.line.value,
                    "value": plain(one.value),
                    "reached": one.is_reached,
                    "margin": plain(Fraction(one.margin)),
                }
                for one in thresholds(score.method, score.facts)
            ]
            if is_scored
            else [],
            "lost": stage.text(score.lost) if is_scored else None,
            "recover": ways[0] if ways else None,
            "other_ways": ways[1:],
            "warnings": list(score.warnings),
            "note": leaf.note,
            "responsible": self._sheet.responsible.get(leaf.id, leaf.responsible),
            "evidence": list(self._sheet.evidence.get(leaf.id, ())),
            "evidence_wanted": list(leaf.evidence),
            "links": self._links(score),
        }

    def _stage(self, leaf: Leaf) -> Stage:
        return leaf.stage or self._asked.rule_set.numbers.leaf

    def _names(self, score: LeafScore) -> list[str]:
        bound = self._asked.rule_set.inputs
        return [name for name in names(score.method) if name in bound]

    # ------------------------------------------------------------ inputs

    def _input(self, name: str, score: LeafScore) -> Json:
        binding = self._asked.rule_set.inputs[name]
        holder = self._source(score.leaf)
        if not isinstance(binding, Measure) and name not in self._loaded.sheet(holder.code).inputs:
            holder = self._row  # copied on the unit's own sheet, or not told at all
        sheet = self._loaded.sheet(holder.code)
        said = sheet.inputs.get(name)
        known = name in score.facts.env or name in score.facts.rows
        value = score.facts.env.get(name)
        shown: Json = {
            "value": to_plain(value) if known else None,
            "known": known,
            "source": self._wanted[name].origin.value,
        }
        if holder.code != self._row.code:
            shown["from"] = holder.code
        if name in score.facts.rows:
            shown["cases"] = len(score.facts.rows[name])
        match binding:
            case Measure():
                shown |= self._measured(binding, said, holder, value)
            case Peers():
                shown |= self._frozen(name)
            case _:
                shown |= self._said(name, said)
        return shown

    def _measured(
        self, binding: Measure, said: Told | None, holder: UnitRow, value: object
    ) -> Json:
        shown: Json = {"definition": binding.definition, "part": binding.part.value}
        if holder.code == self._row.code:
            counts = counts_of(binding, self._metrics)
            tally = self._found.tally
            computed = tally.sum(counts)
            shown["counts"] = {count.value: tally[count] for count in counts}
            if value is not None and value != computed:
                shown["computed"] = str(computed)
                shown["source"] = (
                    Origin.DECLARED.value
                    if binding.yields and said is not None
                    else Origin.VERIFIED.value
                )
            if said is not None:
                shown |= self._beside(said, computed)
        return shown

    def _beside(self, said: Told, computed: int) -> Json:
        """Return a declared value that stands beside a computed one, with the difference."""
        declared = from_plain(said.value)
        shown: Json = {"declared": said.value, "note": said.note}
        if isinstance(declared, int | Fraction):
            shown["difference"] = plain(Fraction(declared) - computed)
        return shown

    def _frozen(self, name: str) -> Json:
        frozen = snapshot_of(self._loaded, self._row, name)
        if frozen is None:
            return {}
        return {"from": frozen.unit, "peers": frozen.peers, "left_out": frozen.left_out}

    def _said(self, name: str, said: Told | None) -> Json:
        shown: Json = {}
        if said is None:
            teller = teller_of(self._loaded, self._row, name)
            is_peer = self._wanted[name].origin is Origin.PEER
            if teller is None or not is_peer:
                return shown
            shown["from"] = teller
            said = self._loaded.sheet(teller).inputs[name]
        shown |= {
            "source": said.source,
            "note": said.note,
            "author": said.author,
            "actor": said.actor,
            "recorded_at": told(said.recorded_at),
        }
        return shown

    # ------------------------------------------------------------ links

    def _links(self, score: LeafScore) -> list[Json]:
        """Return the lists of dossiers behind a line: what cost points first, then all counted."""
        if self._source(score.leaf).code != self._row.code:
            return []
        above: list[Count] = []
        whole: list[Count] = []
        for name in self._names(score):
            binding = self._asked.rule_set.inputs[name]
            if isinstance(binding, Measure):
                counts = counts_of(binding, self._metrics)
                (above if binding.part is Part.NUMERATOR else whole).extend(counts)
        against = [count for count in whole if count not in above]
        # a count that holds the numerator within it cannot tell apart what cost points
        rel = "lost" if len(against) < len(whole) else "whole"
        links = [self._link(rel, count) for count in dict.fromkeys(against)]
        return links + [self._link("counted", count) for count in dict.fromkeys(above)]

    def _link(self, rel: str, count: Count) -> Json:
        asked = self._asked
        query = {
            "unit": self._row.code,
            "count": count.value,
            "from": asked.period.first.isoformat(),
            "to": asked.period.last.isoformat(),
            "as_of": told(asked.as_of),
            "known_at": told(asked.known_at),
        }
        return {
            "rel": rel,
            "count": count.value,
            "dossiers": self._found.tally[count],
            "href": f"/v1/dossiers?{urlencode(query, quote_via=quote)}",
        }


# ---------------------------------------------------------------- lost points


def lost_of(found: Assessed, loaded: Loaded, row: UnitRow) -> list[Json]:
    """Return the lines of a sheet that lost points, the greatest loss first."""
    sheet = loaded.sheet(row.code)
    stages = loaded.asked.rule_set.numbers
    lines: list[Json] = []
    for score in lost_points(found.card):
        leaf = score.leaf
        ways = recoveries(score)
        stage = leaf.stage or stages.leaf
        lines.append(
            {
                "unit": row.code,
                "leaf": leaf.id,
                "title": {"vi": leaf.title.vi, "en": leaf.title.en},
                "lost": stage.text(score.lost),
                "score": stage.text(score.points),
                "max": plain(leaf.max),
                "responsible": sheet.responsible.get(leaf.id, leaf.responsible),
                "branch": score.branch.code,
                "params": dict(score.branch.params),
                "recover": ways[0] if ways else None,
                "other_ways": ways[1:],
            }
        )
    return lines
