"""Strict reading of the rulebook's files: every key known, every value of its kind.

An ``Entry`` is one mapping of a file and the place where it stands. Reading goes on after a fault,
so that one run names them all; ``refuse`` then stops with them.
"""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, TypeVar

from app.domain.errors import Invalid
from app.domain.expression import Expression, ExpressionRefused, Kind, constant, parse
from app.domain.lint import Finding, Severity
from app.domain.rounding import from_decimal

MAX_TEXT = 2_000

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(eq=False, kw_only=True)
class RulebookRefused(Invalid):
    """A file of the rulebook cannot be used: the first fault is named, ``findings`` has all."""

    code: ClassVar[str] = "rulebook.refused"
    file: str
    node: str
    fault: str
    count: int
    findings: tuple[Finding, ...]

    @property
    def params(self) -> dict[str, str]:
        """Return the placeholders of the sentence, which names the first fault."""
        named = {"file": self.file, "node": self.node, "fault": self.fault}
        return {**named, "count": str(self.count)}


def refuse(file: str, findings: Iterable[Finding]) -> None:
    """Stop if any finding is an error.

    :raises RulebookRefused: with every finding, errors first.
    """
    found = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors:
        raise RulebookRefused(
            file=file,
            node=errors[0].where,
            fault=errors[0].code,
            count=len(errors),
            findings=tuple(found),
        )


class Entry:
    """One mapping being read: what is asked for is taken, what is left over is a fault."""

    def __init__(self, raw: object, where: str, findings: list[Finding]) -> None:
        """Take a parsed mapping; anything else is a fault and reads as empty."""
        self.where = where
        self.findings = findings
        self._raw: dict[object, object] = raw if isinstance(raw, dict) else {}
        self._asked: set[object] = set()
        if not isinstance(raw, dict):
            self.fault("not_a_mapping")

    def fault(self, code: str, at: str | None = None, **params: str) -> None:
        """Note a fault of this entry or of one of its keys."""
        where = self.where if at is None else f"{self.where}/{at}".lstrip("/")
        self.findings.append(Finding(where, f"rulebook.{code}", params))

    def done(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._raw:
            if key not in self._asked:
                self.fault("unknown_key", key=str(key)[:60])

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self._raw

    def names(self) -> tuple[str, ...]:
        """Return every key, and take them all as known; for tables whose keys are names."""
        self._asked.update(self._raw)
        return tuple(str(key) for key in self._raw)

    def take(self, key: str) -> object:
        """Return the raw value of a key, None when it is absent."""
        self._asked.add(key)
        return self._raw.get(key)

    def need(self, key: str) -> object:
        """Return the raw value of a key, noting its absence."""
        if key not in self._raw:
            self._asked.add(key)
            self.fault("missing_key", key=key)
            return None
        return self.take(key)

    def entry(self, key: str) -> "Entry":
        """Return a mapping below; an absent one is a fault and reads as empty."""
        raw = self.need(key)
        at = f"{self.where}/{key}".lstrip("/")
        return Entry({}, at, []) if raw is None else Entry(raw, at, self.findings)

    def items(self, key: str) -> Sequence[object]:
        """Return a list, empty when the key is absent."""
        raw = self.take(key)
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self.fault("not_a_list", key)
            return ()
        return raw

    def entries(self, key: str) -> tuple["Entry", ...]:
        """Return a list of mappings; one that must not be empty is checked by the caller."""
        at = f"{self.where}/{key}".lstrip("/")
        return tuple(
            Entry(raw, f"{at}/{index}", self.findings) for index, raw in enumerate(self.items(key))
        )

    def text(self, key: str) -> str:
        """Return a text that must be there and say something."""
        return self._text(key, self.need(key)) or ""

    def text_or_none(self, key: str) -> str | None:
        """Return a text, or None when the key is absent."""
        return self._text(key, self.take(key))

    def _text(self, key: str, raw: object) -> str | None:
        if raw is None:
            return None
        if not isinstance(raw, str) or not raw.strip() or len(raw) > MAX_TEXT:
            self.fault("not_a_text", key)
            return None
        return raw.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty when the key is absent."""
        found: list[str] = []
        for index, raw in enumerate(self.items(key)):
            text = self._text(f"{key}/{index}", raw)
            found.extend([] if text is None else [text])
        return tuple(found)

    def number(self, key: str) -> Fraction:
        """Return an exact number that must be there."""
        found = self._number(key, self.need(key))
        return Fraction(0) if found is None else found

    def number_or_none(self, key: str) -> Fraction | None:
        """Return an exact number, or None when the key is absent."""
        return self._number(key, self.take(key))

    def _number(self, key: str, raw: object) -> Fraction | None:
        if raw is None:
            return None
        try:
            return exact(raw)
        except (TypeError, ValueError):
            self.fault("not_a_number", key)
            return None

    def whole(self, key: str) -> int:
        """Return a whole number that must be there and not be negative."""
        found = self.number(key)
        if found.denominator != 1 or found < 0:
            self.fault("not_a_whole_number", key)
            return 0
        return int(found)

    def day(self, key: str) -> date:
        """Return a day that must be there."""
        found = self._day(key, self.need(key))
        return date.min if found is None else found

    def day_or_none(self, key: str) -> date | None:
        """Return a day, or None when the key is absent."""
        return self._day(key, self.take(key))

    def _day(self, key: str, raw: object) -> date | None:
        if raw is None or type(raw) is date:
            return raw if isinstance(raw, date) else None
        try:
            if isinstance(raw, str) and len(raw) == len("2026-01-01"):
                return date.fromisoformat(raw)
        except ValueError:
            pass
        self.fault("not_a_day", key)
        return None

    def choice(self, key: str, kinds: type[Choice]) -> Choice:
        """Return one of a closed set of words, which must be there."""
        found = self._choice(key, self.need(key), kinds)
        return next(iter(kinds)) if found is None else found

    def choice_or_none(self, key: str, kinds: type[Choice]) -> Choice | None:
        """Return one of a closed set of words, or None when the key is absent."""
        return self._choice(key, self.take(key), kinds)

    def choices(self, key: str, kinds: type[Choice]) -> tuple[Choice, ...]:
        """Return several of a closed set of words."""
        found = (self._choice(f"{key}/{i}", raw, kinds) for i, raw in enumerate(self.items(key)))
        return tuple(kind for kind in found if kind is not None)

    def _choice(self, key: str, raw: object, kinds: type[Choice]) -> Choice | None:
        if raw is None:
            return None
        try:
            return kinds(str(raw))
        except ValueError:
            self.fault("not_a_choice", key, choices=", ".join(kind.value for kind in kinds))
            return None

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        raw = self.take(key)
        if raw is None:
            return default
        if raw in {"true", "false"}:
            return raw == "true"
        if not isinstance(raw, bool):
            self.fault("not_a_flag", key)
            return default
        return raw

    def expression(self, key: str, kind: Kind) -> Expression:
        """Return a parsed expression, which must be there."""
        raw = self.need(key)
        found = None if raw is None else self.parsed(key, raw, kind)
        return constant(0) if found is None else found

    def parsed(self, key: str, raw: object, kind: Kind) -> Expression | None:
        """Return an expression out of a raw value, noting why it is none."""
        text = self._text(key, raw)
        if text is None:
            return None
        try:
            return parse(text, kind)
        except ExpressionRefused as refused:
            where = f"{self.where}/{key}".lstrip("/")
            self.findings.append(Finding(where, refused.fault, refused.params))
            return None


def toml(text: str, *, parse_float: Callable[[str], object] = float) -> Entry:
    """Return a text in TOML as one entry; one that cannot be read is empty, with that as a fault.

    :param parse_float: what reads a number with a point; ``float`` makes it one that ``exact``
        refuses, so that only whole numbers are taken.
    """
    findings: list[Finding] = []
    raw: object = {}
    try:
        raw = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as fault:
        findings.append(Finding("", "rulebook.unreadable", {"detail": str(fault)}))
    return Entry(raw, "", findings)


def exact(raw: object) -> Fraction:
    """Return a number of a file exactly.

    :raises TypeError: a binary float, a truth, or no number at all.
    :raises ValueError: a text that is no plain decimal number.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal):
        raise TypeError("not an exact number")
    return from_decimal(str(raw))
