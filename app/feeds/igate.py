"""Dossiers as iGate shows them in its search, into records.

The numbers of its statuses differ between installations, so none is taken for granted: the
operator says what they mean, or the status carries a name that is known, or the day of completion
stands. Names of applicants, forms and free text are never read.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.domain.faults import Fault
from app.domain.record import OPEN_STATUSES, Channel, Status
from app.feeds import native
from app.feeds.national import is_unit_code, procedure_code
from app.feeds.reading import MAX_CODE, MAX_NAME, Flaw, Hash, RecordIn, bounded, instant
from app.feeds.words import CHANNELS, STATUSES, fold

_DATES: Final[Mapping[str, str]] = {
    "appliedDate": "submitted_at",
    "acceptedDate": "received_at",
    "appointmentDate": "due_at",
    "completedDate": "finished_at",
    "updatedDate": "source_updated_at",
}
_NULLED: Final = frozenset({"appointmentDate", "completedDate"})
"""Dates that an open dossier may have lost again."""

POINTERS: Final[Mapping[str, str]] = {
    **{fact: name for name, fact in _DATES.items()},
    "code": "code",
    "other_codes": "nationCode",
    "unit": "agency/name",
    "procedure": "procedure/code",
    "channel": "applyMethod/name",
    "status": "dossierStatus/id",
}
"""Where in an item each fact stands, for the faults."""

_SHORT_OFFSET = re.compile(r"(.*T[\d:.]+[+-]\d\d)(\d\d)", re.ASCII)

Statuses = Mapping[str, Status]
"""What the operator says of the numbers of statuses."""


def native_of(item: Mapping[str, Any], *, statuses: Statuses) -> dict[str, object]:
    """Return an item as a record in the native form; nothing is checked yet."""
    status = _status(item, statuses)
    found: dict[str, object] = {}
    for name, fact in _DATES.items():
        value = item.get(name)
        if isinstance(value, str) and value.strip():
            found[fact] = _offset(value.strip())
        elif value is not None and value != "":
            found[fact] = value
        elif name in item and name in _NULLED and status in OPEN_STATUSES:
            found[fact] = None
    texts = {
        "code": _text(item.get("code")),
        "unit": _unit(item.get("agency")),
        "procedure": _procedure(item.get("procedure")),
    }
    found |= {name: text for name, text in texts.items() if text}
    if status is not None:
        found["status"] = status.value
    method = _name(item.get("applyMethod"))
    if method:
        found["channel"] = CHANNELS.get(fold(method), Channel.UNKNOWN).value
    national = _text(item.get("nationCode"))
    if national and national != found.get("code"):
        found["other_codes"] = [national]
    return found


def read_item(
    raw: object, *, statuses: Statuses, now: datetime, hash_applicant: Hash
) -> RecordIn | tuple[Fault, ...]:
    """Read one item of the search, or list everything that is wrong with it."""
    if not isinstance(raw, dict):
        return (Fault("", "pull.item_not_object"),)
    record = native_of(raw, statuses=statuses)
    found = native.read_record(record, code=None, now=now, hash_applicant=hash_applicant)
    return found if isinstance(found, RecordIn) else bounded([_at_item(one) for one in found])


def strip(raw: object, *, statuses: Statuses) -> dict[str, object]:
    """Return what may be kept of an item that was not accepted, in the native form."""
    return native.strip(native_of(raw, statuses=statuses)) if isinstance(raw, dict) else {"?": 1}


def code_in(raw: object) -> str | None:
    """Return the number of the dossier that an item names, if it can be shown again."""
    return native.code_in(raw)


def updated_at(raw: object) -> datetime | None:
    """Return when an item was last changed, None if that is not told or not readable."""
    value = raw.get("updatedDate") if isinstance(raw, dict) else None
    if not isinstance(value, str):
        return None
    try:
        return instant(_offset(value.strip()))
    except Flaw:
        return None


def _at_item(fault: Fault) -> Fault:
    fact, _, rest = fault.pointer.removeprefix("/").partition("/")
    place = POINTERS.get(fact)
    if place is None:
        return fault
    return Fault(f"/{place}" + (f"/{rest}" if rest else ""), fault.code, fault.params)


def _offset(value: str) -> str:
    """Return an instant with its offset as RFC 3339 has it: Java writes ``+0700``."""
    match = _SHORT_OFFSET.fullmatch(value)
    return value if match is None else f"{match[1]}:{match[2]}"


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _name(value: object) -> str:
    """Return the name of a thing: told plainly, or the first of its translations."""
    if not isinstance(value, dict):
        return ""
    for told in (value.get("name"), value.get("translate")):
        if isinstance(told, str) and told.strip():
            return told.strip()
        if isinstance(told, list):
            names = (_text(one.get("name")) for one in told if isinstance(one, dict))
            first = next(filter(None, names), "")
            if first:
                return first
    return ""


def _unit(agency: object) -> str:
    code = _text(agency.get("code")) if isinstance(agency, dict) else ""
    return code if is_unit_code(code) else _name(agency)[:MAX_NAME]


def _procedure(procedure: object) -> str:
    """Return the code of a procedure, else as much of its name as a word for it may be long."""
    code = _text(procedure.get("code")) if isinstance(procedure, dict) else ""
    return procedure_code(code) if code else _name(procedure)[:MAX_CODE].strip()


def _status(item: Mapping[str, Any], statuses: Statuses) -> Status | None:
    told = item.get("dossierStatus")
    number = _text(told.get("id")) if isinstance(told, dict) else ""
    found = statuses.get(number) or STATUSES.get(fold(_name(told)))
    if found is None and item.get("completedDate"):
        return Status.FINISHED
    return found
