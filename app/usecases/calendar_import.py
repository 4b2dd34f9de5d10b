"""Take the exceptions of a calendar from a file: what would change is known before it is saved.

A file replaces the exceptions that the calendar itself tells of the years that the file names;
what it says as its parents do stays inherited. Years that the caller declares whole count as
loaded from then on, and what was inherited of them is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.calendar import DayException
from app.feeds import calendar_file
from app.feeds.calendar_file import ExceptionChange
from app.i18n import Language, phrase
from app.store.session import ReadSession, WriteSession
from app.usecases import calendars, rule_change
from app.usecases.calendars import CalendarPut, CalendarSpec
from app.usecases.catalogue import EVERYWHERE
from app.usecases.subtree import Subtree

ICALENDAR = "text/calendar"
CSV = "text/csv"
UNTITLED = "calendar.untitled"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would change, date by date, and the calendar as it would then be told."""

    changes: tuple[ExceptionChange, ...]
    spec: CalendarSpec


def read(text: str, media_type: str) -> tuple[DayException, ...]:
    """Read exceptions from a text of one of the two media types; those without a title get one.

    :raises CalendarFileUnreadable: naming the line that cannot be read.
    """
    read_text = calendar_file.read_icalendar if media_type == ICALENDAR else calendar_file.read_csv
    return tuple(_titled(exception) for exception in read_text(text))


def _titled(exception: DayException) -> DayException:
    vi, en = exception.title_vi, exception.title_en
    return replace(
        exception,
        title_vi=vi or en or phrase(Language.VI, UNTITLED),
        title_en=en or vi or phrase(Language.EN, UNTITLED),
    )


def plan(
    session: ReadSession,
    calendar_id: str,
    incoming: Sequence[DayException],
    *,
    years: frozenset[int] = frozenset(),
    document: str | None = None,
    within: Subtree = EVERYWHERE,
) -> Plan:
    """Return what exceptions from a file would change.

    :raises CalendarUnknown: there is none of this id that the caller may see.
    :raises ExceptionTwice: the file names one date twice.
    """
    calendar_file.preview((), incoming)
    row = calendars.find_stored(session, calendar_id, within=within)
    held = calendars.calendar_by_id(session, calendar_id, within=within)
    spec = CalendarSpec() if row is None else CalendarSpec.from_plain(row.spec)
    own = {exception.on for exception in spec.exceptions}
    fresh = tuple(
        exception
        for exception in incoming
        if exception.on in own
        or exception.on.year in years
        or held.exception_on(exception.on) != exception
    )
    named = {exception.on.year for exception in incoming} | years
    present = [
        exception
        for exception in held.exceptions
        if exception.on in own or exception.on.year in years
    ]
    kept = tuple(one for one in spec.exceptions if one.on.year not in named)
    return Plan(
        calendar_file.preview(present, fresh, years=named),
        replace(
            spec,
            exceptions=tuple(sorted((*kept, *fresh), key=lambda one: one.on)),
            years=spec.years | years,
            document=document or spec.document,
        ),
    )


def change(
    calendar_id: str,
    found: Plan,
    *,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> rule_change.Change[CalendarPut]:
    """Return what saves a plan, to be previewed or applied; its errors are of ``put_calendar``."""

    def save(session: WriteSession) -> CalendarPut:
        return calendars.put_calendar(
            session, calendar_id, found.spec, actor=actor, now=now, within=within
        )

    return rule_change.of_calendar(save)
