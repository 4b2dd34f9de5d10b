"""The service's own format: full records and events as JSON objects.

The reader is strict, so that a misspelt field is never silently lost, and it reports everything
that is wrong with a record together.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from app.domain.canonical import told_of
from app.domain.faults import Fault
from app.domain.pauses import PauseKind
from app.domain.record import (
    ApplicantType,
    Channel,
    ExtensionTold,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
)
from app.feeds.masking import LOST, SHORTEST_NUMBER, is_personal, mask
from app.feeds.reading import (
    AHEAD,
    MAX_CODE,
    MAX_ITEMS,
    MAX_NAME,
    MAX_OTHER_CODES,
    MAX_TEXT,
    Checker,
    EventIn,
    Fields,
    Flaw,
    Hash,
    RecordIn,
    bounded,
    choice,
    contradictions,
    flag,
    in_order,
    instant,
    known,
    list_of,
    newest,
    note,
    number,
    read_fields,
    remember,
    text,
    wrong_type,
)

MAX_COUNT: Final = 10_000

_code = text(MAX_CODE)
_name = text(MAX_NAME)
_document = note(MAX_CODE)


@known
def _place(value: object) -> str:
    """Check the word for a unit or a case, which may be a name as people write it."""
    name = _name(value)
    return mask(name) if len(name) >= SHORTEST_NUMBER else name


@known
def _procedure(value: object) -> str:
    """Check the code of a procedure, in whose place somebody may have typed a number of theirs."""
    code = _code(value)
    return mask(code) if len(code) >= SHORTEST_NUMBER else code


def _object(value: object, fields: Fields) -> dict[str, Any]:
    """Check an object within a record; its parts then have the types of their checkers."""
    if not isinstance(value, dict):
        raise wrong_type(value, "record.not_object")
    facts, faults = read_fields(value, fields)
    if faults:
        raise Flaw(*faults)
    return facts


_PAUSE = Fields(
    {
        "kind": choice(PauseKind),
        "started_at": instant,
        "ended_at": instant,
        "new_due_at": instant,
    },
    required=("kind", "started_at"),
    not_null=frozenset({"kind", "started_at"}),
)


def _pause(value: object) -> PauseTold:
    facts = _object(value, _PAUSE)
    started_at, ended_at = facts["started_at"], facts.get("ended_at")
    if ended_at is not None and ended_at < started_at:
        raise Flaw(Fault("/ended_at", "record.pause_backwards"))
    return PauseTold(facts["kind"].value, started_at, ended_at, facts.get("new_due_at"))


_EXTENSION = Fields(
    {"issued_at": instant, "new_due_at": instant, "document": _document},
    required=("issued_at", "new_due_at"),
    not_null=frozenset({"issued_at", "new_due_at"}),
)


def _extension(value: object) -> ExtensionTold:
    facts = _object(value, _EXTENSION)
    return ExtensionTold(facts["issued_at"], facts["new_due_at"], facts.get("document"))


_list_of_pauses = list_of(_pause, MAX_ITEMS)
_list_of_codes = list_of(_code, MAX_OTHER_CODES)


def _pauses(value: object) -> tuple[PauseTold, ...]:
    return in_order(_list_of_pauses(value))


def _other_codes(value: object) -> tuple[str, ...]:
    return tuple(sorted(set(_list_of_codes(value))))


_count = number(0, MAX_COUNT)

_RECORD: Final = Fields(
    {
        "code": _code,
        "unit": _place,
        "procedure": _procedure,
        "channel": choice(Channel),
        "applicant_type": choice(ApplicantType),
        "applicant_key": _name,
        "submitted_at": instant,
        "received_at": instant,
        "clock_start_at": instant,
        "due_at": instant,
        "status": choice(Status),
        "finished_at": instant,
        "ended_at": instant,
        "returned_at": instant,
        "entered_at": instant,
        "return_method": choice(ReturnMethod),
        "outcome": choice(Outcome),
        "case": _place,
        "place_independent": flag,
        "other_codes": _other_codes,
        "pauses": _pauses,
        "extension": _extension,
        "parent": _code,
        "leg": _code,
        "official": _name,
        "paid_online": flag,
        "digitised": flag,
        "contacts": _count,
        "bodies_contacted": _count,
        "founded_complaints": _count,
        "source_updated_at": instant,
    },
    required=("unit", "procedure"),
    not_null=frozenset({"code", "unit", "procedure"}),
)
"""Every field of a record; the only names that are ever read from one."""

RECORD_FIELDS: Final = frozenset(_RECORD.checkers)


def read_record(
    raw: object, *, code: str | None, now: datetime, hash_applicant: Hash
) -> RecordIn | tuple[Fault, ...]:
    """Read one full record, or list everything that is wrong with it.

    ``code`` is the number of the dossier in the path of the request, if it stands there; a record
    that names another is refused. The number of the applicant leaves only its keyed hash.
    """
    if not isinstance(raw, dict):
        return wrong_type(raw, "record.not_object").faults
    facts, faults = read_fields(raw, _RECORD)
    number_of_dossier = _settle_code(facts, raw, code, faults)
    faults += contradictions(facts, now=now)
    stamp: Any = facts.pop("source_updated_at", None)
    if stamp is not None and stamp > now + AHEAD:
        faults.append(Fault("/source_updated_at", "record.too_far_ahead"))
    if faults or number_of_dossier is None:
        return bounded(faults)
    if "applicant_key" in facts:
        facts["applicant_hash"] = _hashed(facts.pop("applicant_key"), hash_applicant)
    if "official" in facts:
        facts["official"] = pseudonym(facts["official"], hash_applicant)
    stamped = stamp is not None
    told_at = stamp if stamped else newest(facts, now=now)
    return RecordIn(number_of_dossier, told_at, stamped, told_of(facts))


def _settle_code(
    facts: dict[str, object], raw: Mapping[str, object], code: str | None, faults: list[Fault]
) -> str | None:
    """Take the number of the dossier out of the facts and hold it against the path."""
    told: str | None = facts.pop("code", None)  # type: ignore[assignment]  # so it was checked
    if code is None:
        if told is None and "code" not in raw:
            faults.append(Fault("/code", "record.required"))
        return told
    try:
        named = _code(code)
    except Flaw as error:
        faults += [fault.under("/code") for fault in error.faults]
        return None
    if told is not None and told != named:
        faults.append(Fault("/code", "record.code_differs"))
    return named


def code_in(raw: object) -> str | None:
    """Return the number of the dossier that a record names, if it can be shown again."""
    value = raw.get("code") if isinstance(raw, dict) else None
    try:
        code = _code(value)
    except Flaw:
        return None
    return None if is_personal(code) else code


def _hashed(key: object, hash_applicant: Hash) -> str | None:
    return hash_applicant(key.replace(" ", "")) if isinstance(key, str) else None


_PSEUDONYM = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


def pseudonym(official: object, hash_key: Hash) -> str | None:
    """Return the word for an official: kept if it is a plain identifier, else its keyed hash.

    A name, an address or an identity number is thereby dropped, and the same official still has
    the same word.
    """
    if not isinstance(official, str):
        return None
    found = _PSEUDONYMS.get(official)
    if found is None:
        if not _is_pseudonym(official):
            return f"#{hash_key(official)[:24]}"
        found = official
        remember(_PSEUDONYMS, official, official)
    return found


_PSEUDONYMS: Final[dict[str, str]] = {}


def _is_pseudonym(official: str) -> bool:
    is_plain = _PSEUDONYM.fullmatch(official) is not None
    return is_plain and (len(official) < SHORTEST_NUMBER or not is_personal(official))


# ------------------------------------------------------------------ events

_reason = note(MAX_TEXT)
_EVENT_FIELDS: Final[dict[str, Checker]] = {
    "code": _code,
    "kind": choice(MessageKind),
    "at": instant,
    "source_updated_at": instant,
}
_OWN_FIELDS: Final[dict[MessageKind, dict[str, Checker]]] = {
    MessageKind.STEP: {"status": choice(Status), "unit": _place},
    MessageKind.PAUSE: {"pause_kind": choice(PauseKind)},
    MessageKind.RESUME: {"pause_kind": choice(PauseKind), "new_due_at": instant},
    MessageKind.EXTENSION: {"new_due_at": instant, "document": _document, "reason": _reason},
    MessageKind.TRANSFER: {"unit": _place, "document": _document, "reason": _reason},
    MessageKind.CORRECTION: {
        "due_at": instant,
        "finished_at": instant,
        "received_at": instant,
        "document": _document,
        "reason": _reason,
    },
    MessageKind.REOPENING: {"document": _document, "reason": _reason},
    MessageKind.VOID: {"document": _document, "reason": _reason},
    MessageKind.APOLOGY: {"document": _document, "exempt": flag, "reason": _reason},
}
_OWN_REQUIRED: Final[dict[MessageKind, tuple[str, ...]]] = {
    MessageKind.STEP: ("status",),
    MessageKind.PAUSE: ("pause_kind",),
    MessageKind.EXTENSION: ("new_due_at",),
    MessageKind.TRANSFER: ("unit",),
    MessageKind.VOID: ("reason",),
}
_OPTIONAL: Final = frozenset({"source_updated_at", "document", "reason", "new_due_at", "exempt"})
_CORRECTABLE: Final = ("due_at", "finished_at", "received_at")

EVENT_FIELDS: Final = frozenset(_EVENT_FIELDS).union(*_OWN_FIELDS.values())


def _event_fields(kind: MessageKind) -> Fields:
    checkers = _EVENT_FIELDS | _OWN_FIELDS[kind]
    required = ("at", *_OWN_REQUIRED.get(kind, ()))
    may_be_null = (_OPTIONAL - set(required)) | ({"pause_kind"} - set(required))
    return Fields(
        checkers,
        required=required,
        not_null=frozenset(checkers) - may_be_null,
        elsewhere=EVENT_FIELDS - frozenset(checkers),
    )


_EVENTS: Final = {kind: _event_fields(kind) for kind in _OWN_FIELDS}
_EVENT_KINDS: Final = tuple(kind.value for kind in _OWN_FIELDS)


def read_event(raw: object, *, code: str | None, now: datetime) -> EventIn | tuple[Fault, ...]:
    """Read one event of a dossier, or list everything that is wrong with it.

    An event without a stamp counts from the moment at which it happened.
    """
    if not isinstance(raw, dict):
        return wrong_type(raw, "record.not_object").faults
    kind = _kind(raw)
    if isinstance(kind, Fault):
        return (kind,)
    facts, faults = read_fields(raw, _EVENTS[kind])
    number_of_dossier = _settle_code(facts, raw, code, faults)
    at, stamp = facts.pop("at", None), facts.pop("source_updated_at", None)
    faults += _event_faults(kind, facts, {"at": at, "source_updated_at": stamp}, now)
    if faults or number_of_dossier is None or not isinstance(at, datetime):
        return bounded(faults)
    return EventIn(
        code=number_of_dossier,
        kind=kind,
        at=at,
        source_updated_at=stamp if isinstance(stamp, datetime) else at,
        told=told_of(_event_told(facts)),
    )


def _kind(raw: Mapping[str, object]) -> MessageKind | Fault:
    if "kind" not in raw:
        return Fault("/kind", "record.required")
    value = raw["kind"]
    if isinstance(value, str) and value in _EVENT_KINDS:
        return MessageKind(value)
    if isinstance(value, str):
        return Fault("/kind", "record.not_among", {"allowed": ", ".join(_EVENT_KINDS)})
    return wrong_type(value, "record.not_text").faults[0].under("/kind")


def _event_faults(
    kind: MessageKind, facts: Mapping[str, object], moments: Mapping[str, object], now: datetime
) -> list[Fault]:
    faults = contradictions(facts, now=now)
    faults += [
        Fault(f"/{name}", "record.too_far_ahead")
        for name, moment in moments.items()
        if isinstance(moment, datetime) and moment > now + AHEAD
    ]
    is_empty = kind is MessageKind.CORRECTION and not any(name in facts for name in _CORRECTABLE)
    if is_empty:
        faults.append(Fault("", "record.nothing_corrected", {"allowed": ", ".join(_CORRECTABLE)}))
    return faults


def _event_told(facts: dict[str, object]) -> dict[str, object]:
    """Name the facts of an event as the record of messages does; null says nothing here."""
    told = {name: value for name, value in facts.items() if value is not None}
    told.pop("kind", None)
    if "new_due_at" in told:
        told["due_at"] = told.pop("new_due_at")
    if isinstance(pause_kind := told.get("pause_kind"), PauseKind):
        told["pause_kind"] = pause_kind.value
    return told


# ------------------------------------------------------------------ for the quarantine

_CODE_LIKE = re.compile(r"[^\s\ufffd]{1,100}")
_WORD_LIKE = re.compile(r"[a-z_]{1,40}")
_MOMENT_LIKE = re.compile(r"[0-9TtZz:+. -]{1,40}", re.ASCII)


def _kept_code(value: object) -> object:
    return _kept_text(value, _CODE_LIKE)


def _kept_word(value: object) -> object:
    return _kept_text(value, _WORD_LIKE)


def _kept_moment(value: object) -> object:
    return _kept_text(value, _MOMENT_LIKE)


def _kept_text(value: object, shape: re.Pattern[str]) -> object:
    is_kept = isinstance(value, str) and shape.fullmatch(value) and not is_personal(value)
    return value if is_kept else LOST


def kept_name(value: object) -> object:
    """Keep the name of a unit or a case, if it is short and holds no number of a person."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_NAME:
        return LOST if is_personal(value) else value
    return LOST


def _kept_document(value: object) -> object:
    if isinstance(value, str) and len(value) <= MAX_CODE:
        return mask(value)
    return LOST


def _kept_flag(value: object) -> object:
    return value if isinstance(value, bool) else LOST


def _kept_count(value: object) -> object:
    is_kept = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_COUNT
    return value if is_kept else LOST


def _kept_codes(value: object) -> object:
    if isinstance(value, list) and len(value) <= MAX_OTHER_CODES:
        return [_kept_code(item) for item in value]
    return LOST


def _kept_object(value: object, fields: frozenset[str]) -> object:
    if not isinstance(value, dict):
        return LOST
    return strip_fields(value, {name: _KEPT[name] for name in fields})


def _kept_pauses(value: object) -> object:
    if isinstance(value, list) and len(value) <= MAX_ITEMS:
        return [_kept_object(item, frozenset(_PAUSE.checkers)) for item in value]
    return LOST


def _kept_extension(value: object) -> object:
    return _kept_object(value, frozenset(_EXTENSION.checkers))


_KEPT: Final[dict[str, Checker]] = {
    **dict.fromkeys(("code", "procedure", "parent", "leg"), _kept_code),
    **dict.fromkeys(("unit", "case"), kept_name),
    **dict.fromkeys(
        (
            *("channel", "applicant_type", "status", "return_method", "outcome"),
            *("kind", "pause_kind"),
        ),
        _kept_word,
    ),
    **dict.fromkeys(
        (
            *("submitted_at", "received_at", "clock_start_at", "due_at", "finished_at"),
            *("ended_at", "returned_at", "entered_at", "source_updated_at"),
            *("at", "started_at", "issued_at", "new_due_at"),
        ),
        _kept_moment,
    ),
    **dict.fromkeys(("place_independent", "paid_online", "digitised", "exempt"), _kept_flag),
    **dict.fromkeys(("contacts", "bodies_contacted", "founded_complaints"), _kept_count),
    "other_codes": _kept_codes,
    "pauses": _kept_pauses,
    "extension": _kept_extension,
    "document": _kept_document,
}
"""What may be kept of a record that was not accepted. ``applicant_key`` and ``official`` are left
out without a trace; ``reason`` is free text, so only the fact that there was one remains."""

_LEFT_OUT: Final = frozenset({"applicant_key", "official"})


def strip_fields(
    raw: Mapping[str, object], kept: Mapping[str, Callable[[object], object]]
) -> dict[str, object]:
    """Keep the listed fields of an object; count the others under ``"?"``."""
    found: dict[str, object] = {
        name: None if raw[name] is None else keep(raw[name])
        for name, keep in kept.items()
        if name in raw
    }
    others = len(raw.keys() - kept.keys() - _LEFT_OUT)
    if others:
        found["?"] = others
    return found


def strip(raw: object) -> dict[str, object]:
    """Return what may be kept of a record or an event that was not accepted.

    Listed fields with values of the right type and shape remain; any other value becomes ``LOST``
    and unknown fields become a count, so that reading the stripped record again never accepts
    what the sender did not say.
    """
    if not isinstance(raw, dict):
        return {"?": 1}
    return strip_fields(raw, _KEPT | {"reason": lambda _: LOST})
