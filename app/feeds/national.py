"""The envelope that one-door software already emits towards the national portal.

Two services (``DongBoHoSoMC`` for dossiers, ``CapNhatTienDoHoSoMC`` for steps) come either in an
envelope with session, unit and flag, or as a bare array with those in the query. Two generations
of fields are accepted side by side. Every value is a text, an empty text stands for nothing, and
dates are written ``yyyyMMddHHmmss`` in the local time of Viet Nam.

Names, numbers, addresses and free text of persons are never read: they are on no list below.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias

from app.domain.canonical import told_of
from app.domain.errors import AppError, Invalid
from app.domain.faults import Fault
from app.domain.pauses import PauseKind
from app.domain.record import (
    OPEN_STATUSES,
    ApplicantType,
    Channel,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
)
from app.domain.values import immutable
from app.feeds.masking import LOST, SHORTEST_NUMBER, is_personal, mask
from app.feeds.reading import (
    AHEAD,
    FIRST_YEAR,
    LAST_YEAR,
    MAX_CODE,
    MAX_ITEMS,
    MAX_NAME,
    MAX_OTHER_CODES,
    NO_HOUR,
    ZONE,
    Checker,
    EventIn,
    Flaw,
    Hash,
    RecordIn,
    bounded,
    contradictions,
    flaw,
    in_order,
    known,
    newest,
    out_of_years,
    remember,
    text,
    wrong_type,
)

MAX_RECORDS: Final = 5_000


class Service(StrEnum):
    """The services of the envelope that this door serves."""

    DOSSIERS = "DongBoHoSoMC"
    PROGRESS = "CapNhatTienDoHoSoMC"


class AnswerCode(StrEnum):
    """The numbers that stand in ``error_code``; only ``TAKEN`` means that nothing is left to do.

    3 and -3 are kept free: senders read success into them.
    """

    TAKEN = "0"
    NOT_TAKEN = "1"
    SIGN_IN = "2"
    BODY = "4"
    SERVICE = "5"
    RIGHTS = "6"
    UNAVAILABLE = "9"


@dataclass(eq=False, kw_only=True)
class EnvelopeUnreadable(Invalid):
    """The body is neither an envelope with ``data`` nor an array."""

    code: ClassVar[str] = "national.envelope"


@dataclass(eq=False, kw_only=True)
class ServiceUnknown(Invalid):
    """The service named is none of those that this door serves."""

    code: ClassVar[str] = "national.service_unknown"
    allowed: str = ", ".join(Service)


@dataclass(eq=False, kw_only=True)
class TooManyRecords(Invalid):
    """The call brings more records than one call may."""

    code: ClassVar[str] = "national.too_many"
    limit: int = MAX_RECORDS


@dataclass(eq=False, kw_only=True)
class FlagUnreadable(Invalid):
    """``isUpdating`` is neither "True" nor "False"."""

    code: ClassVar[str] = "national.flag"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One call of a sender: ``unit`` is the identifier that it gave for itself, if any.

    ``updating`` is false when the sender believes that the dossiers are new to us.
    """

    service: Service
    session: str | None
    unit: str | None
    updating: bool
    data: Sequence[object]


# ------------------------------------------------------------------ the envelope


def read_envelope(raw: object) -> Envelope:
    """Read a call that carries service, session, unit and flag in its body.

    :raises EnvelopeUnreadable: there is no ``data``.
    :raises ServiceUnknown: the service is not served here.
    :raises TooManyRecords: there are more than ``MAX_RECORDS``.
    :raises FlagUnreadable: ``isUpdating`` is not a truth value.
    """
    if not isinstance(raw, dict) or "data" not in raw:
        raise EnvelopeUnreadable
    return Envelope(
        service=read_service(raw.get("service")),
        session=_word(raw.get("session")),
        unit=_word(raw.get("madonvi")) or _word(raw.get("MaDinhDanhDV")),
        updating=read_updating(raw.get("isUpdating")),
        data=_records(raw["data"]),
    )


def read_bare(
    raw: object, *, service: str, unit: str | None = None, updating: str | None = None
) -> Envelope:
    """Read a call whose body is a bare array, with unit and flag in the query.

    An envelope in the body is read as well; what it says itself goes before the query.

    :raises EnvelopeUnreadable: the body is no array; and the other errors of ``read_envelope``.
    """
    named = read_service(service)
    if isinstance(raw, list):
        return Envelope(named, None, _word(unit), read_updating(updating), _records(raw))
    if not isinstance(raw, dict):
        raise EnvelopeUnreadable
    query = {"madonvi": unit, "isUpdating": updating}
    return read_envelope(query | raw | {"service": named.value})


def read_service(value: object) -> Service:
    """Return the service of a name, whatever its case.

    :raises ServiceUnknown: the service is not served here.
    """
    name = value.strip().lower() if isinstance(value, str) else ""
    for service in Service:
        if service.value.lower() == name:
            return service
    raise ServiceUnknown


_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1"), True),
    **dict.fromkeys(("false", "0", ""), False),
}


def read_updating(value: object) -> bool:
    """Read ``isUpdating``, which comes as a text; without it the dossiers are new.

    :raises FlagUnreadable: it is something else.
    """
    is_scalar = isinstance(value, str | bool | int)
    found = _FLAGS.get(str(value).strip().lower() if is_scalar else "" if value is None else "?")
    if found is None:
        raise FlagUnreadable
    return found


def read_login(raw: object) -> tuple[str, str]:
    """Return user name and password of a login.

    :raises EnvelopeUnreadable: one of them is missing.
    """
    if isinstance(raw, dict):
        username, password = raw.get("username"), raw.get("password")
        if isinstance(username, str) and isinstance(password, str) and username and password:
            return username, password
    raise EnvelopeUnreadable


def _records(data: object) -> Sequence[object]:
    records = [data] if isinstance(data, dict) else data
    if not isinstance(records, list):
        raise EnvelopeUnreadable
    if len(records) > MAX_RECORDS:
        raise TooManyRecords
    return records


def _word(value: object) -> str | None:
    """Return a short text of the envelope, or None."""
    if isinstance(value, str) and value.isprintable() and len(value) <= MAX_NAME:
        return unicodedata.normalize("NFC", value).strip() or None
    return None


# ------------------------------------------------------------------ single values

_Words: TypeAlias = Callable[[str], object]


class _Silent(Enum):
    """Stands for a value that says nothing: it is empty, or this reader has no word for it."""

    EMPTY = "empty"
    UNREAD = "unread"


_EMPTY: Final = _Silent.EMPTY
_UNREAD: Final = _Silent.UNREAD
_LONGEST_SCALAR: Final = 4_000


def _scalar(value: object) -> str:
    """Return a scalar as its text without blanks around it; null is the empty text."""
    if type(value) is str:
        plain = value.isascii() and value.isprintable()
        return value.strip() if plain else _odd_scalar(value).strip()
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    raise wrong_type(value, "national.not_scalar")


_NO_WORDS: Final[Mapping[str, object]] = {}


def _told(read: _Words, words: Mapping[str, object] = _NO_WORDS) -> Checker:
    """Return a checker of scalars that reads their text, and gives ``_EMPTY`` for none.

    :param words: what ``read`` gives for the usual spellings; None there asks ``read`` itself.
    """
    word = words.get

    def check(value: object) -> object:
        found = word(value) if type(value) is str else None
        if found is None:
            text = _scalar(value)
            found = read(text) if text else _EMPTY
        return found

    return check


def _odd_scalar(value: str) -> str:
    if len(value) > _LONGEST_SCALAR:
        raise flaw("record.too_long", limit=str(_LONGEST_SCALAR))
    if LOST in value:
        raise flaw("record.broken_text")
    return unicodedata.normalize("NFC", value)


_HOURS: Final[dict[str, datetime]] = {}
_RESTS: Final[dict[str, timedelta]] = {}
"""The halves of instants, the day with its hour and the rest, as in ``app.feeds.reading``."""


def wire_instant(value: str) -> datetime:
    """Read ``yyyyMMddHHmmss`` as local time and return it in UTC."""
    is_moment = len(value) == len("yyyyMMddHHmmss") and value.isascii() and value.isdigit()
    if not is_moment or value[8:10] == NO_HOUR:
        raise flaw("national.not_date")
    try:
        moment = datetime.fromisoformat(f"{value[:8]}T{value[8:]}Z")
    except ValueError:
        raise flaw("national.not_date") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise out_of_years()
    hour, shift = moment.replace(minute=0, second=0), _local_shift(value[:8])
    remember(_HOURS, value[:10], hour - shift)
    remember(_RESTS, value[10:], moment - hour)
    return moment - shift


@lru_cache(maxsize=4_096)
def _local_shift(day: str) -> timedelta:
    """Return how far the local clock is ahead of UTC on a day; the zone has no other hours.

    Viet Nam has changed its clock on no day since 2000, so one value serves a whole day.
    """
    shift = datetime.fromisoformat(day).replace(tzinfo=ZONE).utcoffset()
    return timedelta() if shift is None else shift


_code = text(MAX_CODE)
_name = text(MAX_NAME)

_LOCAL_SUFFIX = re.compile(r"(\d+\.\d{6})(?:\.\d{2,3})*(?:\.[A-Z]\d{2}(?:\.\d+)*)", re.ASCII)


def procedure_code(value: str) -> str:
    """Return the national code of a procedure, without the suffix of a local system."""
    match = _LOCAL_SUFFIX.fullmatch(value)
    return value if match is None else match[1]


def _procedure(value: str) -> str:
    code = procedure_code(_code(value))
    return mask(code) if len(code) >= SHORTEST_NUMBER else code


_STATUSES: Final[Mapping[str, Status | None]] = {
    "0": None,  # senders without a fitting code: known to be somewhere, not where
    "1": Status.SUBMITTED,
    "2": Status.RECEIVED,
    "3": Status.REFUSED_AT_INTAKE,
    "4": Status.PROCESSING,
    "5": Status.AWAITING_SUPPLEMENT,
    "6": Status.AWAITING_PAYMENT,
    "7": Status.WITHDRAWN,
    "8": Status.STOPPED,
    "9": Status.FINISHED,
    "10": Status.RETURNED,
}
_STATUS_CODES: Final = ", ".join(code for code, status in _STATUSES.items() if status)


def wire_status(value: str) -> Status | None:
    """Return the status of a code of the national list; "0" says nothing."""
    code = value.lstrip("0") or "0"
    if code not in _STATUSES:
        raise flaw("national.status_unknown", allowed=_STATUS_CODES)
    return _STATUSES[code]


_CHANNELS: Final = {"1": Channel.IN_PERSON, "2": Channel.ONLINE, "3": Channel.POST}
_APPLICANTS: Final = {
    "1": ApplicantType.CITIZEN,
    "2": ApplicantType.BUSINESS,
    "3": ApplicantType.STATE_BODY,
    "4": ApplicantType.ORGANISATION,
}
_RETURNS: Final = {"0": ReturnMethod.COUNTER, "1": ReturnMethod.POST}
_PAYMENTS: Final = {"1": True, "3": False, "0": None}
"""Paid online; a fee that is not paid; no fee."""
_TRUTHS: Final = {"1": True, "true": True, "0": False, "false": False}


def _channel(value: str) -> Channel:
    return _CHANNELS.get(value, Channel.UNKNOWN)


def _applicant_type(value: str) -> ApplicantType:
    return _APPLICANTS.get(value, ApplicantType.UNKNOWN)


def _return_method(value: str) -> object:
    return _RETURNS.get(value, _UNREAD)


def _paid_online(value: str) -> object:
    return _PAYMENTS.get(value, _UNREAD)


def _truth(value: str) -> object:
    return _TRUTHS.get(value.lower(), _UNREAD)


def _status(value: str) -> object:
    return wire_status(value) or _UNREAD


def _instant(value: object) -> object:
    if type(value) is str:
        hour, rest = _HOURS.get(value[:10]), _RESTS.get(value[10:])
        if hour is not None and rest is not None:
            return hour + rest
    text = _scalar(value)
    return wire_instant(text) if text else _EMPTY


def _unit(value: str) -> str:
    name = _name(value)
    return name if is_unit_code(name) else mask(name)


def _other_codes(value: str) -> tuple[str, ...]:
    parts = [part for part in re.split(r"[,;]", value) if part.strip()]
    if len(parts) > MAX_OTHER_CODES:
        raise flaw("record.too_many_items", limit=str(MAX_OTHER_CODES))
    return tuple(sorted({_code(part) for part in parts}))


# ------------------------------------------------------------------ codes of units

_FORWARD = re.compile(r"[A-Z]\d{2}(?:\.\d{1,3}){0,3}", re.ASCII)
_REVERSED = re.compile(r"(?:\d{2,3}\.){1,3}[A-Z]\d{2}", re.ASCII)


def is_unit_code(value: str) -> bool:
    """Tell whether a text has the form of a unit's code, old or new."""
    return bool(_FORWARD.fullmatch(value) or _REVERSED.fullmatch(value))


def unit_code_forms(code: str) -> tuple[str, ...]:
    """Return every way in which the code of one unit is written, the given one first.

    The old form (QCVN 102:2016) runs from the right and is filled up with zeros,
    ``000.00.01.H22``; the new one (QĐ 20/2020/QĐ-TTg) runs from the left, ``H22.1``. A text that
    is no code has only itself.
    """
    if not is_unit_code(code):
        return (code,)
    is_old = _FORWARD.fullmatch(code) is None
    province, *parts = code.split(".")[:: -1 if is_old else 1]
    while is_old and parts and not int(parts[-1]):
        parts.pop()
    forms = [
        code,
        ".".join([province, *(str(int(part)) for part in parts)]),
        ".".join([province, *(f"{int(part):02}" for part in parts)]),
        ".".join([province, *parts]),
    ]
    filled = [*parts, *["0"] * (len(_OLD_WIDTHS) - len(parts))]
    old = [f"{int(part):0{width}}" for part, width in zip(filled, _OLD_WIDTHS, strict=True)]
    forms.append(".".join([*reversed(old), province]))
    return tuple(dict.fromkeys(forms))


_OLD_WIDTHS: Final = (2, 2, 3)

# ------------------------------------------------------------------ one dossier


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one field of the wire becomes a fact.

    ``newer`` marks the fields that only the newer generation of senders knows.
    """

    fact: str
    check: Checker
    newer: bool = False


_FIELDS: Final[Mapping[str, _Wire]] = {
    "MaTTHC": _Wire("procedure", known(_told(_procedure))),
    "KenhThucHien": _Wire("channel", _told(_channel, _CHANNELS), newer=True),
    "LoaiDoiTuong": _Wire("applicant_type", _told(_applicant_type, _APPLICANTS)),
    "NgayNopHoSo": _Wire("submitted_at", _instant, newer=True),
    "NgayTiepNhan": _Wire("received_at", _instant),
    "NgayHenTra": _Wire("due_at", _instant),
    "TrangThaiHoSo": _Wire("status", _told(_status, _STATUSES)),
    "NgayTra": _Wire("returned_at", _instant),
    "HinhThuc": _Wire("return_method", _told(_return_method, _RETURNS)),
    "NgayKetThucXuLy": _Wire("finished_at", _instant),
    "NgayTuChoi": _Wire("ended_at", _instant),
    "DonViXuLy": _Wire("unit", known(_told(_unit))),
    "HoSoCoThanhPhanSoHoa": _Wire("digitised", _told(_truth, _TRUTHS), newer=True),
    "DuocThanhToanTrucTuyen": _Wire("paid_online", _told(_paid_online, _PAYMENTS), newer=True),
    "MaHoSoKhac": _Wire("other_codes", _told(_other_codes), newer=True),
}
_NEVER_NULL: Final = frozenset({"procedure", "status", "unit", "other_codes"})
_POINTERS: Final = {wire.fact: name for name, wire in _FIELDS.items()}

_SUPPLEMENTS: Final = "DanhSachHoSoBoSung"

_NEWER_ONLY: Final = (
    *(name for name, wire in _FIELDS.items() if wire.newer),
    *("SoGiayToChuHoSo", "DinhDanhCHS", "NoiNopHoSo"),
    *("TaiKhoanDuocXacThucVoiVNeID", "DSKetNoiCSDL"),
)


def read_dossier(
    raw: object, *, unit: str | None, now: datetime, hash_applicant: Hash
) -> RecordIn | tuple[Fault, ...]:
    """Read one element of ``DongBoHoSoMC``, or list everything that is wrong with it.

    ``unit`` is the identifier of the sender, which stands in for an empty ``DonViXuLy``. The
    result's ``unit`` is a code or a name as it was sent; resolving it is for the use case. The
    record carries no stamp, so it counts from its newest date.
    """
    if not isinstance(raw, dict):
        return wrong_type(raw, "record.not_object").faults
    faults: list[Fault] = []
    code = _required_code(raw, faults)
    facts = _facts(raw, faults)
    pauses = _pauses(raw.get(_SUPPLEMENTS), faults)
    if pauses:
        facts["pauses"] = pauses
    if "unit" not in facts and unit is not None:
        facts["unit"] = unit
    if "unit" not in facts or "procedure" not in facts:
        faults += _missing(facts, faults)
    moved = _settle_end(facts)
    faults += contradictions(facts, now=now, pointers=_POINTERS | moved if moved else _POINTERS)
    if faults or code is None:
        return bounded(faults)
    identity = _identity(raw)
    if identity is not None:
        facts["applicant_hash"] = hash_applicant(identity)
    return RecordIn(code, newest(facts, now=now), False, told_of(facts))  # unstamped


def _missing(facts: Mapping[str, object], faults: Sequence[Fault]) -> list[Fault]:
    """List the required fields that were not told, but those that were told wrongly."""
    wrong = {fault.pointer for fault in faults}
    missing = [_POINTERS[name] for name in ("unit", "procedure") if name not in facts]
    return [Fault(f"/{name}", "record.required") for name in missing if f"/{name}" not in wrong]


def _required_code(raw: Mapping[str, object], faults: list[Fault]) -> str | None:
    try:
        value = _scalar(raw.get("MaHoSo"))
        if value:
            return _code(value)
        faults.append(Fault("/MaHoSo", "record.required"))
    except Flaw as error:
        faults += [fault.under("/MaHoSo") for fault in error.faults]
    return None


def _facts(raw: Mapping[str, object], faults: list[Fault]) -> dict[str, object]:
    """Read the fields of a dossier; a value for which this reader has no word is passed over."""
    facts: dict[str, object] = {}
    empty: list[_Wire] = []
    for name, wire in _FIELDS.items():
        if name not in raw:
            continue
        value = raw[name]
        try:
            fact = wire.check(value) if value != "" else _EMPTY
        except Flaw as error:
            faults += [fault.under(f"/{name}") for fault in error.faults]
            continue
        if type(fact) is not _Silent:
            facts[wire.fact] = fact
        elif fact is _EMPTY:
            empty.append(wire)
    if empty:
        _erase(facts, empty, raw)
    return facts


def _is_newer(raw: Mapping[str, object]) -> bool:
    """Tell whether a sender of the newer generation filled this record."""
    for name in _NEWER_ONLY:  # noqa: SIM110  # a generator takes three times as long
        if name in raw and raw[name] not in (None, "", []):
            return True
    return False


def _erase(facts: dict[str, object], empty: Iterable[_Wire], raw: Mapping[str, object]) -> None:
    """Take empty fields as null while the dossier is open, and as absent otherwise.

    A sender that shows an open dossier with an empty finish date says that it is not finished; a
    sender that shows a closed one with empty fields has merely not filled them. A field of the
    newer generation says nothing when the record is of the older one.
    """
    if facts.get("status") not in OPEN_STATUSES:
        return
    is_newer = _is_newer(raw)
    for wire in empty:
        if wire.fact not in _NEVER_NULL and (is_newer or not wire.newer):
            facts[wire.fact] = None


def _settle_end(facts: dict[str, object]) -> dict[str, str]:
    """Give each date of an end its meaning under the status; return the fields that moved.

    Withdrawn and stopped: the finish date, else the refusal date, is the end and no finish.
    Finished or returned with a refusal date: refused with reasons, a result like any other, on
    the finish date or else on the refusal date. Finished without either date stays without:
    senders write 9 for dossiers that they have merely suspended.
    """
    status, refused_at = facts.get("status"), facts.get("ended_at")
    if status in (Status.WITHDRAWN, Status.STOPPED):
        finished_at = facts.get("finished_at")
        if finished_at is not None:
            facts["ended_at"] = finished_at
            del facts["finished_at"]
            return {"ended_at": "NgayKetThucXuLy"}
    elif status in (Status.FINISHED, Status.RETURNED) and refused_at is not None:
        del facts["ended_at"]
        facts["outcome"] = Outcome.REFUSED
        if facts.get("finished_at") is None:
            facts["finished_at"] = refused_at
            return {"finished_at": "NgayTuChoi"}
    return {}


_NUMBER_LENGTHS: Final = (9, 10, 12, 13)
"""Identity card, tax number, citizen number, tax number of a branch."""
_GAPS = re.compile(r"[\s.-]")


def _identity(raw: Mapping[str, object]) -> str | None:
    """Return the number of the applicant, to be hashed at once; dummies are none."""
    number = _real_number(raw.get("SoGiayToChuHoSo"))
    if number is None and "DinhDanhCHS" in raw:
        listed = map(_real_number, _listed_numbers(raw["DinhDanhCHS"]))
        number = next(filter(None, listed), None)
    return _real_number(raw.get("MaDoiTuong")) if number is None else number


def _listed_numbers(listed: object) -> list[object]:
    """Return the numbers of ``DinhDanhCHS``, citizen numbers first."""
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    rows.sort(key=lambda row: str(row.get("LoaiDinhDanh")) != "1")
    return [row.get("SoDinhDanh") for row in rows]


def _real_number(value: object) -> str | None:
    if type(value) is not str and type(value) is not int:
        return None
    number = str(value)[:_LONGEST_SCALAR]
    if not number.isdigit():
        number = _GAPS.sub("", number)
    is_number = number.isascii() and number.isdigit() and len(number) in _NUMBER_LENGTHS
    return number if is_number and not _is_dummy(number) else None


def _is_dummy(number: str) -> bool:
    """Tell a number that begins with six zeros, or has one digit all along."""
    return number.startswith("000000") or number.count(number[0]) == len(number)


# ------------------------------------------------------------------ rows of supplements

_ROW_DATES: Final = ("NgayBoSung", "NgayTiepNhanBoSung", "NgayHenTraTruoc", "NgayHenTraMoi")


def _pauses(value: object, faults: list[Fault]) -> tuple[PauseTold, ...]:
    """Read the rows of supplements as pauses; a row that names no beginning is passed over.

    An empty list says nothing: senders leave it empty whatever happened.
    """
    if value in (None, "", []):
        return ()
    pointer = f"/{_SUPPLEMENTS}"
    if not isinstance(value, list):
        faults += [fault.under(pointer) for fault in wrong_type(value, "record.not_list").faults]
        return ()
    if len(value) > MAX_ITEMS:
        limit = {"limit": str(MAX_ITEMS)}
        faults.append(Fault(pointer, "record.too_many_items", limit))
        return ()
    found: list[PauseTold] = []
    for index, row in enumerate(value):
        try:
            found += _pause(row)
        except Flaw as error:
            faults += [fault.under(f"{pointer}/{index}") for fault in error.faults]
    return in_order(found)


def _pause(row: object) -> tuple[PauseTold, ...]:
    """Read one row; a row without the day of the request is no pause."""
    if not isinstance(row, dict):
        raise wrong_type(row, "record.not_object")
    dates, faults = {}, []
    for name in _ROW_DATES:
        try:
            value = _scalar(row.get(name))
            dates[name] = wire_instant(value) if value else None
        except Flaw as error:
            faults += [fault.under(f"/{name}") for fault in error.faults]
    if faults:
        raise Flaw(*faults)
    started_at, ended_at = dates["NgayBoSung"], dates["NgayTiepNhanBoSung"]
    if started_at is None:
        return ()
    if ended_at is not None and ended_at < started_at:
        raise Flaw(Fault("/NgayTiepNhanBoSung", "record.pause_backwards"))
    kind = PauseKind.SUPPLEMENT.value
    due = dates["NgayHenTraMoi"], dates["NgayHenTraTruoc"]
    return (PauseTold(kind, started_at, ended_at, *due),)


# ------------------------------------------------------------------ one step


def read_step(raw: object, *, now: datetime) -> EventIn | tuple[Fault, ...]:
    """Read one element of ``CapNhatTienDoHoSoMC`` as a step, or list what is wrong with it.

    A step may arrive before its dossier. Who acted and what was written are never read.
    """
    if not isinstance(raw, dict):
        return wrong_type(raw, "record.not_object").faults
    faults: list[Fault] = []
    code = _required_code(raw, faults)
    at = _required(raw, "ThoiDiemXuLy", wire_instant, faults)
    status = _required(raw, "TrangThai", wire_status, faults)
    if isinstance(at, datetime) and at > now + AHEAD:
        faults.append(Fault("/ThoiDiemXuLy", "record.too_far_ahead"))
    if faults or code is None or not isinstance(at, datetime):
        return bounded(faults)
    return EventIn(
        code=code,
        kind=MessageKind.STEP,
        at=at,
        source_updated_at=at,
        told=told_of({} if status is None else {"status": status}),
    )


def _required(raw: Mapping[str, object], name: str, read: _Words, faults: list[Fault]) -> object:
    try:
        value = _scalar(raw.get(name))
        if value:
            return read(value)
        faults.append(Fault(f"/{name}", "record.required"))
    except Flaw as error:
        faults += [fault.under(f"/{name}") for fault in error.faults]
    return None


def code_in(raw: object) -> str:
    """Return ``MaHoSo`` of a record if it can be shown again, else the empty text."""
    if not isinstance(raw, dict):
        return ""
    code = _required_code(raw, [])
    return "" if code is None or is_personal(code) else code


# ------------------------------------------------------------------ for the quarantine

_DATE_FIELDS: Final = frozenset(
    {name for name, wire in _FIELDS.items() if wire.check is _instant}
    | {*_ROW_DATES, "ThoiDiemXuLy", "NgayBatDau", "NgayKetThucTheoQuyDinh"}
)
_LIST_FIELDS: Final = frozenset(
    {
        *("TrangThaiHoSo", "TrangThai", "KenhThucHien", "LoaiDoiTuong", "HinhThuc"),
        *("HoSoCoThanhPhanSoHoa", "DuocThanhToanTrucTuyen"),
    }
)
_CODE_FIELDS: Final = frozenset({"MaHoSo", "MaTTHC", "MaHoSoKhac"})
_DATE_LIKE = re.compile(r"[0-9]{0,14}", re.ASCII)
_ENTRY_LIKE = re.compile(r"[0-9A-Za-z]{0,8}", re.ASCII)
_CODE_LIKE = re.compile(r"[^\s\ufffd]{0,100}")
_ANY_NAME = re.compile(r"[^\x00-\x1f\ufffd]{0,200}")


def _kept(value: object, shape: re.Pattern[str]) -> object:
    if value is None or isinstance(value, bool):
        return value
    text_of_value = str(value) if isinstance(value, str | int) else LOST
    is_kept = shape.fullmatch(text_of_value) and not is_personal(text_of_value)
    return text_of_value if is_kept else LOST


def _kept_rows(value: object) -> object:
    if isinstance(value, list) and len(value) <= MAX_ITEMS:
        return [
            {name: _kept(row[name], _DATE_LIKE) for name in _ROW_DATES if name in row}
            if isinstance(row, dict)
            else LOST
            for row in value
        ]
    return value if value is None or value == "" else LOST


_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys(_DATE_FIELDS - set(_ROW_DATES), _DATE_LIKE),
    **dict.fromkeys(_LIST_FIELDS, _ENTRY_LIKE),
    **dict.fromkeys(_CODE_FIELDS, _CODE_LIKE),
    "DonViXuLy": _ANY_NAME,
}


def strip(raw: object) -> dict[str, object]:
    """Return what may be kept of a record that was not accepted: no person, no free text.

    A listed field with a value of another shape becomes ``LOST``, which no reader accepts.
    """
    if not isinstance(raw, dict):
        return {}
    found = {name: _kept(raw[name], shape) for name, shape in _SHAPES.items() if name in raw}
    if _SUPPLEMENTS in raw:
        found[_SUPPLEMENTS] = _kept_rows(raw[_SUPPLEMENTS])
    return found


# ------------------------------------------------------------------ answers

Say: TypeAlias = Callable[[str, Mapping[str, str]], str]
"""Gives the Vietnamese sentence of a code; senders of this format read no other language."""


@immutable
class Reply:
    """What became of one record: taken (``fault`` is None) or set aside with its first fault.

    ``existed`` is true when the sender meant to insert a dossier that was known already.
    """

    code: str
    existed: bool = False
    fault: Fault | None = None


Answer: TypeAlias = dict[str, object]


def answer(replies: Sequence[Reply], *, say: Say) -> Answer:
    """Return the answer to a call: success only when every record was taken.

    Senders look for "thành công" and "đã tồn tại" in the messages, so the sentences of success
    hold these words and no other sentence does.
    """
    refused = [reply.fault for reply in replies if reply.fault is not None]
    taken = len(replies) - len(refused)
    existed = sum(reply.existed for reply in replies if reply.fault is None)
    counts = {"taken": str(taken), "sent": str(len(replies)), "existed": str(existed)}
    code, sentence = AnswerCode.TAKEN, "national.taken"
    if refused:
        code, sentence = AnswerCode.NOT_TAKEN, "national.not_all_taken"
        counts["reason"] = _reason(refused[0], say)
    elif existed:
        all_existed = existed == len(replies)
        sentence = "national.existed" if all_existed else "national.some_existed"
    new, known_already = say("national.taken", {}), say("national.existed", {})
    results = [
        _result(_TAKEN, reply.code, known_already if reply.existed else new)
        if reply.fault is None
        else _result(_NOT_TAKEN, reply.code, _reason(reply.fault, say))
        for reply in replies
    ]
    return {"error_code": code.value, "message": say(sentence, counts), "result": results}


_TAKEN: Final = AnswerCode.TAKEN.value
_NOT_TAKEN: Final = AnswerCode.NOT_TAKEN.value


def _result(code: str, number: str, sentence: str) -> Answer:
    return {"MaHoSo": number, "error_code": code, "message": sentence}


def _reason(fault: Fault, say: Say) -> str:
    where = fault.pointer.lstrip("/")
    sentence = say(fault.code, fault.params)
    return f"{where}: {sentence}" if where else sentence


def refusal(code: AnswerCode, error: AppError, *, say: Say) -> Answer:
    """Return the answer to a call that could not be read or may not be made."""
    return failure(code, error.code, error.params, say=say)


def failure(code: AnswerCode, sentence: str, params: Mapping[str, str], *, say: Say) -> Answer:
    """Return the answer of a failure by the code of its sentence."""
    return {"error_code": code.value, "message": say(sentence, params), "result": []}


def signed_in(session: str, *, say: Say) -> Answer:
    """Return the answer to a login that gave a session."""
    return {
        "error_code": AnswerCode.TAKEN.value,
        "message": say("national.signed_in", {}),
        "session": session,
    }


def not_signed_in(*, say: Say) -> Answer:
    """Return the answer to a login with a wrong name or password."""
    return {
        "error_code": AnswerCode.SIGN_IN.value,
        "message": say("national.not_signed_in", {}),
        "session": "",
    }
