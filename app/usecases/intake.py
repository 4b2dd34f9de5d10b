"""From what a door decoded to what ingest takes in: one reader per wire format."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from app.domain.faults import Fault
from app.domain.record import MessageKind, Told
from app.feeds import igate, national, native
from app.feeds.reading import EventIn, RecordIn
from app.feeds.table import Row, RowReader
from app.store import access, units
from app.store.session import WriteSession
from app.usecases import ingest
from app.usecases.access import Principal, Scope
from app.usecases.ingest import Incoming, Sender, Unreadable, Verdict

Hash = Callable[[str], str]
"""Turns the number of an applicant into a keyed hash."""

_BLOCK: Final = 64
"""Bytes of a block of SHA-256."""

_RECORD: Final = MessageKind.RECORD
SUPERIORS_ONLY = frozenset({MessageKind.VOID})
"""Events that only a superior unit may tell, with a reason (``dossiers:correct``)."""


class Form(StrEnum):
    """The wire formats; a record in quarantine remembers its own."""

    NATIVE = "native"
    NATIVE_EVENT = "native-event"
    NATIONAL = "national"
    NATIONAL_STEP = "national-step"


IMPORT: Final = "import"
"""The door of files, whose rows wait in quarantine in the native form."""
PULL: Final = "pull"
"""The door of feeds that we ask ourselves; likewise."""


class Reader(Protocol):
    """Reads one decoded value into what is taken in, or into what is wrong with it."""

    def __call__(self, raw: object) -> RecordIn | EventIn | tuple[Fault, ...]:
        """Return the record or event, or its faults."""


@lru_cache(maxsize=8)
def hasher(key: bytes) -> Hash:
    """Return the keyed hash of applicants; without the key nobody can tell a number from it.

    It is the HMAC-SHA256 of the number. What depends on the key alone is prepared once: RFC 2104
    hashes a block made of the key before the text, and another before the hash of that.
    """
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def hash_applicant(number: str) -> str:
        first, last = inner.copy(), outer.copy()
        first.update(number.encode())
        last.update(first.digest())
        return last.hexdigest()

    return hash_applicant


def hasher_of(secret: bytes) -> Hash:
    """Return the keyed hash of applicants of an installation, whatever door they come through."""
    return hasher(hmac.digest(secret, b"dunghan applicant", hashlib.sha256))


def sender_by_name(session: WriteSession, *, source: str, unit: str | None) -> Sender:
    """Return a sender without a key: an operator who speaks for a source, of a part of the units.

    :raises UnitUnknown: no unit has this code.
    """
    source_id, _ = access.ensure_source(session, source, name=source)
    if unit is None:
        return Sender(source_id, None, None, *access.WHOLE)
    root = units.get(session, unit)
    return Sender(source_id, None, root.id, root.lft, root.rgt)


def sender_of(who: Principal, *, source_id: int | None = None) -> Sender:
    """Return who sends with a key; a superior may speak of another source's dossiers."""
    return Sender(
        source_id=who.source_id if source_id is None else source_id,
        key_id=who.key_id,
        unit_id=who.unit_id,
        lft=who.lft,
        rgt=who.rgt,
    )


def native_records(
    session: WriteSession,
    raws: Iterable[object],
    *,
    who: Principal,
    hash_applicant: Hash,
    now: datetime,
    code: str | None = None,
) -> list[Verdict]:
    """Take in full records in the native form.

    ``code`` is the number in the path of the request, when there is one.
    """
    records = read_native(raws, hash_applicant=hash_applicant, now=now, code=code)
    return ingest.accept(session, records, by=sender_of(who), door=Form.NATIVE, now=now)


def read_native(
    raws: Iterable[object], *, hash_applicant: Hash, now: datetime, code: str | None = None
) -> Sequence[Incoming | Unreadable]:
    """Read full records in the native form; ``code`` is the number in the path, if any."""

    def read(raw: object) -> RecordIn | tuple[Fault, ...]:
        return native.read_record(raw, code=code, now=now, hash_applicant=hash_applicant)

    return _read_all(raws, read, strip=native.strip, code_in=lambda raw: code or _code(raw))


def native_events(
    session: WriteSession,
    raws: Iterable[object],
    *,
    who: Principal,
    now: datetime,
    code: str | None = None,
    source_id: int | None = None,
) -> list[Verdict]:
    """Take in events in the native form.

    A correction told with the scope ``dossiers:correct`` is an approved one; a void needs that
    scope. ``source_id`` is the source whose dossier a superior speaks of.
    """
    is_superior = Scope.DOSSIERS_CORRECT in who.scopes

    def read(raw: object) -> EventIn | tuple[Fault, ...]:
        return _read_event(raw, code=code, is_superior=is_superior, now=now)

    records = _read_all(raws, read, strip=native.strip, code_in=lambda raw: code or _code(raw))
    by = sender_of(who, source_id=source_id if is_superior else None)
    return ingest.accept(session, records, by=by, door=Form.NATIVE_EVENT, now=now)


def _read_event(
    raw: object, *, code: str | None, is_superior: bool, now: datetime
) -> EventIn | tuple[Fault, ...]:
    event = native.read_event(raw, code=code, now=now)
    if not isinstance(event, EventIn):
        return event
    if event.kind in SUPERIORS_ONLY and not is_superior:
        return (Fault("/kind", "event.superiors_only"),)
    if event.kind is MessageKind.CORRECTION:
        told: Told = {**event.told, "approved": is_superior}
        return replace(event, told=told)
    return event


def read_national_dossiers(
    raws: Iterable[object], *, unit: str | None, hash_applicant: Hash, now: datetime
) -> Sequence[Incoming | Unreadable]:
    """Read the elements of ``DongBoHoSoMC``; ``unit`` is the sender's own identifier."""

    def read(raw: object) -> RecordIn | tuple[Fault, ...]:
        return national.read_dossier(raw, unit=unit, now=now, hash_applicant=hash_applicant)

    def strip(raw: object) -> Mapping[str, Any]:
        kept = national.strip(raw)
        return kept if unit is None or kept.get("DonViXuLy") else {**kept, "DonViXuLy": unit}

    return _read_all(raws, read, strip=strip, code_in=national.code_in)


def read_national_steps(
    raws: Iterable[object], *, now: datetime
) -> Sequence[Incoming | Unreadable]:
    """Read the elements of ``CapNhatTienDoHoSoMC``; they may precede their dossier."""

    def read(raw: object) -> EventIn | tuple[Fault, ...]:
        return national.read_step(raw, now=now)

    return _read_all(raws, read, strip=national.strip, code_in=national.code_in)


def table_rows(
    session: WriteSession,
    rows: Iterable[Row],
    *,
    reader: RowReader,
    by: Sender,
    hash_applicant: Hash,
    now: datetime,
) -> list[Verdict]:
    """Take in rows of a file; the index of a verdict is the place among ``rows``."""
    found: list[Incoming | Unreadable] = []
    for index, row in enumerate(rows):
        one = reader.read(row, now=now, hash_applicant=hash_applicant)
        if isinstance(one, RecordIn):
            found.append(_incoming(index, one, row, reader.strip))
        else:
            found.append(Unreadable(index, reader.code_in(row), reader.strip(row), one))
    return ingest.accept(session, found, by=by, door=IMPORT, now=now)


def igate_items(
    session: WriteSession,
    items: Iterable[object],
    *,
    statuses: igate.Statuses,
    by: Sender,
    hash_applicant: Hash,
    now: datetime,
) -> list[Verdict]:
    """Take in items of iGate's search; ``statuses`` says what its numbers mean."""

    def read(raw: object) -> RecordIn | tuple[Fault, ...]:
        return igate.read_item(raw, statuses=statuses, now=now, hash_applicant=hash_applicant)

    def strip(raw: object) -> Mapping[str, Any]:
        return igate.strip(raw, statuses=statuses)

    records = _read_all(items, read, strip=strip, code_in=igate.code_in)
    return ingest.accept(session, records, by=by, door=PULL, now=now)


def read_again(
    form: Form,
    raw: object,
    *,
    code: str | None,
    who: Principal,
    hash_applicant: Hash,
    now: datetime,
) -> Incoming | tuple[Fault, ...]:
    """Read one value that was not accepted before, or say what is still wrong with it.

    ``code`` is the number of the dossier as it was known then, for a value that does not name it.
    """
    one = _read_again(form, raw, code=code, who=who, hash_applicant=hash_applicant, now=now)
    return _incoming(0, one) if isinstance(one, RecordIn | EventIn) else one


def _read_again(
    form: Form,
    raw: object,
    *,
    code: str | None,
    who: Principal,
    hash_applicant: Hash,
    now: datetime,
) -> RecordIn | EventIn | tuple[Fault, ...]:
    match form:
        case Form.NATIVE:
            return native.read_record(raw, code=code, now=now, hash_applicant=hash_applicant)
        case Form.NATIVE_EVENT:
            is_superior = Scope.DOSSIERS_CORRECT in who.scopes
            return _read_event(raw, code=code, is_superior=is_superior, now=now)
        case Form.NATIONAL:
            return national.read_dossier(raw, unit=None, now=now, hash_applicant=hash_applicant)
        case Form.NATIONAL_STEP:
            return national.read_step(raw, now=now)


def _code(raw: object) -> str | None:
    return native.code_in(raw)


def _read_all(
    raws: Iterable[object],
    read: Reader,
    *,
    strip: Callable[[object], Mapping[str, Any]],
    code_in: Callable[[object], str | None],
) -> Sequence[Incoming | Unreadable]:
    found: list[Incoming | Unreadable] = []
    for index, raw in enumerate(raws):
        if isinstance(raw, Fault):
            found.append(Unreadable(index, None, {}, (raw,)))
            continue
        one = read(raw)
        if isinstance(one, tuple):
            found.append(Unreadable(index, code_in(raw) or None, strip(raw), one))
        else:
            found.append(_incoming(index, one, raw, strip))
    return found


def _incoming(
    index: int,
    one: RecordIn | EventIn,
    raw: Any = None,
    strip: Callable[[Any], Mapping[str, Any]] | None = None,
) -> Incoming:
    stamp, stamped = one.source_updated_at, one.stamped
    if isinstance(one, EventIn):
        return Incoming(index, one.code, one.kind, one.at, stamp, stamped, one.told, raw, strip)
    return Incoming(index, one.code, _RECORD, stamp, stamp, stamped, one.told, raw, strip)
