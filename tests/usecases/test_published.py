"""Dossiers made from a printed report: exactly its totals, the same every time."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import ZONE
from app.domain.record import Channel
from app.domain.tally import Count, Tally, identities
from app.rulebook.calendars import load_state_calendar
from app.rulebook.published import Report, Way, load_reports
from app.usecases.published import compare, expected, records, scaled, size_of

CALENDAR = load_state_calendar()
REPORTS = list(load_reports().values())


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.id))
@pytest.mark.parametrize("scale", [10, 100, 1_000])
def test_the_dossiers_have_the_totals_of_the_report(report: Report, scale: int) -> None:
    small = scaled(report, scale)
    wanted = expected(small)

    made = list(records(small, CALENDAR))

    begins = datetime.combine(small.first, datetime.min.time(), ZONE)
    ends = datetime.combine(small.last + timedelta(days=1), datetime.min.time(), ZONE)
    found: Counter[Count] = Counter()
    for one in made:
        received, due, finished = (
            datetime.fromisoformat(str(one[name]))
            for name in ("received_at", "due_at", "finished_at")
        )
        assert received < finished
        assert CALENDAR.is_working_day(due.date())
        found[Count.CARRIED_OVER if received < begins else Count.RECEIVED] += 1
        if finished >= ends:
            found[Count.OPEN_IN_TIME if due >= ends else Count.OPEN_OVERDUE] += 1
        else:
            found[Count.FINISHED_LATE if finished > due else Count.FINISHED_ON_TIME] += 1
    assert {count: found[count] for count in found} == {count: wanted[count] for count in found}
    assert len({one["code"] for one in made}) == len(made) == size_of(small)
    assert made == list(records(small, CALENDAR))


@given(st.sampled_from(REPORTS), st.integers(1, 5_000))
def test_a_scaled_report_still_adds_up(report: Report, scale: int) -> None:
    small = scaled(report, scale)
    counts = {count.value: number for count, number in expected(small).items()}

    assert size_of(small) == (2 * size_of(report) + scale) // (2 * scale)
    assert identities(Tally.from_mapping(counts)) == {"I1": 0, "I2": 0}
    assert scaled(report, 1) is report


@pytest.fixture
def report() -> Report:
    """Give a report of a handful of dossiers."""
    return scaled(load_reports()["quan-1-2018"], 100_000)


def _counts(report: Report) -> dict[str, int]:
    return Tally.from_mapping({c.value: n for c, n in expected(report).items()}).to_dict()


def test_what_is_read_back_as_sent_is_equal(report: Report) -> None:
    found = compare(report, _counts(report), [("d@1", 1, 1, "99.96")], {"I1": 0})

    assert found.is_equal
    assert [rate.printed for rate in found.rates] == [("99,96",)]


def test_any_difference_is_named(report: Report) -> None:
    counts = _counts(report) | {"received": 7, "voided": 1}

    found = compare(report, counts, [("d@1", 0, 0, None)], {"I1": 0})

    assert found.different == {"received": (6, 7), "voided": (0, 1)}
    assert not found.is_equal
    assert not compare(report, _counts(report), [], {"I1": 2}).is_equal


def test_dossiers_of_no_told_way_came_by_an_unknown_channel() -> None:
    report = scaled(load_reports()["thach-ha-2019"], 100)
    made = Counter(one["channel"] for one in records(report, CALENDAR))

    assert report.ways == (Way(35, Channel.POST, None),)
    assert made == {"post": 35, "unknown": 734}
