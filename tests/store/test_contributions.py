"""What one dossier adds to the facts; that all of them add up is held in test_facts.py."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from app.store import contributions
from app.store.contributions import NUMBER
from app.store.session import WriteSession
from app.store.tables import COUNTERS
from tests.factories import add_dossier, finished_course, local, make_source, make_unit

RECEIVED_AT = local("2026-03-02", 9)
DUE_ON = date(2026, 3, 9)


def _delta(session: WriteSession, finished: str, **more: Any) -> dict[tuple[str, str, str], int]:
    """Return (counter, day, seen on) of one dossier with their numbers, days as of March."""
    unit = make_unit(session)
    course = finished_course(RECEIVED_AT, DUE_ON, local(finished, 9))
    add_dossier(session, unit, make_source(session), "HS-1", course=course, **more)
    relations = contributions.relations(contributions.of_units())
    long = contributions.unpivoted("SELECT * FROM delta", "w.day, w.seen_on")
    rows = session.execute(
        text(
            f"WITH {relations} SELECT counter, day, seen_on, sum(n) AS n FROM ({long}) l"
            " GROUP BY 1, 2, 3 HAVING sum(n) <> 0"
        ),
        {"units": [unit.id]},
    ).all()
    return {
        (COUNTERS[row.counter], f"{row.day:%m-%d}", f"{row.seen_on:%m-%d}"): row.n for row in rows
    }


def test_a_dossier_finished_in_time_adds_once_to_each_day(session: WriteSession) -> None:
    assert _delta(session, "2026-03-06") == {
        ("received_in_person", "03-02", "03-02"): 1,
        ("open_in_time", "03-02", "03-02"): 1,
        ("held_766_on_time", "03-02", "03-02"): 1,
        ("finished_on_time", "03-06", "03-06"): 1,
        ("open_in_time", "03-06", "03-06"): -1,
        ("held_766_on_time", "03-06", "03-06"): -1,
        ("left_766", "03-06", "03-06"): 1,
        ("left_766_on_time", "03-06", "03-06"): 1,
        ("due", "03-09", "03-09"): 1,
        ("due_met", "03-09", "03-09"): 1,
    }


def test_a_letter_counts_for_the_finish_from_its_own_day_on(session: WriteSession) -> None:
    found = _delta(session, "2026-03-12", apology_at=local("2026-03-20", 9))

    assert found["finished_late_with_apology", "03-12", "03-20"] == 1
    assert found["open_overdue", "03-10", "03-10"] == 1
    assert ("open_overdue_with_apology", "03-20", "03-20") not in found


def test_a_dossier_that_is_listed_only_adds_nothing(session: WriteSession) -> None:
    assert _delta(session, "2026-03-06", is_counted=False) == {}


def test_slices_hold_each_dossier_once() -> None:
    assert contributions.slices(None, without_same_day=False) == [contributions.WHOLE]
    assert contributions.parts() == list(range(1, 9))
    without = contributions.slices(None, without_same_day=True)
    assert without == [1, 3, 5, 7]
    assert contributions.slices("post", without_same_day=False) == [5, 6]


@pytest.mark.parametrize("place", range(1, 9))
def test_a_slice_names_its_channel(session: WriteSession, place: int) -> None:
    named = session.scalar(text(f"SELECT {contributions.channel_of(str(place))}"))

    assert place in contributions.parts(named)


def test_counters_keep_their_numbers() -> None:
    """The numbers are stored in ``fact_corner``; a new counter goes to the end."""
    assert (NUMBER["received_online"], NUMBER["due"], NUMBER["held_766_on_time"]) == (0, 25, 41)
