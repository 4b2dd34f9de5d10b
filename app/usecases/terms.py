"""What no sender tells, gathered for a batch: units behind words, procedures, calendars."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.calendar import WorkCalendar
from app.domain.dossier import History
from app.domain.procedure import Procedure
from app.domain.reading import Terms
from app.rulebook.calendars import load_state_calendar
from app.rulebook.intake import intake_rule_at
from app.store import mappings, procedures, units
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases.catalogue import ProcedureSpec

NOWHERE = ""
"""The word for the unit of a dossier of which only events were told so far."""


class Asker(Protocol):
    """Whose words these are: a key for a part of the unit tree."""

    @property
    def unit_id(self) -> int | None:
        """Return the root of the part, None for the whole installation."""

    @property
    def lft(self) -> int:
        """Return where the part begins."""

    @property
    def rgt(self) -> int:
        """Return where the part ends."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words for units and procedures that a batch and its history use."""

    units: frozenset[str]
    procedures: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownProcedure:
    """A procedure of the catalogue, with its number."""

    id: int
    procedure: Procedure


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the words of a batch mean; an unknown unit is the bucket of its sender."""

    units: Mapping[str, UnitRow]
    unit_ids: Mapping[str, int]
    by_id: Mapping[int, UnitRow]
    procedures: Mapping[str, KnownProcedure]
    calendars: Mapping[int, WorkCalendar]

    def terms(self, history: History, *, parent_known: bool) -> Terms:
        """Return the terms under which a history is read: those of the unit that holds it."""
        known = self.procedures.get(history.facts.get("procedure") or "")
        calendar = self.calendars[history.stays[-1].unit]
        handed_in = history.facts.get("submitted_at") or history.source_updated_at
        return Terms(
            calendar=calendar,
            procedure=None if known is None else known.procedure,
            intake_limit=intake_rule_at(calendar.local_date(handed_in)).limit,
            parent_known=parent_known,
        )


def lexicon(session: WriteSession, words: Words, *, by: Asker, now: datetime) -> Lexicon:
    """Look up all words of a batch at once.

    A word for a unit is first looked up among the mappings of its sender, then among the codes,
    former codes and exact names of the units of the sender's part of the tree. What is not
    certain is the bucket for unknown units, visible and never dropped.
    """
    mapped = mappings.targets(session, "unit", words.units, root=by.unit_id or 0)
    asked = frozenset(mapped.get(word, word) for word in words.units)
    numbers = units.resolve_many(session, asked, lft=by.lft, rgt=by.rgt)
    root = units.by_id(session, [by.unit_id]).get(by.unit_id) if by.unit_id else None
    bucket = units.bucket_of(session, root, now=now)
    rows = units.by_id(session, set(numbers.values())) | {bucket.id: bucket}
    found = {word: rows[numbers.get(mapped.get(word, word), bucket.id)] for word in words.units} | {
        NOWHERE: bucket
    }
    return Lexicon(
        units=found,
        unit_ids={word: row.id for word, row in found.items()},
        by_id=rows,
        procedures=_procedures(session, words.procedures, by=by),
        calendars=dict.fromkeys(rows, load_state_calendar()),
    )


def _procedures(
    session: WriteSession, told: frozenset[str], *, by: Asker
) -> dict[str, KnownProcedure]:
    mapped = mappings.targets(session, "procedure", told, root=by.unit_id or 0)
    rows = procedures.by_code(session, {mapped.get(word, word) for word in told})
    return {
        word: KnownProcedure(row.id, ProcedureSpec.from_plain(row.spec).procedure)
        for word in told
        if (row := rows.get(mapped.get(word, word))) is not None
    }
