"""Page models: everything a template needs, already worded and formatted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final
from urllib.parse import quote, urlencode

from app.domain.deadline import Due
from app.domain.errors import AppError
from app.domain.ledger import Ledger, LedgerRow, LedgerUnit
from app.domain.limits import LimitKind
from app.domain.period import Period
from app.domain.rate import Rate, RateDefinition
from app.domain.record import Message, MessageKind
from app.domain.tally import Count, Tally
from app.domain.timeliness import Reading, State
from app.i18n import ZONE, Language
from app.rulebook.metrics import load_metrics
from app.store import procedures, units
from app.store.session import ReadSession
from app.store.tallies import Listed
from app.store.trees import Units
from app.store.units import UnitRow
from app.usecases import catalogue, dossiers, overdue, reporting
from app.usecases.access import Principal
from app.usecases.dossiers import Whole
from app.usecases.overdue import LateDossier
from app.usecases.reporting import Cell, Extent, Question
from app.usecases.subtree import reach_of, unit_of
from app.web.charts import Chart, Column, chart
from app.web.rendering import NOTHING, Writing

SMALL_SAMPLE: Final = 5
"""A rate of fewer dossiers than this says little."""
WORST: Final = 5
WEEKS: Final = 13
PAGE: Final = 50
FIRST_RATE: Final = "on_time_of_finished"
SECOND_RATE: Final = "on_time_of_received"
ONE_DAY: Final = timedelta(days=1)
OPEN_IN_TIME = (Count.OPEN_IN_TIME, Count.OPEN_NO_DUE)


# ---------------------------------------------------------------- small parts


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another page."""

    text: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with the way to exactly its list."""

    kind: str
    label: str
    value: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class RateShown:
    """A rate with its counts and the definition that it follows."""

    title: str
    percent: str
    counts: str
    definition: str
    note: str
    basis: str
    is_small: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table of units or procedures."""

    name: Link
    numbers: tuple[Link, ...]
    percent: str
    counts: str
    is_small: bool
    is_low: bool


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column, with the way to sort by it."""

    text: str
    href: str
    order: str


@dataclass(frozen=True, slots=True)
class LateLine:
    """One line of the overdue list."""

    dossier: Link
    unit: str
    procedure: str
    due_on: str
    days: str
    apology: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page: one unit, one month."""

    title: str
    crumbs: tuple[Link, ...]
    period: str
    as_of: str
    earlier: Link
    later: Link | None
    tiles: tuple[Tile, ...]
    rates: tuple[RateShown, ...]
    chart: Chart
    chart_text: str
    table_title: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    late: tuple[LateLine, ...]
    late_total: str
    late_href: str


@dataclass(frozen=True, slots=True)
class ListLine:
    """One dossier of a list."""

    dossier: Link
    unit: str
    procedure: str
    state: str
    kind: str
    at: str
    due_on: str


@dataclass(frozen=True, slots=True)
class DossierList:
    """Exactly the dossiers behind one figure, a page at a time."""

    title: str
    crumbs: tuple[Link, ...]
    period: str
    as_of: str
    total: str
    lines: tuple[ListLine, ...]
    next_href: str | None


@dataclass(frozen=True, slots=True)
class ReadingLine:
    """Where a dossier stands under one reading of its due date."""

    name: str
    meaning: str
    due: str
    state: str
    kind: str
    href: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was told of a dossier."""

    at: str
    text: str
    learned: str


@dataclass(frozen=True, slots=True)
class Account:
    """Why this date: the account of a due date, worded."""

    limit: str
    basis: str
    is_verified: bool
    start: str
    start_reason: str
    calendar: str
    rows: tuple[tuple[str, str, str, str, bool], ...]
    total: str
    result: str
    is_provisional: bool
    suspended: str


@dataclass(frozen=True, slots=True)
class DossierPage:
    """One dossier with its states, its story and its account."""

    title: str
    crumbs: tuple[Link, ...]
    unit: str
    procedure: str
    state: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    readings: tuple[ReadingLine, ...]
    events: tuple[Event, ...]
    revisions: tuple[tuple[str, str, str], ...]
    issues: tuple[str, ...]
    account: Account | None
    account_missing: str


# ---------------------------------------------------------------- periods and links


def month_of(asked: str | None, *, now: datetime) -> Period:
    """Return the month asked for as ``2026-11``, the current one when none or none that is.

    A month to come is the current one: what will be is not shown.
    """
    today = now.astimezone(ZONE).date()
    try:
        first = date.fromisoformat(f"{asked}-01")
    except ValueError:
        first = today.replace(day=1)
    first = min(first, today.replace(day=1))
    return Period(first, _next_month(first) - ONE_DAY)


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _overview_href(unit: str, period: Period) -> str:
    return "/?" + urlencode({"unit": unit, "month": f"{period.first:%Y-%m}"})


def dossier_href(code: str, source: str | None = None, **more: str) -> str:
    """Return the way to the page of a dossier."""
    wanted = {"source": source} if source else {}
    query = urlencode(wanted | more)
    return f"/dossiers/{quote(code, safe='')}" + (f"?{query}" if query else "")


def list_href(question: Question, *, count: Count, known_at: datetime) -> str:
    """Return the way to the list behind a figure, seen and known at the figure's own moment."""
    wanted = {
        "count": count.value,
        "unit": question.unit.code,
        "month": f"{question.period.first:%Y-%m}",
        "at": f"{known_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}",
    }
    if question.extent is Extent.OWN:
        wanted["scope"] = question.extent.value
    if question.procedure is not None:
        wanted["procedure"] = question.procedure
    if question.units is not Units.AS_NOW:
        wanted["units"] = question.units.value
    return "/dossiers?" + urlencode(wanted)


def _crumbs(
    session: ReadSession, unit: UnitRow, who: Principal, period: Period, writing: Writing
) -> tuple[Link, ...]:
    above = [row for row in units.ancestors(session, unit) if who.covers(row.lft)]
    return tuple(
        Link(_unit_name(row, writing), _overview_href(row.code, period)) for row in reversed(above)
    )


def _unit_name(unit: UnitRow, writing: Writing) -> str:
    """Return the name of a unit; the place of unknown units is named in the reader's language."""
    return writing.say("web.issue.unknown_unit") if unit.is_bucket else unit.name


def state_kind(state: State | None) -> str:
    """Return the kind of a state, by which it is coloured: good, bad, waiting or plain."""
    match state:
        case State.FINISHED_EARLY | State.FINISHED_ON_TIME:
            return "good"
        case State.FINISHED_LATE | State.OPEN_OVERDUE | State.AWAITING_INTAKE_OVERDUE:
            return "bad"
        case State.PAUSED:
            return "waiting"
        case _:
            return "plain"


def state_text(state: State | None, writing: Writing) -> str:
    """Return the words for a state."""
    return NOTHING if state is None else writing.say(f"web.state.{state.word}")


# ---------------------------------------------------------------- the overview


def first_unit(session: ReadSession, who: Principal, code: str | None) -> UnitRow:
    """Return the unit asked for, else the visitor's own, else the first of all.

    :raises UnitUnknown: there is no such unit, or it lies outside what the visitor may see.
    """
    wanted = code or who.unit_code
    if wanted is not None:
        return unit_of(session, who, wanted)
    roots = [row for row in units.children(session, None) if not row.is_bucket]
    return unit_of(session, who, roots[0].code if roots else "")


def overview(
    session: ReadSession,
    *,
    who: Principal,
    unit: UnitRow,
    period: Period,
    sort: str,
    now: datetime,
    writing: Writing,
) -> Overview:
    """Return the first page of a unit for a month.

    :raises StorageUnavailable: the database cannot serve.
    """
    as_of = period.observed_at(None, now=now)
    question = Question(unit, period, as_of=as_of, units=_units_of(unit))
    defined = definitions(period)
    children = [row for row in units.children(session, unit.id) if who.covers(row.lft)]
    by = "child" if children else "procedure"
    found = reporting.figures(session, question, group_by=[by], definitions=defined, now=now)
    rows = _lines(session, question, found.rows, children, defined, known_at=now, writing=writing)
    late = _late(session, unit, as_of=as_of, now=now, writing=writing)
    trend = _trend(session, unit, period, defined[0], now=now, writing=writing)
    later = Period(_next_month(period.first), _next_month(_next_month(period.first)) - ONE_DAY)
    earlier = Period((period.first - ONE_DAY).replace(day=1), period.first - ONE_DAY)
    return Overview(
        title=_unit_name(unit, writing),
        crumbs=_crumbs(session, unit, who, period, writing)[:-1],
        period=_month_text(period, writing),
        as_of=writing.say("web.as_of", at=as_of),
        earlier=Link(_month_text(earlier, writing), _overview_href(unit.code, earlier)),
        later=None
        if later.begins > now
        else Link(_month_text(later, writing), _overview_href(unit.code, later)),
        tiles=_tiles(question, found.total.tally, known_at=now, writing=writing),
        rates=tuple(
            _rate_shown(definition, rate, writing)
            for definition, rate in zip(defined, found.total.rates, strict=True)
        ),
        chart=trend[0],
        chart_text=trend[1],
        table_title=writing.say(f"web.table.by_{by}"),
        headings=_headings(unit, period, sort, by, writing),
        lines=tuple(line for _, line in sorted(rows, key=_order(sort), reverse=_is_falling(sort))),
        late=late[0],
        late_total=writing.number(found.total.tally[Count.OPEN_OVERDUE]),
        late_href=list_href(question, count=Count.OPEN_OVERDUE, known_at=now),
    )


def definitions(period: Period) -> list[RateDefinition]:
    """Return the two rates that stand side by side, as in force at the end of a period."""
    metrics = load_metrics()
    return [metrics.in_force(name, period.last) for name in (FIRST_RATE, SECOND_RATE)]


def _month_text(period: Period, writing: Writing) -> str:
    return writing.say("web.month", month=f"{period.first:%m}", year=f"{period.first:%Y}")


def _tiles(
    question: Question, tally: Tally, *, known_at: datetime, writing: Writing
) -> tuple[Tile, ...]:
    shown = (
        ("plain", Count.RECEIVED),
        ("good", Count.FINISHED_EARLY),
        ("good", Count.FINISHED_ON_TIME),
        ("bad", Count.FINISHED_LATE),
        ("plain", Count.OPEN_IN_TIME),
        ("bad", Count.OPEN_OVERDUE),
        ("waiting", Count.PAUSED),
        ("plain", Count.AWAITING_INTAKE_IN_TIME),
    )
    return tuple(
        Tile(
            kind=kind,
            label=writing.say(f"web.tile.{count.value}"),
            value=writing.number(tally[count]),
            href=list_href(question, count=count, known_at=known_at),
        )
        for kind, count in shown
    )


def _rate_shown(definition: RateDefinition, rate: Rate, writing: Writing) -> RateShown:
    is_vi = writing.language is Language.VI
    note = definition.note_vi if is_vi else definition.note_en
    return RateShown(
        title=definition.title_vi if is_vi else definition.title_en,
        percent=writing.percent(rate.percent),
        counts=_counts(rate, writing),
        definition=definition.name,
        note=note or "",
        basis=definition.legal_basis,
        is_small=0 < rate.denominator < SMALL_SAMPLE,
    )


def _counts(rate: Rate, writing: Writing) -> str:
    return f"{writing.number(rate.numerator)} / {writing.number(rate.denominator)}"


# ---------------------------------------------------------------- the table

COLUMNS: Final = (
    Count.RECEIVED,
    Count.FINISHED_EARLY,
    Count.FINISHED_ON_TIME,
    Count.FINISHED_LATE,
    Count.OPEN_OVERDUE,
    Count.PAUSED,
)
SORTS: Final = ("name", *(count.value for count in COLUMNS), "rate")
DEFAULT_SORT: Final = "-open_overdue"

Sortable = tuple[Mapping[str, object], Line]


def _lines(
    session: ReadSession,
    question: Question,
    cells: Sequence[Cell],
    children: Sequence[UnitRow],
    defined: Sequence[RateDefinition],
    *,
    known_at: datetime,
    writing: Writing,
) -> list[Sortable]:
    """Return a row for each child, those without a dossier too; of a leaf, for each procedure."""
    if children:
        by_code = {cell.keys["child"]: cell for cell in cells}
        found = []
        for row in children:
            cell = by_code.get(row.code)
            tally = Tally() if cell is None else cell.tally
            if cell is None and (row.is_bucket or _has_ceased(row, question.period)):
                continue
            own = replace(question, unit=row)
            name = Link(_unit_name(row, writing), _overview_href(row.code, question.period))
            found.append(_line(name, own, tally, defined[0], known_at, writing))
        own_cell = by_code.get(None)
        if own_cell is not None:
            own = replace(question, extent=Extent.OWN)
            name = Link(writing.say("web.own", unit=_unit_name(question.unit, writing)), None)
            found.append(_line(name, own, own_cell.tally, defined[0], known_at, writing))
        return found
    codes = [cell.keys["procedure"] or "" for cell in cells]
    names = {code: row.name for code, row in procedures.by_code(session, codes).items()}
    return [
        _line(
            Link(names.get(code, writing.say("web.unknown_procedure")), None),
            replace(question, procedure=code) if code else None,
            cell.tally,
            defined[0],
            known_at,
            writing,
        )
        for code, cell in zip(codes, cells, strict=True)
    ]


def _units_of(unit: UnitRow) -> Units:
    """Return by whose tree a unit is shown: one that ceased would show nothing by today's."""
    return Units.AS_NOW if unit.heir_id is None else Units.AS_WAS


def _has_ceased(unit: UnitRow, period: Period) -> bool:
    """Tell whether a unit is no more at the end of a period, or counted as its successor."""
    ended = unit.valid_to is not None and unit.valid_to < period.last
    return ended or unit.heir_id is not None


def _line(
    name: Link,
    question: Question | None,
    tally: Tally,
    definition: RateDefinition,
    known_at: datetime,
    writing: Writing,
) -> Sortable:
    rate = definition.of(tally)
    numbers = tuple(
        Link(
            writing.number(tally[count]),
            list_href(question, count=count, known_at=known_at)
            if question is not None and tally[count]
            else None,
        )
        for count in COLUMNS
    )
    keys: dict[str, object] = {count.value: tally[count] for count in COLUMNS}
    keys |= {"name": name.text, "rate": rate.value}
    is_small = 0 < rate.denominator < SMALL_SAMPLE
    is_low = rate.value is not None and not is_small and rate.value < Fraction(95, 100)
    line = Line(
        name, numbers, writing.percent(rate.percent), _counts(rate, writing), is_small, is_low
    )
    return keys, line


def _order(sort: str) -> Callable[[Sortable], tuple[bool, object, str]]:
    """Return the key of a sort; what has no rate comes last whichever way."""
    name = sort.removeprefix("-")
    name = name if name in SORTS else DEFAULT_SORT.removeprefix("-")

    def key(row: Sortable) -> tuple[bool, object, str]:
        value = row[0][name]
        absent = value is None
        return absent is not _is_falling(sort), 0 if absent else value, str(row[0]["name"])

    return key


def _is_falling(sort: str) -> bool:
    return sort.startswith("-") or sort.removeprefix("-") not in SORTS


def _headings(
    unit: UnitRow, period: Period, sort: str, by: str, writing: Writing
) -> tuple[Heading, ...]:
    found = []
    chosen = sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT
    for name in SORTS:
        falls = name != "name"
        wish = f"-{name}" if falls else name
        if chosen == wish:
            wish = name if falls else f"-{name}"
        text = writing.say(f"web.column.{by}" if name == "name" else f"web.column.{name}")
        order = "none"
        if chosen.removeprefix("-") == name:
            order = "descending" if chosen.startswith("-") else "ascending"
        href = f"{_overview_href(unit.code, period)}&{urlencode({'sort': wish})}#table"
        found.append(Heading(text, href, order))
    return tuple(found)


# ---------------------------------------------------------------- trend and overdue


def _trend(
    session: ReadSession,
    unit: UnitRow,
    period: Period,
    definition: RateDefinition,
    *,
    now: datetime,
    writing: Writing,
) -> tuple[Chart, str]:
    """Draw the weeks up to the end of a month, and say the same in words."""
    last = min(period.last, now.astimezone(ZONE).date())
    monday = last - timedelta(days=last.weekday())
    mondays = [monday - timedelta(weeks=week) for week in range(WEEKS - 1, -1, -1)]
    parts = [Period(begins, min(begins + timedelta(days=6), last)) for begins in mondays]
    whole = Question(unit, Period(mondays[0], last), units=_units_of(unit))
    finishes = reporting.finishes_by_part(session, whole, parts=parts, now=now)
    columns, words = [], []
    for part, tally in zip(parts, finishes, strict=True):
        rate = definition.of(tally)
        done = tuple(
            (kind, tally[count])
            for kind, count in (
                ("early", Count.FINISHED_EARLY),
                ("ontime", Count.FINISHED_ON_TIME),
                ("late", Count.FINISHED_LATE),
            )
        )
        title = writing.say(
            "web.trend.week",
            first=part.first,
            last=part.last,
            finished=writing.number(sum(number for _, number in done)),
            late=writing.number(tally[Count.FINISHED_LATE]),
            percent=writing.percent(rate.percent),
        )
        label = f"{part.first:%d/%m}" if writing.language is Language.VI else f"{part.first:%m-%d}"
        columns.append(
            Column(label, title, done, None if rate.percent is None else float(rate.percent))
        )
        words.append(title)
    lowest = min((column.percent for column in columns if column.percent is not None), default=0)
    floor = 80.0 if lowest >= 80 else 0.0
    return chart(columns, floor=floor), " ".join(words)


def _late(
    session: ReadSession, unit: UnitRow, *, as_of: datetime, now: datetime, writing: Writing
) -> tuple[tuple[LateLine, ...], int]:
    page = overdue.list_overdue(
        session,
        lft=unit.lft,
        rgt=unit.rgt,
        reading=Reading.PROMISED,
        now=now,
        as_of=as_of,
        after=None,
        limit=WORST,
    )
    names = _names(session, [one.row.unit for one in page.dossiers], writing)
    told = {one.row.procedure for one in page.dossiers if one.row.procedure}
    titles = {code: row.name for code, row in procedures.by_code(session, told).items()}
    return tuple(_late_line(one, names, titles, writing) for one in page.dossiers), page.total


def _late_line(
    one: LateDossier, names: Mapping[str, str], titles: Mapping[str, str], writing: Writing
) -> LateLine:
    row = one.row
    days = one.late_working_days
    unknown = writing.say("web.unknown_procedure")
    return LateLine(
        dossier=Link(row.key.code, dossier_href(row.key.code, row.source)),
        unit=names.get(row.unit, row.unit),
        procedure=titles.get(row.procedure or "", unknown),
        due_on=writing.day(row.due_on),
        days=NOTHING if days is None else writing.number(days),
        apology=writing.say(f"web.apology.{one.apology.value}"),
    )


def _names(session: ReadSession, codes: Iterable[str], writing: Writing) -> Mapping[str, str]:
    known = units.by_code(session, set(codes))
    return {code: _unit_name(row, writing) for code, row in known.items()}


# ---------------------------------------------------------------- lists


def dossier_list(
    session: ReadSession,
    question: Question,
    *,
    who: Principal,
    count: Count,
    after: str | None,
    base: str,
    now: datetime,
    writing: Writing,
) -> DossierList:
    """Return a page of exactly the dossiers that a figure counted."""
    found = reporting.dossiers_behind(
        session, question, count=count, after=_place(after), limit=PAGE + 1, now=now
    )
    shown = found[:PAGE]
    figures = reporting.figures(
        session, question, definitions=definitions(question.period), now=now
    )
    names = _names(session, [one.unit for one in shown], writing)
    told = {one.procedure for one in shown if one.procedure}
    titles = {code: row.name for code, row in procedures.by_code(session, told).items()}
    more = len(found) > PAGE
    return DossierList(
        title=writing.say(f"count.{count.value}"),
        crumbs=_crumbs(session, question.unit, who, question.period, writing),
        period=writing.say("web.period", first=question.period.first, last=question.period.last),
        as_of=writing.say("web.as_of", at=figures.as_of),
        total=writing.number(figures.total.tally[count]),
        lines=tuple(_list_line(one, names, titles, writing) for one in shown),
        next_href=f"{base}&{urlencode({'after': _word(shown[-1])})}" if more else None,
    )


def _list_line(
    one: Listed, names: Mapping[str, str], titles: Mapping[str, str], writing: Writing
) -> ListLine:
    return ListLine(
        dossier=Link(one.code, dossier_href(one.code, one.source)),
        unit=names.get(one.unit, one.unit),
        procedure=titles.get(one.procedure or "", writing.say("web.unknown_procedure")),
        state=state_text(one.state, writing),
        kind=state_kind(one.state),
        at=writing.instant(one.at),
        due_on=writing.day(one.due_on),
    )


def _word(last: Listed) -> str:
    unit, source, code, edge = last.place
    return f"{unit}~{source}~{edge}~{code}"


def _place(word: str | None) -> tuple[int, int, str, int] | None:
    """Read where a list goes on; a word that is none of ours begins at the beginning."""
    parts = (word or "").split("~", 3)
    if len(parts) != 4 or not all(one.isascii() and one.isdigit() for one in parts[:3]):
        return None
    unit, source, edge = (int(one[:9]) for one in parts[:3])
    return unit, source, parts[3], edge


# ---------------------------------------------------------------- one dossier


def dossier_page(
    session: ReadSession,
    code: str,
    *,
    who: Principal,
    source: str | None,
    reading: Reading,
    now: datetime,
    writing: Writing,
) -> DossierPage:
    """Return the page of one dossier.

    :raises DossierUnknown: there is none of this number within what the visitor may see.
    :raises DossierAmbiguous: several sources sent one and none is named.
    """
    whole = dossiers.get_dossier(session, code, within=reach_of(who), source=source, as_of=now)
    found = whole.found
    unit = units.get(session, found.unit)
    told = procedures.by_code(session, [found.procedure] if found.procedure else [])
    procedure = told.get(found.procedure or "")
    standing = whole.standings[Reading.PROMISED]
    account, missing = _account(whole, reading, writing, is_verified=_is_verified(whole, procedure))
    period = month_of(None, now=now)
    return DossierPage(
        title=code,
        crumbs=_crumbs(session, unit, who, period, writing),
        unit=_unit_name(unit, writing),
        procedure=procedure.name if procedure else writing.say("web.unknown_procedure"),
        state=state_text(standing.state, writing),
        kind=state_kind(standing.state),
        facts=_facts(whole, writing),
        readings=tuple(
            _reading_line(whole, one, reading, found.source, writing) for one in Reading
        ),
        events=tuple(_event(one, writing) for one in whole.messages),
        revisions=tuple(
            (
                writing.instant(one.at),
                f"{writing.day(one.old)} → {writing.day(one.new)}",
                writing.say(f"web.revision.{one.reason}"),
            )
            for one in whole.revisions
        ),
        issues=tuple(writing.say(f"web.issue.{issue}") for issue in sorted(whole.clocked.issues)),
        account=account,
        account_missing=missing,
    )


def _is_verified(whole: Whole, procedure: procedures.ProcedureRow | None) -> bool:
    if procedure is None or whole.clocked.version is None:
        return False
    spec = catalogue.ProcedureSpec.from_plain(procedure.spec)
    return any(one.is_verified for one in spec.limits if one.version == whole.clocked.version)


def _facts(whole: Whole, writing: Writing) -> tuple[tuple[str, str], ...]:
    facts = whole.clocked.history.facts
    shown = [
        ("submitted_at", writing.instant(facts.get("submitted_at"))),
        ("received_at", writing.instant(facts.get("received_at"))),
        ("finished_at", writing.instant(facts.get("finished_at"))),
        ("returned_at", writing.instant(facts.get("returned_at"))),
        ("channel", writing.say(f"web.channel.{facts.get('channel') or 'unknown'}")),
    ]
    found = [(writing.say(f"web.fact.{name}"), text) for name, text in shown if text != NOTHING]
    return (*found, (writing.say("web.fact.source"), whole.found.source))


def _reading_line(
    whole: Whole, reading: Reading, chosen: Reading, source: str, writing: Writing
) -> ReadingLine:
    standing = whole.standings[reading]
    return ReadingLine(
        name=writing.say(f"web.reading.{reading.value}"),
        meaning=writing.say(f"web.reading.{reading.value}.meaning"),
        due=_due_text(standing.due, writing),
        state=state_text(standing.state, writing),
        kind=state_kind(standing.state),
        href=dossier_href(whole.row["code"], source, reading=reading.value) + "#account",
        is_shown=reading is chosen,
    )


def _due_text(due: Due | None, writing: Writing) -> str:
    if due is None:
        return writing.say("web.no_due")
    return writing.instant(due.due_at) if due.by_instant else writing.day(due.due_on)


def _event(message: Message, writing: Writing) -> Event:
    told = message.told
    status = told.get("status")
    if message.kind is MessageKind.RECORD:
        text = writing.say(f"web.status.{status}") if status else writing.say("web.event.record")
    else:
        text = writing.say(f"web.event.{message.kind.value}")
    extension = told.get("extension")
    if extension is not None:
        text += " · " + writing.say("web.event.extended_to", due=extension.new_due_at)
    return Event(
        at=writing.instant(message.at),
        text=text,
        learned=writing.say("web.learned", at=message.recorded_at),
    )


def _account(
    whole: Whole, reading: Reading, writing: Writing, *, is_verified: bool
) -> tuple[Account | None, str]:
    try:
        ledger, calendar = dossiers.explain_due_date(whole, reading=reading)
    except AppError as error:
        return None, writing.say(error.code, **error.params)
    limit = ledger.limit
    basis = ledger.legal_basis
    return Account(
        limit=_limit_text(ledger, writing),
        basis=basis or "",
        is_verified=is_verified and limit is not None,
        start=writing.instant(ledger.started_at),
        start_reason=writing.say(ledger.start_code),
        calendar=writing.say("web.calendar", id=calendar.id, version=calendar.version),
        rows=tuple(_ledger_row(row, ledger.unit, writing) for row in ledger.rows),
        total=_amount(ledger.total, ledger.unit, writing),
        result=_due_text(ledger.due, writing),
        is_provisional=ledger.due is not None and ledger.due.provisional,
        suspended=_suspended_text(ledger, writing),
    ), ""


def _suspended_text(ledger: Ledger, writing: Writing) -> str:
    """Say what is left while a pause is open, and what is due if it ended now."""
    suspended = ledger.suspended
    if suspended is None:
        return ""
    due = _due_text(suspended.due_if_ended, writing)
    return writing.say("web.suspended", due=due)


def _limit_text(ledger: Ledger, writing: Writing) -> str:
    limit = ledger.limit
    if limit is None:
        return writing.say("web.limit.unknown")
    if limit.kind is LimitKind.SAME_DAY:
        return writing.say("web.limit.same_day", cutoff=f"{limit.cutoff:%H:%M}")
    hours = limit.duration.total_seconds() / 3600 if limit.duration is not None else None
    value = f"{hours:g}" if hours is not None else f"{float(limit.value or 0):g}"
    return writing.say(f"web.limit.{limit.kind.value}", value=value)


def _ledger_row(
    row: LedgerRow, unit: LedgerUnit, writing: Writing
) -> tuple[str, str, str, str, bool]:
    on = f"{writing.say(f'web.weekday.{row.on.weekday()}')} {writing.day(row.on)}"
    if row.opens_at is not None and row.closes_at is not None:
        opens, closes = row.opens_at.astimezone(ZONE), row.closes_at.astimezone(ZONE)
        on += f", {opens:%H:%M}–{closes:%H:%M}"
    counted = _amount(row.counted, unit, writing) if row.counted else ""
    total = _amount(row.running_total, unit, writing)
    return on, writing.say(row.code, **row.params), counted, total, bool(row.counted)


def _amount(amount: Fraction, unit: LedgerUnit, writing: Writing) -> str:
    if unit is LedgerUnit.DAYS:
        return f"{float(amount):g}".replace(".", "," if writing.language is Language.VI else ".")
    minutes = int(amount) // 60
    return f"{minutes // 60}:{minutes % 60:02d}"
