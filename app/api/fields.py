"""The types of single fields: strict about form, kind about what does not matter.

An instant must carry its offset, a day is a day that exists, a text comes in normal form C
without blanks around it. Nothing is guessed: a number in quotes is a text.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.domain.duration import read_duration
from app.domain.timeliness import Reading
from app.store.trees import Units
from app.usecases.reporting import Extent

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
GREATEST: Final = 10_000
"""The greatest number of days or hours that a limit may have."""
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|z|[+-]\d\d:\d\d)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d(?::\d\d)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class In(BaseModel):
    """A body: strict, and without fields that nobody knows."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Out(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def refuse(code: str, **params: object) -> PydanticCustomError:
    """Return the refusal of a value, under a code of ours."""
    # the message is never shown: the catalogues have the sentence of the code
    return PydanticCustomError(code, "refused", params)


def read_instant(value: object) -> datetime:
    """Read an instant of RFC 3339 with its offset, into UTC."""
    return read_told_instant(value).astimezone(UTC)


def read_told_instant(value: object) -> datetime:
    """Read an instant of RFC 3339 and keep the offset that it came with."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise refuse("field.not_instant")
    found = _INSTANT.fullmatch(value.strip())
    if found is None:
        raise refuse("field.not_instant")
    if found[1] is None:
        raise refuse("field.no_offset")
    try:
        instant = datetime.fromisoformat(value.strip().upper())
    except ValueError as error:
        raise refuse("field.not_instant") from error
    _check_year(instant.year)
    return instant


def read_day(value: object) -> date:
    """Read a day written YYYY-MM-DD."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value.strip()):
        raise refuse("field.not_day")
    try:
        day = date.fromisoformat(value.strip())
    except ValueError as error:
        raise refuse("field.not_day") from error
    _check_year(day.year)
    return day


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise refuse("field.year_out_of_range", first=FIRST_YEAR, last=LAST_YEAR)


def read_wall_time(value: object) -> time:
    """Read a time of day written HH:MM or HH:MM:SS."""
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
        raise refuse("field.not_time")
    try:
        return time.fromisoformat(value.strip())
    except ValueError as error:
        raise refuse("field.not_time") from error


def read_period(value: object) -> timedelta:
    """Read a duration of ISO 8601 in hours, minutes and seconds."""
    if isinstance(value, timedelta):
        return value
    found = read_duration(value) if isinstance(value, str) else None
    if found is None:
        raise refuse("field.not_duration")
    if found > timedelta(hours=GREATEST):
        raise refuse("field.too_great", limit=f"PT{GREATEST}H")
    return found


def read_number(value: object) -> Fraction:
    """Read a number exactly as it was written."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("field.not_number")
    if abs(value) > GREATEST:
        raise refuse("field.too_great", limit=GREATEST)
    return Fraction(Decimal(repr(value)))


def read_text(value: object) -> str:
    """Read a text in normal form C, without blanks around it and control characters within."""
    if not isinstance(value, str):
        raise refuse("field.not_text")
    text = unicodedata.normalize("NFC", value).strip()
    if _CONTROL.search(text):
        raise refuse("field.bad_text")
    return text


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


def _reader(read: Callable[[object], object]) -> BeforeValidator:
    return BeforeValidator(read)


Instant = Annotated[
    datetime,
    _reader(read_instant),
    _schema(type="string", format="date-time", examples=["2026-08-03T09:10:00+07:00"]),
]
"""An instant with its offset; kept in UTC."""

ToldInstant = Annotated[
    datetime,
    _reader(read_told_instant),
    _schema(type="string", format="date-time", examples=["2026-08-03T09:10:00+07:00"]),
]
"""An instant with the offset that it came with, in which the answer is given too."""

Day = Annotated[
    date, _reader(read_day), _schema(type="string", format="date", examples=["2026-08-03"])
]
"""A local day."""

WallTime = Annotated[
    time,
    _reader(read_wall_time),
    _schema(type="string", pattern=r"^\d\d:\d\d(:\d\d)?$", examples=["15:00"]),
]
"""A time of day on the local clock."""

Duration = Annotated[
    timedelta,
    _reader(read_period),
    _schema(type="string", pattern=r"^PT(\d+H)?(\d+M)?(\d+(\.\d+)?S)?$", examples=["PT4H30M"]),
]
"""Hours, minutes and seconds of ISO 8601."""

Number = Annotated[
    Fraction,
    _reader(read_number),
    PlainSerializer(float, return_type=float),
    _schema(type="number", examples=[5]),
]
"""A number, exactly as written."""

Text = Annotated[str, _reader(read_text), StringConstraints(min_length=1, max_length=500)]
"""A short text for people."""

Word = Annotated[
    str,
    _reader(read_text),
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\s/?#%]+$"),
]
"""A code as somebody else made it: no blanks, nothing that a path cannot carry."""

UnitCode = Annotated[
    str,
    _reader(read_text),
    StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$"),
]
"""The code of a unit that is told."""

UnitAsked = Annotated[str, Query(max_length=100, description="Mã đơn vị. / Code of the unit.")]
"""The unit that figures are asked of."""

UnitsBelow = Annotated[
    str | None, Query(description="Đơn vị và mọi đơn vị bên dưới. / A unit and all below it.")
]
"""The unit whose part of the tree a list is asked of; all that the key may see if not given."""

FirstDay = Annotated[
    Day, Query(alias="from", description="Ngày đầu kỳ. / First day of the period.")
]
"""The day on which a period that is asked about begins."""

LastDay = Annotated[Day, Query(alias="to", description="Ngày cuối kỳ. / Last day, inclusive.")]
"""The day on which it ends."""

ExtentAsked = Annotated[
    Extent, Query(description="Cả nhánh hay riêng đơn vị. / The whole branch, or alone.")
]
"""Whether a unit is counted with all below it."""

JudgedBy = Annotated[Reading, Query(description="Cách đọc hạn trả. / Which due date judges.")]
"""The reading of the due date by which dossiers are late."""

AsKnown = Annotated[
    Instant | None, Query(description="Như đã biết lúc đó. / As it was known then.")
]
"""The moment of knowledge; the present if not given."""

Source = Annotated[
    str | None,
    Query(max_length=100, description="Hệ thống nguồn, khi trùng mã. / When a code is ambiguous."),
]
"""The system that sent a dossier."""

ByUnits = Annotated[
    Units,
    Query(
        description="Theo đơn vị hiện nay (`as_now`: số của đơn vị đã sáp nhập tính cho đơn vị kế "
        "thừa) hay theo đơn vị lúc đó (`as_was`). / By the units of today, each with those that it "
        "succeeded, or by the units of the time."
    ),
]
UnitsOn = Annotated[
    Day | None,
    Query(
        description="Ngày của cây đơn vị khi `as_was`; không nêu: ngày xem số liệu. / Day of the "
        "tree for `as_was`; the day of the figures if not given."
    ),
]

CodeInPath = Annotated[
    str,
    _reader(read_text),
    Path(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z~][0-9A-Za-z._~-]*$"),
]
"""A code in a path."""
