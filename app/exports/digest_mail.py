"""The words of the mails: the digest of a unit and level, and the mail that asks an address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from app.domain.digest import Digest, is_overdue, offset_of
from app.exports.mail_body import (
    Block,
    Heading,
    Items,
    Link,
    Paragraph,
    Table,
    html_of,
    text_of,
)
from app.i18n import ZONE, Language, format_day, format_instant, format_number, phrase

MOST_UNITS: Final = 30


@dataclass(frozen=True, slots=True)
class Written:
    """A mail in words."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of one language, links of one installation."""

    language: Language
    url: str

    def say(self, code: str, **params: object) -> str:
        return phrase(self.language, f"mail.{code}", params)

    def number(self, number: int) -> str:
        return format_number(self.language, number)

    def stage(self, stage: str) -> str:
        days = offset_of(stage)
        if is_overdue(stage):
            return self.say("stage.overdue", days=days)
        return self.say("stage.due_soon", days=-days) if days else self.say("stage.due")

    def dossier(self, code: str, source: str) -> str:
        return f"{self.url}/dossiers/{quote(code, safe='')}?{urlencode({'source': source})}"


def digest(told: Digest, *, language: Language, public_url: str, leave_url: str) -> Written:
    """Write a digest."""
    words = _Words(language, public_url)
    blocks: list[Block] = [
        Paragraph(words.say("greeting", unit=told.unit_name)),
        Paragraph(
            words.say(
                "about",
                level=words.say(f"level.{told.level.value}"),
                as_of=format_instant(language, told.as_of),
            )
        ),
    ]
    if told.numbers:
        blocks += _numbers(told, words)
    if told.dropped:
        items = [
            words.say(f"dropped.{reason.value}", number=words.number(number))
            for reason, number in told.dropped.items()
        ]
        blocks += [Heading(words.say("dropped")), Items(tuple(items))]
    if told.silent:
        items = [
            words.say(
                "silent.source",
                source=one.source,
                day=format_day(language, one.last_heard_on),
            )
            for one in told.silent
        ]
        blocks += [Heading(words.say("silent")), Items(tuple(items))]
    blocks += [
        Paragraph(words.say("footer")),
        Link(words.say("leave"), leave_url),
    ]
    return _written(_subject(told, words), blocks, language)


def _subject(told: Digest, words: _Words) -> str:
    parts = []
    if told.overdue:
        parts.append(words.say("subject.overdue", number=words.number(told.overdue)))
    if told.due_soon:
        parts.append(words.say("subject.due_soon", number=words.number(told.due_soon)))
    if told.silent:
        parts.append(words.say("subject.silent", number=words.number(len(told.silent))))
    return words.say("subject", unit=told.unit, parts=", ".join(parts))


def _numbers(told: Digest, words: _Words) -> list[Block]:
    stages = [
        words.say("stage", stage=words.stage(stage), number=words.number(number))
        for stage, number in told.by_stage().items()
    ]
    blocks: list[Block] = [Heading(words.say("numbers")), Items(tuple(stages))]
    units = told.by_unit()
    if len(units) > 1:
        named = list(units.items())[:MOST_UNITS]
        items = [f"{unit}: {words.number(number)}" for unit, number in named]
        rest = len(units) - len(named)
        if rest:
            items.append(words.say("units.more", number=words.number(rest)))
        blocks += [Heading(words.say("units")), Items(tuple(items))]
    total = told.overdue + told.due_soon
    titles = ("code", "unit", "procedure", "due_on", "late")
    rows = [
        (
            (
                line.code,
                line.unit,
                line.procedure or "",
                format_day(words.language, line.due_on),
                _late(line.stage, line.late_working_days, words),
            ),
            words.dossier(line.code, line.source),
        )
        for line in told.lines
    ]
    blocks += [
        Heading(words.say("list")),
        Table(tuple(words.say(f"list.{title}") for title in titles), tuple(rows)),
    ]
    if total > len(told.lines):
        unnamed = words.number(total - len(told.lines))
        blocks.append(Paragraph(words.say("list.more", number=unnamed)))
    blocks.append(Link(words.say("list.all"), _all(told, words)))
    return blocks


def _late(stage: str, days: int | None, words: _Words) -> str:
    if not is_overdue(stage) or days is None:
        return words.stage(stage)
    return words.say("late", days=days)


def _all(told: Digest, words: _Words) -> str:
    day = told.as_of.astimezone(ZONE).date()
    count = "open_overdue" if told.overdue else "open_in_time"
    asked = {"unit": told.unit, "from": f"{day:%Y-01-01}", "to": f"{day}", "count": count}
    return f"{words.url}/dossiers?{urlencode(asked)}"


def confirmation(
    *, unit_name: str, topics: Sequence[str], language: Language, confirm_url: str
) -> Written:
    """Write the mail that asks an address whether digests may come."""
    words = _Words(language, "")
    blocks: list[Block] = [
        Paragraph(words.say("greeting", unit=unit_name)),
        Paragraph(words.say("confirm.about", unit=unit_name)),
        Items(tuple(words.say(f"topic.{topic}") for topic in topics)),
        Link(words.say("confirm.link"), confirm_url),
        Paragraph(words.say("confirm.otherwise")),
    ]
    return _written(words.say("confirm.subject"), blocks, language)


def _written(subject: str, blocks: Sequence[Block], language: Language) -> Written:
    return Written(subject, text_of(blocks), html_of(blocks, language=language, title=subject))
