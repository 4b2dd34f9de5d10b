"""What every feed needs to read a record: checkers of single values, and what they bring back.

A checker takes a value as it came and returns it as the domain wants it, or raises ``Flaw`` with
everything that is wrong with it. A reader collects the flaws of a whole record and reports them
together.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from msgspec.json import Encoder

from app.domain.canonical import parts_of
from app.domain.faults import Fault
from app.domain.record import MessageKind, PauseTold, Told
from app.domain.values import immutable
from app.feeds.body import find_broken
from app.feeds.masking import LOST, field_name, mask

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

FIRST_YEAR, LAST_YEAR = 2000, 2100
_OPEN_END = datetime(LAST_YEAR + 2, 1, 1, tzinfo=UTC)

AHEAD = timedelta(days=1)
"""How far ahead of its arrival a date of something that happened may lie: clocks differ."""

MAX_CODE = 100
MAX_NAME = 200
MAX_TEXT = 500
MAX_ITEMS = 200
MAX_OTHER_CODES = 20
MAX_FAULTS = 50

HAPPENED = (
    "submitted_at",
    "received_at",
    "finished_at",
    "ended_at",
    "returned_at",
    "entered_at",
)
"""Facts that say when something happened, so that they cannot lie ahead."""

NO_POINTERS: Mapping[str, str] = MappingProxyType({})

Hash: TypeAlias = Callable[[str], str]
"""Turns the number of an applicant into a keyed hash; the number itself is never kept."""

_Value = TypeVar("_Value")

Checker: TypeAlias = Callable[[object], object]


@immutable
class RecordIn:
    """A full record as a source sees a dossier now, read and checked.

    ``source_updated_at`` is the stamp of the sender, or without one (``stamped`` is false) the
    newest date in the record, or its arrival.
    """

    code: str
    source_updated_at: datetime
    stamped: bool
    told: Told


@immutable
class EventIn:
    """One event of a dossier, read and checked; ``at`` is when it happened."""

    code: str
    kind: MessageKind
    at: datetime
    source_updated_at: datetime
    told: Told
    stamped: bool = True


class Flaw(Exception):
    """What is wrong with one value: faults with pointers relative to it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*(fault.code for fault in faults))
        self.faults = faults


def flaw(code: str, **params: str) -> Flaw:
    """Return the flaw of a value as a whole."""
    return Flaw(Fault("", code, params))


def wrong_type(value: object, code: str) -> Flaw:
    """Return the flaw of a value of the wrong type; a place broken in the body keeps its fault."""
    broken = find_broken(value)
    return flaw(code) if broken is None else flaw(broken.error.code, **broken.error.params)


# ------------------------------------------------------------------ single values


def text(limit: int) -> Callable[[object], str]:
    """Return a checker of codes and names: NFC, trimmed, one line, at most ``limit`` long."""

    def check(value: object) -> str:
        if type(value) is str and value.isascii() and value.isprintable() and len(value) <= limit:
            found = value.strip()
            if found:
                return found
        return _odd_text(value, limit)

    return check


def _odd_text(value: object, limit: int) -> str:
    if type(value) is not str:
        raise wrong_type(value, "record.not_text")
    if len(value) > 4 * limit:
        raise flaw("record.too_long", limit=str(limit))
    found = unicodedata.normalize("NFC", value).strip()
    if not found:
        raise flaw("record.empty")
    if LOST in found:
        raise flaw("record.broken_text")
    if not found.isprintable():
        raise flaw("record.control_character")
    if len(found) > limit:
        raise flaw("record.too_long", limit=str(limit))
    return found


MOST_KNOWN = 8_192


def remember(memory: dict[str, _Value], text: str, value: _Value) -> None:
    """Keep what a text means, in a memory that begins anew when it is full."""
    if len(memory) >= MOST_KNOWN:
        memory.clear()
    memory[text] = value


def known(check: Checker) -> Checker:
    """Return the same checker with a memory for the words that come in many records.

    Only a text that is fine as it stands is remembered, so nothing stays that was masked.
    """
    fine: dict[str, object] = {}

    def look(value: object) -> object:
        found = fine.get(value) if type(value) is str else None
        if found is None:
            found = check(value)
            if type(value) is str and found == value:
                remember(fine, value, found)
        return found

    return look


def note(limit: int) -> Callable[[object], str]:
    """Return a checker of short notes, such as the number of a document: masked, one line."""

    def check(value: object) -> str:
        if type(value) is not str:
            raise wrong_type(value, "record.not_text")
        if len(value) > limit:
            raise flaw("record.too_long", limit=str(limit))
        found = " ".join(unicodedata.normalize("NFC", value).split())
        if not found:
            raise flaw("record.empty")
        if not found.isprintable():
            raise flaw("record.control_character")
        return mask(found)

    return check


def flag(value: object) -> bool:
    """Accept true and false only."""
    if isinstance(value, bool):
        return value
    raise wrong_type(value, "record.not_boolean")


def number(low: int, high: int) -> Callable[[object], int]:
    """Return a checker of whole numbers from ``low`` to ``high``; true is not a number."""

    def check(value: object) -> int:
        if type(value) is not int:
            raise wrong_type(value, "record.not_number")
        if low <= value <= high:
            return value
        raise flaw("record.number_range", low=str(low), high=str(high))

    return check


_Choice = TypeVar("_Choice", bound=StrEnum)
_Item = TypeVar("_Item")


def choice(kind: type[_Choice]) -> Callable[[object], _Choice]:
    """Return a checker of a closed vocabulary; its words stand in the fault."""
    words: dict[object, _Choice] = {member.value: member for member in kind}

    def check(value: object) -> _Choice:
        found = words.get(value) if type(value) is str else None
        if found is None:
            raise not_among(value, words)
        return found

    return check


def not_among(value: object, words: Mapping[object, object] | Sequence[str]) -> Flaw:
    """Return the flaw of a value outside its vocabulary."""
    if type(value) is not str:
        return wrong_type(value, "record.not_text")
    return flaw("record.not_among", allowed=", ".join(map(str, words)))


NO_HOUR = "24"
"""The hour that ends a day in ISO 8601 and is none in RFC 3339; newer Pythons would read it."""

_MOMENT = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,12})?"
_INSTANT = re.compile(_MOMENT + r"(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NAIVE = re.compile(_MOMENT, re.ASCII)
_SHIFTS = {
    f"{sign}{hours:02}:{minutes:02}": timedelta(hours=hours, minutes=minutes) * int(f"{sign}1")
    for sign in "+-"
    for hours in range(15)
    for minutes in (0, 30, 45)
} | {"Z": timedelta()}
"""The offsets in use, so that an instant in the usual form is read without a pattern."""


_HOURS: dict[str, datetime] = {}
_RESTS: dict[str, timedelta] = {}
"""The halves of instants in the usual form: the day with its hour, and minute, second and offset.
A month has some hundred of the first and an offset 3,600 of the other, so most instants are two
look-ups and a sum."""


def instant(value: object) -> datetime:
    """Accept an instant of RFC 3339 with its offset, in the years 2000–2100; give it in UTC."""
    if type(value) is str:
        hour, rest = _HOURS.get(value[:13]), _RESTS.get(value[13:])
        if hour is not None and rest is not None:
            return hour + rest
        shift = _SHIFTS.get(value[19:])
        if shift is not None and value[4:17:3] == "--T::":
            return _usual_instant(value, shift)
    return _odd_instant(value)


def _usual_instant(value: str, shift: timedelta) -> datetime:
    if value[11:13] == NO_HOUR:
        raise flaw("record.not_instant")
    try:
        moment = datetime.fromisoformat(value[:19] + "Z")
    except ValueError:
        raise flaw("record.not_instant") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise out_of_years()
    hour = moment.replace(minute=0, second=0)
    remember(_HOURS, value[:13], hour)
    remember(_RESTS, value[13:], moment - hour - shift)
    return moment - shift


def _odd_instant(value: object) -> datetime:
    if type(value) is not str:
        raise wrong_type(value, "record.not_instant")
    if _INSTANT.fullmatch(value) is None:
        is_naive = _NAIVE.fullmatch(value) is not None
        raise flaw("record.naive_instant" if is_naive else "record.not_instant")
    if value[11:13] == NO_HOUR:
        raise flaw("record.not_instant")
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise flaw("record.not_instant") from None
    if FIRST_YEAR <= moment.year <= LAST_YEAR:
        return moment.astimezone(UTC)
    raise out_of_years()


def out_of_years() -> Flaw:
    """Return the flaw of a date that lies in no year of this service."""
    return flaw("record.year_range", first=str(FIRST_YEAR), last=str(LAST_YEAR))


def list_of(check: Callable[[object], _Item], limit: int) -> Callable[[object], tuple[_Item, ...]]:
    """Return a checker of lists, which reports the flaws of all items by their index."""

    def check_all(value: object) -> tuple[_Item, ...]:
        if type(value) is not list:
            raise wrong_type(value, "record.not_list")
        if len(value) > limit:
            raise flaw("record.too_many_items", limit=str(limit))
        found: list[_Item] = []
        faults: list[Fault] = []
        for index, item in enumerate(value):
            try:
                found.append(check(item))
            except Flaw as error:
                faults += [fault.under(f"/{index}") for fault in error.faults]
        if faults:
            raise Flaw(*faults)
        return tuple(found)

    return check_all


# ------------------------------------------------------------------ whole objects


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that an object may have, each with its checker.

    ``elsewhere`` are names that other objects of the same door have, so that the fault can say
    that the name is known but does not belong here.
    """

    checkers: Mapping[str, Checker]
    required: tuple[str, ...] = ()
    not_null: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    spellings: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the spellings by which a misspelt name is recognised."""
        spellings: dict[str, str] = {}
        for name in self.checkers:
            letters = _letters(name)
            for index in range(len(letters)):
                spellings.setdefault(letters[:index] + letters[index + 1 :], name)
        spellings.update({_letters(name): name for name in self.checkers})
        object.__setattr__(self, "spellings", spellings)


def _letters(name: str) -> str:
    """Return the letters of a name in order: the same for swapped letters and other cases."""
    return "".join(sorted(name.replace("_", "").lower()))


def read_fields(raw: Mapping[str, object], fields: Fields) -> tuple[dict[str, object], list[Fault]]:
    """Check an object field by field; unknown names are faults, null stays None."""
    facts: dict[str, object] = {}
    faults: list[Fault] = []
    check_of, not_null = fields.checkers.get, fields.not_null
    for name, value in raw.items():
        check = check_of(name)
        if check is not None and value is not None:
            try:
                facts[name] = check(value)
            except Flaw as error:
                faults += [fault.under(f"/{name}") for fault in error.faults]
        elif check is not None and name not in not_null:
            facts[name] = None
        else:
            faults.append(_unknown_field(name, fields) if check is None else _null(name))
            if len(faults) > MAX_FAULTS:
                break
    for name in fields.required:
        if name not in raw:
            faults.append(Fault(f"/{name}", "record.required"))
    return facts, faults


def bounded(faults: list[Fault]) -> tuple[Fault, ...]:
    """Return the faults of a record, no more than a person will read."""
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    return (
        *faults[:MAX_FAULTS],
        Fault("", "record.too_many_faults", {"limit": str(MAX_FAULTS)}),
    )


def _null(name: str) -> Fault:
    return Fault(f"/{name}", "record.null")


def _unknown_field(name: str, fields: Fields) -> Fault:
    shown = field_name(name)
    if shown is None:
        return Fault("", "record.unknown_field_unnamed")
    if shown in fields.elsewhere:
        return Fault(f"/{shown}", "record.field_elsewhere", {"name": shown})
    similar = fields.spellings.get(_letters(shown))
    if similar is None:
        return Fault(f"/{shown}", "record.unknown_field", {"name": shown})
    return Fault(f"/{shown}", "record.misspelt_field", {"name": shown, "similar": similar})


def contradictions(
    facts: Mapping[str, Any], *, now: datetime, pointers: Mapping[str, str] = NO_POINTERS
) -> list[Fault]:
    """List what cannot be true: dates ahead of their arrival, a finish on a day before receipt.

    The finish is ``finished_at``, or ``returned_at`` while no finish is told. ``pointers`` names
    the field of a fact where it is spelled otherwise.
    """
    horizon = now + AHEAD
    told = facts.get
    faults: list[Fault] = []
    for name in HAPPENED:
        moment = told(name)
        if moment is not None and moment > horizon:
            faults.append(Fault(f"/{pointers.get(name, name)}", "record.too_far_ahead"))
    finish = "finished_at" if told("finished_at") is not None else "returned_at"
    finished_at, received_at = told(finish), told("received_at")
    if received_at is not None and finished_at is not None and finished_at < received_at:
        received_on = received_at.astimezone(ZONE).date()
        finished_on = finished_at.astimezone(ZONE).date()
        if finished_on < received_on:
            days = {"received_on": str(received_on), "finished_on": str(finished_on)}
            pointer = f"/{pointers.get(finish, finish)}"
            faults.append(Fault(pointer, "record.finished_before_received", days))
    return faults


def in_order(pauses: Iterable[PauseTold]) -> tuple[PauseTold, ...]:
    """Return pauses by their start, each once: order and repetition say nothing."""
    return tuple(sorted(set(pauses), key=_span))


def _span(pause: PauseTold) -> tuple[datetime, datetime, str, datetime, datetime]:
    return (
        pause.started_at,
        pause.ended_at or _OPEN_END,
        pause.kind,
        pause.new_due_at or _OPEN_END,
        pause.old_due_at or _OPEN_END,
    )


def newest(facts: Mapping[str, object], *, now: datetime) -> datetime:
    """Return the newest date on which something happened, not after ``now``; else ``now``.

    Due dates and new due dates do not count: they lie ahead and would outrank all later news.
    """
    found: datetime | None = None
    for name in HAPPENED:
        moment = facts.get(name)
        if isinstance(moment, datetime) and (found is None or moment > found):
            found = moment
    pauses = facts.get("pauses")
    if isinstance(pauses, tuple):
        moments = [moment for pause in pauses for moment in (pause.started_at, pause.ended_at)]
        found = max((one for one in (found, *moments) if one is not None), default=None)
    return now if found is None or found > now else found


# ------------------------------------------------------------------ the seal


def canonical_bytes(told: Told) -> bytes:
    """Write what was told as ``app.domain.canonical.text_of`` does, ten times as fast."""
    if "pauses" not in told and "extension" not in told:
        return _write(told)
    plain: dict[str, object] = {**told}
    for name in ("pauses", "extension"):
        if plain.get(name) is not None:
            plain[name] = _parts(plain[name])
    return _write(plain)


def _parts(value: object) -> object:
    """Return pauses or an extension without the parts that are not known."""
    if isinstance(value, tuple):
        return [parts_of(item) for item in value]
    return parts_of(value)


_write = Encoder(order="sorted").encode
