"""One spelling for what was told, so that the same message always has the same digest.

The canonical text is JSON: keys in order, no spaces, instants in UTC with a trailing ``Z``,
absent facts left out, null facts written as ``null``. It is what the store keeps, and reading it
back gives the same facts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from json.encoder import encode_basestring as quote
from typing import Final, TypeAlias

from app.domain.record import (
    ApplicantType,
    Channel,
    ExtensionTold,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
    Told,
)

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | bool | None"
"""A value as JSON knows it, without fractions."""


def told_of(facts: dict[str, object]) -> Told:
    """Return checked facts as ``Told``; the caller vouches for names and types."""
    return facts  # type: ignore[return-value]  # built from a table of names and checkers


def text_of(told: Told) -> str:
    """Write what was told as canonical JSON text."""
    return _write_facts(told)


def digest(kind: MessageKind, told: Told, *, at: datetime | None = None) -> str:
    """Return the SHA-256 of a message in lower-case hex.

    Give ``at`` for an event, whose moment is part of what it says; leave it out for a record,
    whose stamp stands beside the digest in the order of news, so that the same content sent again
    with or without another stamp has the same digest.
    """
    return digest_of(kind, _write_facts(told).encode(), at=at)


def digest_of(kind: MessageKind, text: bytes, *, at: datetime | None = None) -> str:
    """Return the digest of a message whose facts are already written canonically."""
    moment = b"" if at is None else _instant_text(at).encode()
    return sha256(_OPENINGS[kind] + moment + b"|" + text).hexdigest()


_OPENINGS: Final = {kind: f"{kind.value}|".encode() for kind in MessageKind}


def to_plain(told: Told) -> dict[str, Plain]:
    """Return what was told as plain JSON values, for a JSON column."""
    return {name: _plain(value) for name, value in told.items()}


def from_plain(plain: Mapping[str, object]) -> Told:
    """Read back what ``to_plain`` or ``text_of`` wrote.

    :raises ValueError: a name that is no fact, or a value that does not fit its fact.
    """
    return told_of({name: _read(name, value) for name, value in plain.items()})


def _instant_text(moment: datetime) -> str:
    """Write an instant in UTC.

    :raises ValueError: the moment is naive.
    """
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            message = "a naive time has no canonical form"
            raise ValueError(message)
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:-6] + "Z"


def _write_facts(facts: Mapping[str, object]) -> str:
    parts = [f'"{name}":{_write(value)}' for name, value in sorted(facts.items())]
    return "{" + ",".join(parts) + "}"


def _write(value: object) -> str:
    writer = _WRITERS.get(type(value))
    if writer is None:
        message = f"no canonical form for {type(value).__name__}"
        raise ValueError(message)
    return writer(value)


def parts_of(value: object) -> dict[str, object]:
    """Return the parts of a pause or an extension that are known, by name.

    :raises ValueError: the value is neither.
    """
    names = _PARTS.get(type(value))
    if names is None:
        message = f"no canonical form for {type(value).__name__}"
        raise ValueError(message)
    return {name: part for name in names if (part := getattr(value, name)) is not None}


_PARTS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (PauseTold, ExtensionTold)
}


def _write_instant(moment: datetime) -> str:
    return '"' + _instant_text(moment) + '"'


def _write_flag(value: object) -> str:
    return "true" if value else "false"


def _write_null(_: object) -> str:
    return "null"


def _write_items(items: Iterable[object]) -> str:
    return "[" + ",".join([_write(item) for item in items]) + "]"


def _write_parts(value: object) -> str:
    return _write_facts(parts_of(value))


_WRITERS: dict[type, Callable[..., str]] = {  # type: ignore[explicit-any]  # by the type above
    **dict.fromkeys((str, Status, Channel, ApplicantType, Outcome, ReturnMethod), quote),
    datetime: _write_instant,
    int: str,
    bool: _write_flag,
    type(None): _write_null,
    tuple: _write_items,
    PauseTold: _write_parts,
    ExtensionTold: _write_parts,
}


def _plain(value: object) -> Plain:
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, datetime):
        return _instant_text(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {name: _plain(part) for name, part in parts_of(value).items()}


def _read(name: str, value: object) -> object:
    reader = _READERS.get(name)
    if reader is None:
        message = f"no fact is called {name!r}"
        raise ValueError(message)
    return None if value is None else reader(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    message = "a text was expected"
    raise ValueError(message)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    message = "true or false was expected"
    raise ValueError(message)


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    message = "a whole number was expected"
    raise ValueError(message)


def _instant(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _choice(kind: type[StrEnum]) -> Callable[[object], object]:
    members = {one.value: one for one in kind}

    def chosen(value: object) -> object:
        told = _text(value)
        return members.get(told) or kind(told)  # which says that there is no such one

    return chosen


def _items(value: object) -> Iterable[object]:
    if isinstance(value, list):
        return value
    message = "a list was expected"
    raise ValueError(message)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(value))


def _named(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    message = "an object was expected"
    raise ValueError(message)


def _later(parts: dict[str, object], name: str) -> datetime | None:
    value = parts.get(name)
    return None if value is None else _instant(value)


def _pause(value: object) -> PauseTold:
    parts = _named(value)
    return PauseTold(
        kind=_text(parts.get("kind")),
        started_at=_instant(parts.get("started_at")),
        ended_at=_later(parts, "ended_at"),
        new_due_at=_later(parts, "new_due_at"),
        old_due_at=_later(parts, "old_due_at"),
    )


def _pauses(value: object) -> tuple[PauseTold, ...]:
    return tuple(_pause(item) for item in _items(value))


def _extension(value: object) -> ExtensionTold:
    parts = _named(value)
    document = parts.get("document")
    return ExtensionTold(
        issued_at=_instant(parts.get("issued_at")),
        new_due_at=_instant(parts.get("new_due_at")),
        document=None if document is None else _text(document),
    )


_READERS: dict[str, Callable[[object], object]] = {
    **dict.fromkeys(
        (
            "unit",
            "procedure",
            "case",
            "applicant_hash",
            "parent",
            "leg",
            "official",
            "pause_kind",
            "document",
            "reason",
        ),
        _text,
    ),
    **dict.fromkeys(
        (
            "submitted_at",
            "received_at",
            "clock_start_at",
            "due_at",
            "finished_at",
            "ended_at",
            "returned_at",
            "entered_at",
            "old_due_at",
        ),
        _instant,
    ),
    **dict.fromkeys(("place_independent", "paid_online", "digitised", "exempt", "approved"), _flag),
    **dict.fromkeys(("contacts", "bodies_contacted", "founded_complaints"), _number),
    "channel": _choice(Channel),
    "applicant_type": _choice(ApplicantType),
    "status": _choice(Status),
    "outcome": _choice(Outcome),
    "return_method": _choice(ReturnMethod),
    "pauses": _pauses,
    "extension": _extension,
    "other_codes": _texts,
}
