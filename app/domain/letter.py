"""Letters of apology (văn bản xin lỗi và gia hạn), read from what was told of a dossier.

A letter is a message of the record, an extension with a new date or an apology without one, so no
register can say otherwise than the dossier. Each letter is listed once, however often it is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from app.domain.dossier import ZONE, in_order
from app.domain.record import ExtensionTold, Message, MessageKind

FORM_04_SINCE = date(2025, 7, 1)
"""Dossiers received from this day on have the letter of TT 03/2025/TT-VPCP, Phụ lục I, form 04."""


class LetterState(StrEnum):
    """Whether a late dossier has its letter (tình trạng thư xin lỗi)."""

    OWED = "owed"
    ISSUED = "issued"
    EXEMPT = "exempt"


class Timing(StrEnum):
    """When a letter was issued, against the due date of the promise."""

    BEFORE_DUE_DAY = "before_due_day"
    ON_DUE_DAY = "on_due_day"
    AFTER_DUE = "after_due"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, or one exemption from it; ``sequence`` counts the letters with a new date."""

    issued_at: datetime
    new_due_at: datetime | None
    document: str | None
    reason: str | None
    is_exemption: bool = False
    sequence: int | None = None

    @property
    def is_second_extension(self) -> bool:
        """Tell whether a new date had been given before."""
        return self.sequence is not None and self.sequence > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFacts:
    """What is known for the letter of one dossier; what is None is left to be filled in."""

    code: str
    unit: str
    parent: str | None
    procedure: str
    received_on: date | None
    due_at: datetime | None
    finished_on: date | None
    is_late: bool
    reason: str | None
    document: str | None
    issued_on: date | None
    new_due_on: date | None


def letters_of(messages: Iterable[Message]) -> tuple[Letter, ...]:
    """Return the letters of a dossier in the order in which they were issued."""
    found: list[Letter] = []
    for message in in_order(messages):
        told, extension = message.told, message.told.get("extension")
        document, reason = told.get("document"), told.get("reason")
        due_at = told.get("due_at")
        match message.kind:
            case MessageKind.RECORD if isinstance(extension, ExtensionTold):
                _take(
                    found,
                    Letter(extension.issued_at, extension.new_due_at, extension.document, None),
                )
            case MessageKind.EXTENSION if due_at is not None:
                _take(found, Letter(message.at, due_at, document, reason))
            case MessageKind.APOLOGY:
                exempt = bool(told.get("exempt"))
                _take(found, Letter(message.at, None, document, reason, is_exemption=exempt))
            case _:
                pass
    found.sort(key=lambda letter: letter.issued_at)
    return tuple(_numbered(found))


def _take(found: list[Letter], letter: Letter) -> None:
    """Add a letter, or add what is told later of one that is known."""
    for index, known in enumerate(found):
        if _same(known, letter):
            found[index] = replace(
                known,
                document=letter.document or known.document,
                reason=letter.reason or known.reason,
            )
            return
    found.append(letter)


def _same(one: Letter, other: Letter) -> bool:
    return (one.issued_at, one.new_due_at, one.is_exemption) == (
        other.issued_at,
        other.new_due_at,
        other.is_exemption,
    )


def _numbered(letters: Iterable[Letter]) -> Iterable[Letter]:
    number = 0
    for letter in letters:
        if letter.new_due_at is None:
            yield letter
        else:
            number += 1
            yield replace(letter, sequence=number)


def timing_of(issued_at: datetime, *, due_on: date | None, on_time_until: datetime) -> Timing:
    """Tell when a letter was issued against the promise that the dossier has now."""
    if issued_at > on_time_until:
        return Timing.AFTER_DUE
    day = issued_at.astimezone(ZONE).date()
    return Timing.ON_DUE_DAY if due_on is not None and day >= due_on else Timing.BEFORE_DUE_DAY
