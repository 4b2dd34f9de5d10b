"""Changing a calendar: shown first, then applied to open dossiers with a computed promise only."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from app.domain.calendar import DayException, ExceptionKind
from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion, OnlineLevel
from app.domain.record import MessageKind, Status, Told
from app.domain.timeliness import Reading, State
from app.store.session import WriteSession
from app.usecases import calendars, catalogue, dossiers, ingest, rebuild, rule_change
from app.usecases.catalogue import DatedLimit, ProcedurePut, ProcedureSpec, UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender
from app.usecases.rule_change import Change
from app.usecases.subtree import Subtree

HCM = ZoneInfo("Asia/Ho_Chi_Minh")
EVERYWHERE = Subtree(0, 2**63 - 1)


def at(day: int, hour: int = 9) -> datetime:
    """Return an instant of March 2026; the second is a Monday."""
    return datetime(2026, 3, day, hour, tzinfo=HCM)


def _closure(day: int, **more: object) -> Change[calendars.CalendarPut]:
    exception = DayException(on=date(2026, 3, day), kind=ExceptionKind.OFF, title_vi="Nghỉ bão")

    def change(session: WriteSession) -> calendars.CalendarPut:
        return calendars.put_exceptions(
            session, "vn", [exception], document="12/CĐ-UBND", actor="test", now=at(5, 8)
        )

    return rule_change.of_calendar(change)


@pytest.fixture
def by(session: WriteSession) -> Sender:
    """Give a commune, a procedure of five working days, and three dossiers received on the 2nd."""
    catalogue.put_units(
        session,
        [
            UnitSpec(
                code="H44",
                name="Tỉnh",
                level=UnitLevel.PROVINCE,
                parent=None,
                valid_from=None,
                valid_to=None,
                legacy_codes=(),
            )
        ],
        actor="test",
        now=at(1),
    )
    limit = DatedLimit(LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)))
    spec = ProcedureSpec(code="P", name="Thủ tục", limits=(limit,))
    catalogue.put_procedures(session, [spec], actor="test", now=at(1))
    source = session.scalar(text("INSERT INTO source (code, name) VALUES ('s', 's') RETURNING id"))
    sender = Sender(source, None, None, 0, 2**63 - 1)
    told = Told(unit="H44", procedure="P", received_at=at(2), status=Status.PROCESSING)
    finished = Told(**told, finished_at=at(4)) | {"status": Status.FINISHED}
    for code, facts in (
        ("COMPUTED", told),
        ("TOLD", Told(**told, due_at=at(9, 17))),
        ("FINISHED", finished),
    ):
        one = Incoming(0, code, MessageKind.RECORD, at(4), at(4), True, facts)
        ingest.accept(session, [one], by=sender, door="test", now=at(4))
    return sender


def _due(session: WriteSession, code: str) -> date | None:
    whole = dossiers.get_dossier(session, code, within=EVERYWHERE, source=None, as_of=at(6))
    due = whole.standings[Reading.PROMISED].due
    return None if due is None else due.due_on


def test_a_preview_lists_who_moves_and_saves_nothing(session: WriteSession, by: Sender) -> None:
    found = rule_change.preview(session, _closure(6), now=at(5, 8))

    assert (found.looked_at, len(found.moved)) == (1, 1)
    moved = found.moved[0]
    assert (moved.code, moved.old_due_on, moved.due_on) == (
        "COMPUTED",
        date(2026, 3, 9),
        date(2026, 3, 10),
    )
    assert _due(session, "COMPUTED") == date(2026, 3, 9)
    assert session.scalar(text("SELECT count(*) FROM calendar_version")) == 0


def test_applying_moves_open_computed_dossiers_with_a_revision_and_no_other(
    session: WriteSession, by: Sender
) -> None:
    rule_change.apply(session, _closure(6), now=at(5, 8))

    assert _due(session, "COMPUTED") == date(2026, 3, 10)
    assert _due(session, "TOLD") == date(2026, 3, 9)
    assert _due(session, "FINISHED") == date(2026, 3, 9)
    whole = dossiers.get_dossier(session, "COMPUTED", within=EVERYWHERE, source=None, as_of=at(6))
    reasons = [(one.reason, one.old, one.new, one.document) for one in whole.revisions]
    assert reasons == [
        ("initial", None, date(2026, 3, 9), None),
        ("calendar_change", date(2026, 3, 9), date(2026, 3, 10), "12/CĐ-UBND"),
    ]


def test_later_news_of_a_dossier_does_not_take_up_a_change_that_passed_it_by(
    session: WriteSession, by: Sender
) -> None:
    rule_change.apply(session, _closure(6), now=at(5, 8))
    again = Told(unit="H44", procedure="P", returned_at=at(5, 10))
    one = Incoming(0, "FINISHED", MessageKind.RECORD, at(5, 10), at(5, 10), True, again)

    ingest.accept(session, [one], by=by, door="test", now=at(5, 11))

    assert _due(session, "FINISHED") == date(2026, 3, 9)


def test_a_storm_closure_entered_after_the_day_flips_what_it_makes_punctual(
    session: WriteSession, by: Sender
) -> None:
    found = rule_change.preview(session, _closure(6), now=at(10, 8))

    assert found.flips == 1
    assert (found.moved[0].old_state, found.moved[0].state) == (
        State.OPEN_OVERDUE,
        State.OPEN_IN_TIME,
    )


def test_the_same_change_again_moves_nobody(session: WriteSession, by: Sender) -> None:
    rule_change.apply(session, _closure(6), now=at(5, 8))

    _, found = rule_change.apply(session, _closure(6), now=at(5, 9))

    assert found.moved == ()


def test_a_changed_limit_moves_open_computed_dossiers_alone(
    session: WriteSession, by: Sender
) -> None:
    limit = DatedLimit(LimitVersion(TimeLimit.working_days(7), date(2020, 1, 1)))
    spec = ProcedureSpec(code="P", name="Thủ tục", limits=(limit,))

    def save(inner: WriteSession) -> tuple[ProcedurePut, ...]:
        return catalogue.put_procedures(inner, [spec], actor="test", now=at(5, 8))

    _, found = rule_change.apply(session, rule_change.of_procedures(save), now=at(5, 8))

    assert [one.code for one in found.moved] == ["COMPUTED"]
    assert _due(session, "COMPUTED") == date(2026, 3, 11)
    assert _due(session, "FINISHED") == date(2026, 3, 9)


def test_a_procedure_that_becomes_known_is_laid_over_the_dossiers_that_named_it(
    session: WriteSession, by: Sender
) -> None:
    told = Told(unit="H44", procedure="NEW", received_at=at(2), status=Status.PROCESSING)
    one = Incoming(0, "WAITING", MessageKind.RECORD, at(4), at(4), True, told)
    ingest.accept(session, [one], by=by, door="test", now=at(4))
    limit = DatedLimit(LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)))
    spec = ProcedureSpec(code="NEW", name="Thủ tục mới", limits=(limit,))

    def save(inner: WriteSession) -> tuple[ProcedurePut, ...]:
        return catalogue.put_procedures(inner, [spec], actor="test", now=at(5, 8))

    assert _due(session, "WAITING") is None
    rule_change.apply(session, rule_change.of_procedures(save), now=at(5, 8))

    assert _due(session, "WAITING") == date(2026, 3, 9)


def test_a_changed_online_level_reaches_every_dossier_of_the_procedure(
    session: WriteSession, by: Sender
) -> None:
    limit = DatedLimit(LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)))
    spec = ProcedureSpec(code="P", name="Thủ tục", limits=(limit,), online_level=OnlineLevel.FULL)

    def save(inner: WriteSession) -> tuple[ProcedurePut, ...]:
        return catalogue.put_procedures(inner, [spec], actor="test", now=at(5, 8))

    rule_change.apply(session, rule_change.of_procedures(save), now=at(5, 8))

    now = session.execute(text("SELECT code, online_level FROM dossier")).all()
    assert {tuple(one) for one in now} == {
        (code, "full") for code in ("COMPUTED", "TOLD", "FINISHED")
    }
    before = session.execute(text("SELECT DISTINCT online_level FROM dossier_past"))
    assert [tuple(one) for one in before] == [(None,)]
    assert _due(session, "FINISHED") == date(2026, 3, 9)
    assert rebuild.compare(session).differ == 0
