"""The rows of a dossier, one for each unit and reading: the same by the short way."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import quality
from app.domain.dossier import gather
from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion, OnlineLevel, Procedure
from app.domain.reading import read
from app.domain.record import Message, MessageKind, Told
from app.store import dossiers
from app.store.units import UnitRow
from app.usecases import sameness
from app.usecases.calendar_book import CalendarBook
from app.usecases.projection import Folded, Projected, Row, edges_of, plain
from app.usecases.terms import KnownProcedure, Lexicon
from tests.strategies import histories, message, plain_histories

NOW = datetime(2026, 4, 1, tzinfo=UTC)
KEY = (7, "H44-260302-0001")


def unit(number: int, *, is_bucket: bool = False) -> UnitRow:
    """Return a unit without a place in any tree."""
    return UnitRow(
        id=number,
        code=f"U{number}",
        name="",
        level="commune",
        parent_id=None,
        parent_code=None,
        lft=number * 10,
        rgt=number * 10 + 9,
        depth=1,
        valid_from=None,
        valid_to=None,
        legacy_codes=(),
        is_bucket=is_bucket,
        recorded_at=NOW,
    )


def lexicon(*, is_bucket: bool = False, by_name: bool = False) -> Lexicon:
    """Return the words of two units and one procedure, known in two revisions."""
    later = Procedure(
        "P",
        (LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)),),
        OnlineLevel.INFORMATION,
    )
    first = Procedure("P", (LimitVersion(TimeLimit.calendar_days(20), date(2020, 1, 1)),))
    revisions = ((NOW - timedelta(days=900), first), (datetime(2026, 3, 20, tzinfo=UTC), later))
    return Lexicon(
        unit_ids={(0, "A"): 1, (0, "B"): 2},
        by_id={1: unit(1, is_bucket=is_bucket), 2: unit(2)},
        heirs={},
        procedures={(0, "P"): KnownProcedure(3, revisions), (0, "?"): None},
        calendars=CalendarBook({1: ((None, ()),), 2: ((None, ()),)}),
        by_name=frozenset({(0, "A")} if by_name else ()),
    )


def longest(messages: list[Message], words: Lexicon) -> Projected:
    """Return what a dossier gives by the long way."""
    history = gather(messages, words.unit_ids)
    clocked = read(history, words.terms(history, parent_known=False))
    found = quality.find(KEY[1], messages, clocked)
    folded = Folded(
        KEY, 5, history, clocked, edges_of(clocked), found, sameness.alone(KEY), counts=True
    )
    return folded.projected(words, version=4, now=NOW)


def shortest(messages: list[Message], words: Lexicon) -> Projected | None:
    """Return what a dossier gives by the short way."""
    history = gather(messages, words.unit_ids)
    return plain(KEY, messages, history, words, home=5, version=4, now=NOW)


def shown(rows: list[Row]) -> list[dict[str, Any]]:
    """Return rows as the store sees them, with what goes without saying."""
    return [
        MEANT
        | {"home_unit_id": row["unit_id"]}
        | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]


MEANT: dict[str, Any] = {
    **dict.fromkeys(("is_current", "is_counted"), True),
    **dict.fromkeys(("is_leg", "place_independent", "is_provisional", "apology_exempt"), False),
    **{name: [] for name in ("same_as", "other_codes", "issues", "supplement_at", "edge_days")},
}


def test_what_a_row_leaves_out_is_what_the_store_then_means() -> None:
    words = {"'[]'": [], "'{}'": [], "true": True, "false": False}
    meant = dict(dossiers._LEFT_OUT)  # the columns are the subject

    assert meant.pop("home_unit_id") == "unit_id"
    assert {name: words[value] for name, value in meant.items()} == MEANT


@settings(max_examples=300)
@given(st.one_of(plain_histories(), histories()), st.booleans(), st.booleans())
def test_the_short_way_gives_the_rows_of_the_long_one(
    messages: list[Message], is_bucket: bool, by_name: bool
) -> None:
    words = lexicon(is_bucket=is_bucket, by_name=by_name)

    short, long = shortest(messages, words), longest(messages, words)

    if short is not None:
        assert shown(short.rows) == shown(long.rows)
        assert shown(short.readings) == shown(long.readings)
        assert (short.holder, short.line, short.standing) == (long.holder, long.line, long.standing)


@pytest.mark.parametrize("finished_at", [None, datetime(2026, 3, 5, 3, tzinfo=UTC)])
def test_a_dossier_told_by_dates_takes_the_short_way(finished_at: datetime | None) -> None:
    received_at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    told = Told(unit="A", procedure="P", received_at=received_at, finished_at=finished_at)

    found = shortest([message(told, at=finished_at or received_at)], lexicon())

    assert found is not None
    assert found.rows[0]["is_open"] == (finished_at is None)
    assert found.rows[0]["unit_lft"] == 10
    assert [row["reading"] for row in found.readings] == ["as_sent"]


def test_a_dossier_that_moved_has_a_row_for_each_unit() -> None:
    received_at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    moved_at = received_at + timedelta(days=1)
    told = Told(unit="A", procedure="P", received_at=received_at)
    messages = [
        message(told, at=received_at),
        message(Told(unit="B"), at=moved_at, kind=MessageKind.TRANSFER),
    ]

    found = longest(messages, lexicon())

    assert shortest(messages, lexicon()) is None
    assert [(row["unit_id"], row["is_current"]) for row in found.rows] == [(1, False), (2, True)]
    assert found.holder == 2
