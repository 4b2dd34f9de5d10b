"""What the doors of registers share: a day, a span of days, and counts by unit."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import Field

from app.api.fields import Day, Instant, Out
from app.domain.period import Period
from app.i18n import ZONE
from app.usecases.access import Principal
from app.usecases.registers import Teller
from app.usecases.subtree import reach_of

Unit = Annotated[
    str | None,
    Query(max_length=100, description="Đơn vị và mọi đơn vị bên dưới. / A unit and all below it."),
]
On = Annotated[
    Day | None, Query(description="Tính đến cuối ngày; mặc định hôm nay. / End of the day.")
]
KnownAt = Annotated[
    Instant | None, Query(description="Theo những gì đã biết lúc đó. / As known at that instant.")
]
To = Annotated[Day, Query(alias="to", description="Ngày cuối kỳ. / Last day of the period.")]


def local_day(now: datetime) -> date:
    """Return the local day of an instant."""
    return now.astimezone(ZONE).date()


def teller(who: Principal, now: datetime) -> Teller:
    """Return who tells with a key."""
    return Teller(who.actor, reach_of(who), now, local_day(now))


class CountsOut(Out):
    """The counts of one unit."""

    unit: str = Field(examples=["H44.100"])
    counts: dict[str, int]


class CountedOut(Out):
    """Counts of a period, by unit and in all."""

    from_: Day = Field(alias="from")
    to: Day
    rows: list[CountsOut] = Field(
        description="Đơn vị tự khai; cộng lại bằng tổng. / Units by themselves; they add up."
    )
    total: dict[str, int]


Name = TypeVar("Name", bound=StrEnum)


def counted(
    names: type[Name], found: Mapping[str, Mapping[Name, int]], period: Period
) -> CountedOut:
    """Return counts by unit with their sum."""
    known = list(names)
    total = {name.value: sum(row[name] for row in found.values()) for name in known}
    rows = [
        CountsOut(unit=unit, counts={name.value: row[name] for name in known})
        for unit, row in sorted(found.items())
    ]
    return CountedOut(**{"from": period.first, "to": period.last}, rows=rows, total=total)
