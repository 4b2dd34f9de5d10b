"""Page models: months, trends, sorting, small samples."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.period import Period
from app.domain.tally import IN_HAND, Count, Tally
from app.domain.timeliness import State
from app.i18n import Language
from app.rulebook.demo_province import PROVINCE
from app.store import units
from app.store.session import Database, WriteSession
from app.store.trees import Units
from app.usecases import demo, reporting, successions
from app.usecases.reporting import Question
from app.usecases.successions import SuccessionKind, SuccessionSpec
from app.web import pages
from app.web.pages import Overview, month_of, state_kind, state_text
from app.web.rendering import Writing
from tests.web.conftest import NOW

VI = Writing(Language.VI)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        (None, "2026-08-01", "2026-08-31"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2025-12", "2025-12-01", "2025-12-31"),
        ("2026-13", "2026-08-01", "2026-08-31"),
        ("nonsense", "2026-08-01", "2026-08-31"),
        ("2031-01", "2026-08-01", "2026-08-31"),
    ],
)
def test_a_month_to_come_or_none_at_all_is_the_current_one(
    asked: str | None, first: str, last: str
) -> None:
    assert month_of(asked, now=NOW) == Period(date.fromisoformat(first), date.fromisoformat(last))


def test_the_month_is_that_of_the_local_day() -> None:
    late_evening_in_utc = datetime(2026, 7, 31, 18, 0, tzinfo=UTC)

    assert month_of(None, now=late_evening_in_utc).first == date(2026, 8, 1)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("state", State)
def test_every_state_has_words_and_a_kind(state: State, language: Language) -> None:
    assert state_text(state, Writing(language))
    assert state_kind(state) in {"good", "bad", "waiting", "plain"}


def test_the_weeks_of_the_trend_are_the_figures_of_those_weeks(province: Database) -> None:
    with province.read() as session:
        unit = units.get(session, PROVINCE)
        monday = date(2026, 6, 15)
        parts = [
            Period(monday + timedelta(weeks=week), monday + timedelta(weeks=week, days=6))
            for week in range(5)
        ]
        whole = Question(unit, Period(parts[0].first, parts[-1].last))

        found = reporting.finishes_by_part(session, whole, parts=parts, now=NOW)

        for part, tally in zip(parts, found, strict=True):
            figures = reporting.figures(
                session, Question(unit, part), definitions=pages.definitions(part), now=NOW
            )
            for count in reporting.FINISHES:
                assert tally[count] == figures.total.tally[count] > 0 or count is (
                    Count.FINISHED_LATE
                )
            assert tally[Count.FINISHED_LATE] == figures.total.tally[Count.FINISHED_LATE]


@pytest.mark.parametrize("sort", ["rate", "-rate"])
def test_what_has_no_rate_stands_last_whichever_way_is_sorted(
    province: Database, sort: str
) -> None:
    with province.read() as session:
        model = pages.overview(
            session,
            who=demo.operator(session),
            unit=units.get(session, PROVINCE),
            period=month_of("2026-07", now=NOW),
            sort=sort,
            now=NOW,
            writing=VI,
        )

    percents = [line.percent for line in model.lines]
    known = [
        float(re.sub(r"[^0-9,]", "", text).replace(",", ".")) for text in percents if text != "–"
    ]
    assert percents == sorted(percents, key=lambda text: text == "–")
    assert known == sorted(known, reverse=sort == "-rate")
    assert any(line.is_small for line in model.lines)


def test_the_rows_of_the_table_add_up_to_the_tiles(province: Database) -> None:
    with province.read() as session:
        model = pages.overview(
            session,
            who=demo.operator(session),
            unit=units.get(session, PROVINCE),
            period=month_of("2026-07", now=NOW),
            sort="name",
            now=NOW,
            writing=VI,
        )

    received = sum(int(line.numbers[0].text.replace(".", "")) for line in model.lines)
    assert model.tiles[0].value == VI.number(received)


class _Undone(Exception):
    """Rolls a change of the shared province back."""


def test_a_commune_that_merged_is_shown_as_its_successor_and_its_own_page_as_it_was(
    province: Database,
) -> None:
    with pytest.raises(_Undone), province.begin() as session:
        counts = reporting.by_unit(
            session, Question(units.get(session, PROVINCE), JULY, units=Units.AS_WAS), now=NOW
        )[1]
        old, new = sorted(
            (code for code in counts if units.get(session, code).level == "commune"),
            key=lambda code: -counts[code][Count.RECEIVED],
        )[:2]
        before = sum(counts[code][Count.RECEIVED] for code in (old, new))
        spec = SuccessionSpec(
            kind=SuccessionKind.MERGER,
            effective_on=date(2026, 8, 1),
            successors=(new,),
            document="1/NQ",
        )

        done = successions.apply(session, old, spec, actor="test", now=NOW)

        names = {code: units.get(session, code).name for code in (old, new)}
        model = _overview(session, units.get(session, PROVINCE).code)
        shown = {line.name.text: line.numbers[0].text for line in model.lines}
        assert names[old] not in shown
        assert shown[names[new]] == VI.number(before)
        own = _overview(session, old)
        assert own.tiles[0].value == VI.number(counts[old][Count.RECEIVED])
        assert done.moved.open == _in_hand(counts[old]) > 0
        raise _Undone


JULY = Period(date(2026, 7, 1), date(2026, 7, 31))


def _in_hand(tally: Tally) -> int:
    return tally.sum(IN_HAND)


def _overview(session: WriteSession, code: str) -> Overview:
    return pages.overview(
        session,
        who=demo.operator(session),
        unit=units.get(session, code),
        period=JULY,
        sort="name",
        now=NOW,
        writing=VI,
    )
