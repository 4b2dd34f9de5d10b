"""Figures: what SQL counts is what the facts say, whatever was told and whenever it is asked."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from app.domain.canonical import told_of
from app.domain.deadline import Due
from app.domain.dossier import ZONE, Ending, History, gather
from app.domain.edges import Course, in_force
from app.domain.limits import TimeLimit
from app.domain.period import Period
from app.domain.procedure import LimitVersion, OnlineLevel, Procedure
from app.domain.reading import Clocked, Terms, read
from app.domain.record import Channel, Message, MessageKind, PauseTold, Status
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, IN_HAND, Count, Tally
from app.domain.timeliness import JUST, Reading, State
from app.domain.verdict import classify
from app.rulebook.calendars import load_state_calendar
from app.rulebook.intake import intake_rule_at
from app.rulebook.metrics import load_metrics
from app.store import units
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import catalogue, ingest, reporting
from app.usecases.catalogue import DatedLimit, ProcedureSpec
from app.usecases.ingest import Incoming, Sender, VerdictWord
from app.usecases.reporting import (
    Extent,
    Figures,
    GroupingTwice,
    GroupingUnknown,
    KnownInFuture,
    Question,
    TooManyParts,
)
from tests.factories import make_source, make_unit
from tests.strategies import FIRST, histories, instants, message

CALENDAR = load_state_calendar()
LATER = datetime(2026, 7, 1, tzinfo=UTC)
LIMITS = {
    "P": TimeLimit.working_days(5),
    "H": TimeLimit.working_hours(timedelta(hours=6)),
}
LEVELS = {"P": OnlineLevel.FULL, "H": OnlineLevel.PARTIAL}
DEFINITIONS = [load_metrics().default]
SOME = settings(
    max_examples=(settings().max_examples + 1) // 2, suppress_health_check=list(HealthCheck)
)
FEW = settings(SOME, max_examples=settings().max_examples // 8)
_roots = count(1)


@dataclass(frozen=True, slots=True)
class World:
    """One root with two units, and what was told of each of its dossiers."""

    root: UnitRow
    words: dict[tuple[int, str], int]
    codes: dict[int, str]
    told: dict[str, list[Message]]


def _procedures(session: WriteSession) -> None:
    catalogue.put_procedures(
        session,
        [
            ProcedureSpec(
                code=code,
                name=code,
                online_level=LEVELS[code],
                limits=(DatedLimit(LimitVersion(limit, date(2020, 1, 1))),),
            )
            for code, limit in LIMITS.items()
        ],
        actor="test",
        now=FIRST,
    )


def _world(session: WriteSession, told: Sequence[Sequence[Message]]) -> World:
    """Tell dossiers one message after another, as senders do, each learned later than the last."""
    _procedures(session)
    root = make_unit(session, f"R{next(_roots)}")
    below = {
        name: make_unit(session, f"{root.code}.{name}", parent=root, name=name) for name in "AB"
    }
    by = Sender(make_source(session), None, root.id, root.lft, root.rgt)
    world = World(
        root,
        {(root.id, name): unit.id for name, unit in below.items()},
        {unit.id: unit.code for unit in below.values()},
        {},
    )
    arriving = sorted(
        (message.recorded_at, number, place)
        for number, messages in enumerate(told)
        for place, message in enumerate(messages)
    )
    now = FIRST
    for recorded_at, number, place in arriving:
        now = max(now + timedelta(minutes=1), recorded_at)
        code = f"{root.code}-{number}"
        came = told[number][place]
        one = Incoming(
            index=0,
            code=code,
            kind=came.kind,
            at=came.at,
            source_updated_at=came.source_updated_at,
            stamped=came.stamped,
            told=came.told,
        )
        (verdict,) = ingest.accept(session, [one], by=by, door="native", now=now)
        if verdict.word is not VerdictWord.UNCHANGED:
            kept = Message(
                came.kind,
                came.at,
                came.source_updated_at,
                came.digest,
                now,
                came.told,
                root=root.id,
            )
            world.told.setdefault(code, []).append(kept)
    bucket = units.find_bucket(session, root)
    if bucket is not None:
        world.words[root.id, ""] = bucket.id
        world.codes[bucket.id] = bucket.code
    return world


# ---------------------------------------------------------------- counting from the facts


def _read(world: World, messages: Sequence[Message]) -> Clocked:
    nowhere = world.words.get((world.root.id, ""))
    history = gather(messages, world.words, nowhere=nowhere)
    return read(history, _terms(history))


def _terms(history: History) -> Terms:
    code = history.facts.get("procedure") or ""
    limit = LIMITS.get(code)
    handed_in = history.facts.get("submitted_at") or history.source_updated_at
    return Terms(
        CALENDAR,
        None if limit is None else Procedure(code, (LimitVersion(limit, date(2020, 1, 1)),)),
        intake_rule_at(CALENDAR.local_date(handed_in)).limit,
    )


def _life(course: Course) -> Iterator[tuple[datetime, str]]:
    """Tell the life of a dossier from its facts, as if at one unit, until it was voided."""
    yield from _before_receipt(course)
    if course.received_at is None:
        return
    yield course.received_at, "received"
    begins = course.received_at
    for closing in course.closings:
        closes = max(course.closed_at(closing), begins)
        due = in_force(course.standings, closes)
        yield closes, _ending(closing.ending, due, course.closed_at(closing), closes)
        if closing.reopened_at is None:
            return
        begins = max(closing.reopened_at, closes)
        yield begins, "reopened"


def _before_receipt(course: Course) -> Iterator[tuple[datetime, str]]:
    unreceived = course.unreceived
    until = course.received_at or (unreceived[0] if unreceived else None)
    if course.submitted_at and (until is None or course.submitted_at < until):
        yield course.submitted_at, "submitted"
        late = course.intake_due_at and course.intake_due_at + JUST
        if late and (until is None or late < until):
            yield late, "intake_late"
    if course.received_at is None and unreceived:
        yield unreceived[0], f"unreceived, {unreceived[1].word}"


def _ending(ending: Ending, due: Due | None, at: datetime, closes: datetime) -> str:
    match ending:
        case Ending.STOPPED:
            return "stopped"
        case Ending.WITHDRAWN:
            is_late = due is not None and closes > due.on_time_until
            return "withdrawn_late" if is_late else "withdrawn"
        case Ending.FINISHED if due is None:
            return "finished_no_due"
        case Ending.FINISHED if at < due.early_before:
            return "finished_early"
        case Ending.FINISHED:
            return "finished_late" if at > due.on_time_until else "finished_on_time"


def _flows(clocked: Clocked, reading: Reading) -> Iterator[tuple[datetime, int, str]]:
    """Place what happened at the unit that held the dossier then; a move counts at both ends."""
    voided_at = clocked.history.voided_at
    life = [
        (at, what)
        for at, what in _life(clocked.courses[reading])
        if not voided_at or at < voided_at
    ]
    if voided_at is not None:
        life.append((voided_at, "voided"))
    first, *moves = clocked.history.stays
    unit, in_hand, begun = first.unit, False, False
    for at, what in [*life, (None, "")]:
        while moves and (at is None or (moves[0].since or at) <= at):
            since = moves[0].since or at
            if in_hand and begun and since is not None:
                yield since, unit, "transferred_out"
                yield since, moves[0].unit, "transferred_in"
            unit = moves.pop(0).unit
        if at is None:
            return
        begun = True
        if what != "voided" or in_hand:
            yield at, unit, what
        in_hand = what in {"received", "reopened"}


def _tallies(
    world: World, reading: Reading, period: Period, until: datetime, known_at: datetime | None
) -> dict[str, Counter[str]]:
    """Count everything from the facts, by unit."""
    found: dict[str, Counter[str]] = {}
    for messages in world.told.values():
        known = [one for one in messages if known_at is None or one.recorded_at <= known_at]
        if known:
            clocked = _read(world, known)
            _count_flows(found, world, clocked, reading, period.begins, until)
            _count_stocks(found, world, clocked, reading, period, until)
    return found


def _apology(clocked: Clocked, until: datetime) -> str:
    history = clocked.history
    if history.apology_exempt:
        return "apology_exempt"
    issued = history.apology_at is not None and history.apology_at < until
    return "with_apology" if issued else "without_apology"


def _count_flows(
    found: dict[str, Counter[str]],
    world: World,
    clocked: Clocked,
    reading: Reading,
    begins: datetime,
    until: datetime,
) -> None:
    facts = clocked.history.facts
    channel = facts.get("channel") or Channel.UNKNOWN
    by = {"in_person": "in_person", "post": "by_post", "online": "online"}
    for at, unit, what in _flows(clocked, reading):
        if not begins <= at < until:
            continue
        cell = found.setdefault(world.codes[unit], Counter())
        if what == "submitted" or what.startswith("unreceived"):
            cell["refused_at_intake"] += what.endswith("refused_at_intake")
            continue
        cell[what] += 1
        if what == "withdrawn_late":
            cell["withdrawn"] += 1
        if what == "finished_late":
            cell[f"finished_late_{_apology(clocked, until)}"] += 1
        if what == "received":
            cell[f"received_{by.get(channel.value, 'unknown_channel')}"] += 1
            if channel is Channel.ONLINE:
                level = LEVELS.get(facts.get("procedure") or "")
                cell[f"submitted_online_{level.value if level else 'unknown'}"] += 1


def _count_stocks(
    found: dict[str, Counter[str]],
    world: World,
    clocked: Clocked,
    reading: Reading,
    period: Period,
    until: datetime,
) -> None:
    history, terms = clocked.history, clocked.terms
    before = classify(history, terms, reading=reading, as_of=period.begins)
    if before is not None and before[0].in_hand:
        found.setdefault(world.codes[before[1]], Counter())["carried_over"] += 1
    now = classify(history, terms, reading=reading, as_of=until)
    if now is None:
        return
    state, unit = now
    cell = found.setdefault(world.codes[unit], Counter())
    if state.in_hand or state in {
        State.AWAITING_INTAKE_IN_TIME,
        State.AWAITING_INTAKE_OVERDUE,
        State.RECEIPT_UNKNOWN,
    }:
        cell[state.word] += 1
    if state is State.OPEN_OVERDUE:
        cell[f"open_overdue_{_apology(clocked, until)}"] += 1
    _count_due(cell, clocked, reading, state, period, until)
    facts = history.facts
    returned_at, method = facts.get("returned_at"), facts.get("return_method")
    if (
        returned_at is not None
        and method is not None
        and period.begins <= returned_at < until
        and state is not State.VOIDED
    ):
        way = {"post": "by_post", "counter": "at_counter", "online": "online"}[method.value]
        cell[f"returned_{way}"] += 1


def _count_due(
    cell: Counter[str],
    clocked: Clocked,
    reading: Reading,
    state: State,
    period: Period,
    until: datetime,
) -> None:
    in_time = state in {State.FINISHED_EARLY, State.FINISHED_ON_TIME}
    open_or_late = state in {State.OPEN_IN_TIME, State.OPEN_OVERDUE, State.FINISHED_LATE}
    if not (in_time or open_or_late):
        return
    course = clocked.courses[reading]
    last = until - JUST
    ends = [course.closed_at(one) for one in course.closings if course.closed_at(one) <= last]
    received_at = course.received_at
    assert received_at is not None
    at = max(ends[-1], received_at) if state.finished else last
    due = in_force(course.standings, at)
    observed_on = last.astimezone(ZONE).date()
    if due is not None and period.first <= due.due_on <= min(period.last, observed_on):
        cell["due"] += 1
        cell["due_met"] += in_time


# ---------------------------------------------------------------- the twins


def _asked(world: World, data: st.DataObject) -> tuple[Question, datetime]:
    """Draw a question, often with its moments on a boundary of some dossier."""
    reading = data.draw(st.sampled_from(Reading), "reading")
    first = data.draw(st.integers(0, 62), "first day")
    days = data.draw(st.sampled_from([1, 7, 31, 70]), "days")
    begins = FIRST.astimezone(ZONE).date() + timedelta(days=first - 1)
    period = Period(begins, begins + timedelta(days=days - 1))
    edges = {
        edge.at + step * JUST
        for messages in world.told.values()
        for edge in _read(world, messages).edges(reading)
        for step in (0, 1, 2)
    }
    inside = sorted(at for at in edges if period.begins <= at <= period.ends)
    moments = st.one_of(st.none(), instants)
    if inside:
        moments = st.one_of(st.none(), st.sampled_from(inside))
    as_of = data.draw(moments, "as of")
    assume(as_of is None or period.begins <= as_of <= period.ends)
    learned = sorted(one.recorded_at for told in world.told.values() for one in told)
    known_at = data.draw(st.one_of(st.none(), st.sampled_from(learned)), "known at")
    question = Question(
        unit=world.root, period=period, reading=reading, as_of=as_of, known_at=known_at
    )
    return question, period.ends if as_of is None else as_of


PORTAL = {Count.PROGRESS_766_ON_TIME, Count.PROGRESS_766_RECEIVED}
BOTH = [one for one in COUNTS if one not in CATALOGUE_COUNTS | PORTAL]
"""What both twins count; the portal's own way of counting has examples below."""


def _ask(session: WriteSession, question: Question, *group_by: str) -> Figures:
    return reporting.figures(
        session, question, group_by=group_by, definitions=DEFINITIONS, now=LATER
    )


@SOME
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_sql_counts_what_the_facts_say(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = _world(session, told)
    question, until = _asked(world, data)
    note(f"{question.period} until {until}")

    figures = _ask(session, question, "unit")

    expected = _tallies(world, question.reading, question.period, until, question.known_at)
    shown = {str(row.keys["unit"]): row.tally for row in figures.rows}
    for code in world.codes.values():
        counted = shown.get(code, Tally())
        wanted = expected.get(code, Counter())
        assert {one.value: counted[one] for one in BOTH if counted[one]} == {
            one.value: wanted[one.value] for one in BOTH if wanted[one.value]
        }
        assert not (+wanted).keys() - {one.value for one in BOTH}
    for cell in (*figures.rows, figures.total):
        assert set(cell.identities.values()) <= {0}


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_the_list_behind_every_count_has_as_many_rows_as_the_figure(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = _world(session, told)
    question, _ = _asked(world, data)

    total = _ask(session, question).total.tally

    for one in COUNTS:
        if one not in CATALOGUE_COUNTS and total[one]:
            behind = reporting.dossiers_behind(session, question, count=one, limit=500, now=LATER)
            assert len(behind) == total[one], one
            assert len({row.place for row in behind}) == len(behind)


@FEW
@given(
    told=st.lists(histories(("A", "B")), min_size=1, max_size=3),
    reading=st.sampled_from(Reading),
    step=st.sampled_from(["day", "month"]),
)
def test_parts_of_time_and_of_the_tree_add_up_and_hand_over(
    session: WriteSession, told: list[list[Message]], reading: Reading, step: str
) -> None:
    world = _world(session, told)
    period = Period(date(2026, 3, 1), date(2026, 3, 31 if step == "day" else 1))
    if step == "month":
        period = Period(date(2026, 2, 10), date(2026, 5, 20))
    question = Question(unit=world.root, period=period, reading=reading)

    by_time = _ask(session, question, step)
    by_both = _ask(session, question, "child", step)

    for figures in (by_time, by_both):
        assert figures.total.identities == dict.fromkeys(("I1", "I2", "I3", "I4"), 0)
        assert {residual for row in figures.rows for residual in row.identities.values()} <= {0}
    for before, after in pairwise(by_time.rows):
        assert after.tally[Count.CARRIED_OVER] == before.tally.sum(IN_HAND)


# ---------------------------------------------------------------- the portal's own way


def _portal(session: WriteSession, told: Message) -> tuple[int, int]:
    world = _world(session, [[told]])
    question = Question(unit=world.root, period=Period(date(2026, 3, 1), date(2026, 3, 31)))
    total = _ask(session, question).total.tally
    return total[Count.PROGRESS_766_ON_TIME], total[Count.PROGRESS_766_RECEIVED]


def _at(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def _supplements(*days: int) -> tuple[object, ...]:
    return tuple(PauseTold("supplement", _at(day), _at(day, 4)) for day in days)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"finished_at": _at(6)}, (1, 1)),
        ({"finished_at": _at(9)}, (1, 1)),
        ({"finished_at": _at(10)}, (0, 1)),
        ({}, (0, 1)),
        ({"due_at": _at(31, 10) + timedelta(days=9)}, (1, 1)),
        ({"due_at": None, "procedure": "?"}, (0, 0)),
        ({"finished_at": _at(20), "pauses": _supplements(4)}, (1, 1)),
        ({"finished_at": _at(20), "pauses": _supplements(12)}, (0, 1)),
        ({"finished_at": _at(9), "pauses": _supplements(4, 5)}, (0, 1)),
        ({"status": "withdrawn", "ended_at": _at(6)}, (1, 1)),
        ({"status": "withdrawn", "ended_at": _at(12)}, (0, 1)),
    ],
)
def test_the_portal_takes_the_first_request_for_a_supplement_as_the_end(
    session: WriteSession, facts: dict[str, object], expected: tuple[int, int]
) -> None:
    """Received on the 2nd and due on the 9th of March.

    Source: the formulas of the 766 index, progress group.
    """
    told = {
        "unit": "A",
        "procedure": "P",
        "received_at": _at(2),
        "due_at": _at(9, 10),
        "status": "processing",
        **facts,
    }
    told["status"] = Status(str(told["status"]))

    assert _portal(session, message(told_of(told), at=_at(21))) == expected


@pytest.mark.parametrize(("asked", "expected"), [(4, (1, 1)), (9, (1, 1)), (12, (0, 1))])
def test_a_request_before_the_dossier_came_to_the_unit_is_its_end_there_too(
    session: WriteSession, asked: int, expected: tuple[int, int]
) -> None:
    """Received on the 2nd, due on the 9th of March, handed over on the 16th."""
    told = {
        "unit": "A",
        "procedure": "P",
        "received_at": _at(2),
        "due_at": _at(9, 10),
        "status": Status.PROCESSING,
        "pauses": _supplements(asked),
    }
    moved = message(told_of({"unit": "B"}), at=_at(16), kind=MessageKind.TRANSFER)
    world = _world(session, [[message(told_of(told), at=_at(15)), moved]])
    question = Question(unit=world.root, period=Period(date(2026, 3, 1), date(2026, 3, 31)))

    answer = _ask(session, question, "unit")

    (at_new,) = [row.tally for row in answer.rows if row.tally[Count.TRANSFERRED_IN]]
    portal = at_new[Count.PROGRESS_766_ON_TIME], at_new[Count.PROGRESS_766_RECEIVED]
    assert portal == expected


# ---------------------------------------------------------------- questions


def _plain(session: WriteSession, **more: object) -> Question:
    unit = make_unit(session, f"R{next(_roots)}")
    period = Period(date(2026, 3, 1), date(2026, 3, 31))
    return Question(unit=unit, period=period, **more)  # type: ignore[arg-type]  # fields of a question


def test_a_question_that_cannot_be_answered_is_refused(session: WriteSession) -> None:
    question = _plain(session)

    with pytest.raises(GroupingUnknown):
        _ask(session, question, "colour")
    with pytest.raises(GroupingTwice):
        _ask(session, question, "day", "month")
    with pytest.raises(KnownInFuture):
        _ask(session, _plain(session, known_at=LATER + JUST))
    long = Question(unit=question.unit, period=Period(date(2024, 1, 1), date(2026, 3, 31)))
    with pytest.raises(TooManyParts):
        _ask(session, long, "day")


def test_nothing_told_is_counted_as_nothing(session: WriteSession) -> None:
    figures = _ask(session, _plain(session, extent=Extent.OWN), "unit")

    assert figures.rows == ()
    assert figures.total.tally == Tally()
    assert [rate.percent for rate in figures.total.rates] == [None]


def test_parts_that_have_not_begun_are_left_out(session: WriteSession) -> None:
    question = _plain(session, as_of=datetime(2026, 3, 3, 5, tzinfo=UTC))

    rows = _ask(session, question, "day").rows

    assert [row.keys["day"] for row in rows] == ["2026-03-01", "2026-03-02", "2026-03-03"]
