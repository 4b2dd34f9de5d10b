"""The letter of apology in words, always Vietnamese, and as a PDF to print and sign.

HTML and PDF are made from the same words. The applicant's name is left to be filled in by hand:
the service does not know it.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Final

import typst

from app.domain.letter import FORM_04_SINCE, LetterFacts
from app.i18n import Language, format_instant, phrase

DOTS: Final = "…" * 24
SHORT_DOTS: Final = "………"
EPOCH: Final = datetime(2025, 7, 1, tzinfo=UTC)
"""Stands as the making of every PDF, so that the same letter is the same file."""


@dataclass(frozen=True, slots=True)
class LetterWords:
    """A letter in words, in the order of an administrative document."""

    title: str
    form: str
    parent: str
    unit: str
    number: str
    state: str
    motto: str
    place_and_day: str
    to: str
    paragraphs: tuple[str, ...]
    receivers: tuple[str, ...]
    signer: str
    signer_note: str


def written(facts: LetterFacts) -> LetterWords:
    """Write a letter."""
    is_form_04 = facts.received_on is None or facts.received_on >= FORM_04_SINCE
    finished = facts.finished_on is not None
    body = [
        _say(
            "received",
            unit=facts.unit,
            code=facts.code,
            procedure=facts.procedure or DOTS,
            day=_day(facts.received_on),
        ),
        _say(
            "promised",
            due=DOTS if facts.due_at is None else format_instant(Language.VI, facts.due_at),
        ),
        _state(facts),
        _say("reason", reason=facts.reason or DOTS),
        _say("sorry_finished" if finished else "sorry", unit=facts.unit),
    ]
    if not finished:
        body.append(_say("new_date", day=_day(facts.new_due_on)))
    body.append(_say("closing"))
    return LetterWords(
        title=_say("title" if is_form_04 else "title_before"),
        form=_say("form") if is_form_04 else "",
        parent=(facts.parent or "").upper(),
        unit=facts.unit.upper(),
        number=_say("number", number=facts.document or SHORT_DOTS),
        state=_say("state"),
        motto=_say("motto"),
        place_and_day=_say("place_and_day", place=SHORT_DOTS, day=_day(facts.issued_on)),
        to=_say("to", name=DOTS),
        paragraphs=tuple(body),
        receivers=tuple(_say(f"receivers.{n}") for n in range(4)),
        signer=_say("signer"),
        signer_note=_say("signer_note"),
    )


def _state(facts: LetterFacts) -> str:
    if facts.finished_on is not None:
        return _say("finished", day=_day(facts.finished_on))
    return _say("not_yet" if facts.is_late else "will_not", unit=facts.unit)


def _day(day: date | None) -> str:
    """Write a day in full, as documents do: two figures for the days below 10, months below 3."""
    if day is None:
        return _say("day", day=SHORT_DOTS, month=SHORT_DOTS, year=SHORT_DOTS)
    month = f"{day.month:02}" if day.month < 3 else str(day.month)
    return _say("day", day=f"{day.day:02}", month=month, year=str(day.year))


def _say(key: str, /, **params: object) -> str:
    return phrase(Language.VI, f"letter.{key}", params)


def pdf(words: LetterWords) -> bytes:
    """Return a letter as a PDF with its fonts inside; the same words give the same bytes."""
    source = files("app.exports").joinpath("letter.typ").read_bytes()
    made = typst.compile(
        source,
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"letter": json.dumps(asdict(words), ensure_ascii=False)},
        timestamp=int(EPOCH.timestamp()),
    )
    if not isinstance(made, bytes):
        raise TypeError("a letter is one document")
    return made
