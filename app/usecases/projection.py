"""The rows that a dossier gives, once everything that was told of it has been read.

There is one row for each unit at which it stayed, and one for each other reading that differs from
the promised one. ``Folded`` makes them for whatever was told; ``plain`` takes the shortest way for
a dossier that was told by records of dates alone and shares no number, which is most of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.domain import plain_reading, quality
from app.domain.deadline import Due
from app.domain.dossier import History, Issue
from app.domain.edges import Edge
from app.domain.pauses import Pause, PauseKind
from app.domain.plain_reading import OtherLine
from app.domain.reading import Clocked
from app.domain.record import ApplicantType, Channel, Message
from app.domain.sameness import Key, Kinship
from app.domain.timeliness import FINISHES, Reading
from app.domain.values import immutable
from app.rulebook.intake import intake_limit_at
from app.store.dossiers import Standing
from app.usecases.terms import NOWHERE, KnownProcedure, Lexicon

Row = dict[str, Any]
"""The columns of one row by name, without what goes without saying: see ``dossiers.put``."""


@immutable
class Projected:
    """What a batch keeps of a dossier that was folded: ``line`` are its numbers, newest first."""

    holder: int
    line: tuple[Key, ...]
    standing: Standing
    rows: list[Row]
    readings: list[Row]


@immutable
class Folded:
    """What follows from all messages of one dossier, ready to be stored."""

    key: Key
    home_unit_id: int
    history: History
    clocked: Clocked
    edges: Mapping[Reading, tuple[Edge, ...]]
    found: frozenset[Issue]

    kinship: Kinship
    counts: bool

    @property
    def holder(self) -> int:
        """Return the unit that holds the dossier after all that was told."""
        return self.history.stays[-1].unit

    def rows(self, lexicon: Lexicon, *, version: int, now: datetime) -> list[Row]:
        """Return one row for each unit at which the dossier stayed; what is null is left out."""
        common = self._common(lexicon, version=version, now=now)
        is_newest = self.key == self.kinship.line[0]
        holder = self.holder
        found: list[Row] = []
        for unit, edges in self._by_unit(_PROMISED).items():
            is_here = unit == holder and is_newest
            row = common if not found else common.copy()
            _put_edges(row, edges, self.clocked)
            row["unit_id"] = unit
            row["unit_lft"] = lexicon.by_id[unit].lft
            row["is_current"] = is_here
            row["is_open"] = is_here and bool(edges) and edges[-1].state.in_hand
            found.append(row)
        return found

    def projected(self, lexicon: Lexicon, *, version: int, now: datetime) -> Projected:
        """Return what is written of the dossier, and forget the rest."""
        return Projected(
            self.holder,
            self.kinship.line,
            self.standing,
            self.rows(lexicon, version=version, now=now),
            self.readings(),
        )

    def readings(self) -> list[Row]:
        """Return the other readings where they differ from the promised one."""
        clocked = self.clocked
        courses = clocked.courses
        course = courses[_PROMISED]
        promised: Mapping[int, Sequence[Edge]] = {}
        found: list[Row] = []
        for reading in _OTHERS:
            if courses[reading] is course:
                continue
            due, held = clocked.due(reading), clocked.due(_PROMISED)
            is_due_alike = due is held or due == held
            promised = promised or self._by_unit(_PROMISED)
            for unit, edges in self._by_unit(reading).items():
                if is_due_alike and edges == promised.get(unit):
                    continue
                row: Row = {
                    "unit_id": unit,
                    "source_id": self.key[0],
                    "code": self.key[1],
                    "reading": reading,
                }
                _put_due(row, due)
                _put_edges(row, edges, clocked)
                found.append(row)
        return found

    def _by_unit(self, reading: Reading) -> dict[int, Sequence[Edge]]:
        line, stays = self.edges[reading], self.history.stays
        if len(stays) == 1:
            return {stays[0].unit: line}
        found: dict[int, list[Edge]] = {stay.unit: [] for stay in stays}
        for edge in line:
            found[edge.unit].append(edge)
        return {unit: tuple(edges) for unit, edges in found.items()}

    @property
    def same_as(self) -> tuple[tuple[int, str, str], ...]:
        """Return the other dossiers that are this one, or may be, and how."""
        if self.kinship.is_alone:
            return ()
        return tuple(
            (*other, relation.value) for other, relation in self.kinship.relations(self.key)
        )

    @property
    def standing(self) -> Standing:
        """Return whether the dossier is in the figures, and what is the same."""
        return Standing(self.counts and not self.clocked.is_leg, self.same_as)

    def _other_codes(self) -> list[str]:
        named = set(self.history.facts.get("other_codes") or ())
        if not named and self.kinship.is_alone:
            return []
        return sorted(named.union(code for _, code in self.kinship.line) - {self.key[1]})

    def _kindred(self) -> set[Issue]:
        found = set()
        if len(self.kinship.lines) > 1:
            found.add(Issue.SAME_FROM_TWO_SOURCES)
        if len(self.kinship.line) > 1:
            found.add(Issue.RENUMBERED)
        if self.kinship.unclear:
            found.add(Issue.NUMBER_UNCLEAR)
        return found

    def _issues(self, lexicon: Lexicon) -> list[str]:
        """Return everything that is worth a look, in order."""
        issues = set(self.clocked.issues | self.found)
        issues.update(_of_words(self.history, lexicon))
        if not self.kinship.is_alone:
            issues |= self._kindred()
        return sorted(issues)

    def _common(self, lexicon: Lexicon, *, version: int, now: datetime) -> Row:
        history, clocked = self.history, self.clocked
        limit = clocked.limit
        row = _told_row(self.key, history, lexicon.procedure_of(history), now=now)
        row |= {
            "home_unit_id": self.home_unit_id,
            "version": version,
            "is_leg": clocked.is_leg,
            "is_counted": self.counts and not clocked.is_leg,
            "same_as": self.same_as,
            "other_codes": self._other_codes(),
            "clock_start_at": clocked.start,
            "limit_kind": None if limit is None else limit.kind,
            "due_origin": clocked.due_origin,
            "issues": self._issues(lexicon),
            "overlong_at": quality.overlong_at(clocked) if clocked.pauses else None,
            "supplement_at": _supplements(clocked.pauses) if clocked.pauses else (),
        }
        due = clocked.due(_PROMISED)
        row["is_provisional"] = due is not None and due.provisional
        _put_due(row, due)
        return row


def _supplements(pauses: Iterable[Pause]) -> list[datetime]:
    return sorted([one.started_at for one in pauses if one.kind is PauseKind.SUPPLEMENT])


_PROMISED: Final = Reading.PROMISED
_OTHERS: Final = (Reading.EXTENDED, Reading.AS_SENT, Reading.STATUTORY)
_UNKNOWN_CHANNEL: Final = Channel.UNKNOWN
_AS_TOLD = frozenset(
    {
        *("case", "applicant_hash", "parent", "leg", "official", "status", "outcome"),
        *("submitted_at", "received_at", "finished_at", "ended_at", "returned_at"),
        *("return_method", "paid_online", "digitised", "contacts", "bodies_contacted"),
        "founded_complaints",
    }
)
"""Facts that stand in the row as they were told last."""


def edges_of(clocked: Clocked) -> dict[Reading, tuple[Edge, ...]]:
    """Return the edges of every reading; those that stand as the promise are counted as it."""
    courses = clocked.courses
    promised = courses[_PROMISED]
    line = clocked.edges(_PROMISED)
    found = dict.fromkeys(courses, line)
    for reading in _OTHERS:
        if courses[reading] is not promised:
            found[reading] = clocked.edges(reading)
    return found


def _told_row(key: Key, history: History, known: KnownProcedure | None, *, now: datetime) -> Row:
    """Return the columns that follow from what was told, before any law."""
    facts = history.facts
    row: Row = {name: told for name, told in facts.items() if told is not None and name in _AS_TOLD}
    row["source_id"], row["code"] = key
    if history.first_recorded_at != now:
        row["first_recorded_at"] = history.first_recorded_at
    row["source_updated_at"] = history.source_updated_at
    row["procedure_told"] = facts.get("procedure")
    row["unit_told"] = facts.get("unit")
    row["channel"] = facts.get("channel") or _UNKNOWN_CHANNEL
    row["applicant_type"] = facts.get("applicant_type") or _UNKNOWN_APPLICANT
    if facts.get("place_independent"):
        row["place_independent"] = True
    if history.apology_exempt:
        row["apology_exempt"] = True
    if history.apology_at is not None:
        row["apology_at"] = history.apology_at
    if known is not None:
        row["procedure_id"] = known.id
        if known.online_level is not None:
            row["online_level"] = known.online_level
    return row


def _put_due(row: Row, due: Due | None) -> None:
    if due is not None:
        row["due_on"] = due.due_on
        row["due_at"] = due.due_at
        row["early_before"] = due.early_before
        row["on_time_until"] = due.on_time_until


_FINISHED = frozenset(FINISHES.values())


def _put_edges(row: Row, edges: Sequence[Edge], clocked: Clocked) -> None:
    flows = [edge.flow for edge in edges]
    days: list[int | None] = []
    if not _FINISHED.isdisjoint(flows):
        days = [clocked.days_taken(edge) if edge.flow in _FINISHED else None for edge in edges]
    if any(one is not None for one in days):
        row["edge_days"] = days
    row["edge_at"] = [edge.at for edge in edges]
    row["edge_state"] = [int(edge.state) for edge in edges]
    row["edge_flow"] = [int(flow) for flow in flows]
    row["edge_due"] = [edge.due_on for edge in edges]


def _of_words(history: History, lexicon: Lexicon) -> list[Issue]:
    """Return what is worth a look in the words that were used for a dossier."""
    found = []
    if lexicon.by_id[history.stays[-1].unit].is_bucket:
        found.append(Issue.UNKNOWN_UNIT)
    told = (history.root, history.facts.get("unit", NOWHERE))
    if lexicon.by_name and told in lexicon.by_name:
        found.append(Issue.UNIT_BY_NAME)
    return found


# ---------------------------------------------------------------- the shortest way


def plain(
    key: Key,
    messages: Sequence[Message],
    history: History,
    lexicon: Lexicon,
    *,
    home: int,
    version: int,
    now: datetime,
) -> Projected | None:
    """Return what ``Folded`` gives of a dossier that shares no number; None if it is not plain."""
    unit = history.stays[-1].unit
    known = lexicon.procedure_of(history)
    moment = history.rules_known_at
    found = plain_reading.read(
        key[1],
        messages,
        history,
        calendar=lexicon.calendars.at(unit, moment),
        procedure=None if known is None else known.at(moment),
        intake_limit=intake_limit_at,
    )
    if found is None:
        return None
    row = _told_row(key, history, known, now=now)
    due = found.due
    row["version"] = version
    if home != unit:
        row["home_unit_id"] = home
    if found.supplement_at:
        row["supplement_at"] = found.supplement_at
    row["clock_start_at"] = found.start
    row["limit_kind"] = found.limit_kind
    row["due_origin"] = found.due_origin
    if issues := [*found.issues, *_of_words(history, lexicon)]:
        row["issues"] = sorted(issues)
    if due is not None and due.provisional:
        row["is_provisional"] = True
    row["unit_id"] = unit
    row["unit_lft"] = lexicon.by_id[unit].lft
    row["is_open"] = found.is_open
    _put_due(row, due)
    row |= found.line
    readings = [_other_reading(key, unit, other) for other in found.others] if found.others else []
    return Projected(unit, (key,), _ALONE, [row], readings)


def _other_reading(key: Key, unit: int, other: OtherLine) -> Row:
    reading, due, line = other
    row: Row = {"unit_id": unit, "source_id": key[0], "code": key[1], "reading": reading, **line}
    _put_due(row, due)
    return row


_ALONE: Final = Standing(is_counted=True, same_as=())
_UNKNOWN_APPLICANT: Final = ApplicantType.UNKNOWN
