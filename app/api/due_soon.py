"""The list of what falls due soon, the soonest first."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.doors import doors
from app.api.fields import Out, UnitsBelow
from app.api.overdue import HolderOut, InHandOut, address_of, in_hand, place_of, spelled
from app.api.pages import link_next
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, needs
from app.store.units import UnitUnknown
from app.usecases import due_soon
from app.usecases.access import Principal
from app.usecases.due_soon import DueDossier
from app.usecases.subtree import subtree_of

router = doors("/v1/due-soon", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]


class DueDossierOut(InHandOut):
    """One dossier that falls due soon."""

    working_days_left: int | None = Field(
        description="Working days after today up to `due_on`; null when a year is not loaded."
    )
    state: str = Field(examples=["open_in_time"])
    holder: HolderOut
    links: dict[str, str]

    @classmethod
    def of(cls, due: DueDossier) -> "DueDossierOut":
        """Return a line of the list as it is shown."""
        row = due.row
        return cls(
            **in_hand(row),
            working_days_left=due.working_days_left,
            state="open_in_time",
            holder=HolderOut(unit=due.holder.unit, leg=due.holder.leg),
            links={"dossier": address_of(row), "due_date": address_of(row, "/due-date")},
        )


class DueSoonOut(Out):
    """A page of what falls due soon."""

    as_of: datetime
    reading: str = Field(examples=["promised"])
    days: int
    total: int
    dossiers: list[DueDossierOut]
    next_cursor: str | None


@router.get(
    "",
    operation_id="listDueSoon",
    summary="List what falls due soon, soonest first",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_due_soon(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    now: Now,
    page: Page,
    unit: UnitsBelow = None,
    days: Annotated[
        int,
        Query(
            ge=0,
            le=60,
            description="Còn nhiều nhất từng này ngày làm việc; 0: đến hạn hôm nay. "
            "/ At most so many working days left; 0: due today.",
        ),
    ] = 2,
) -> DueSoonOut:
    """Hồ sơ còn trong hạn nhưng sắp đến hạn trả, hạn gần nhất trước; hồ sơ đang tạm dừng không có.

    Dossiers in time that fall due within some working days of their unit; paused ones are not
    among them.
    """
    filters = {"unit": unit, "days": days}
    found = due_soon.list_due_soon(
        session,
        within=subtree_of(session, who, unit),
        days=days,
        now=now,
        after=place_of(page.position(**filters)),
        limit=page.limit,
    )
    cursor = page.cursor_after(spelled(found.after), **filters) if found.after else None
    link_next(request, response, cursor)
    return DueSoonOut(
        as_of=found.as_of,
        reading="promised",
        days=days,
        total=found.total,
        dossiers=[DueDossierOut.of(due) for due in found.dossiers],
        next_cursor=cursor,
    )
