"""Pulling from a source: to its end, on from where it stopped, back to what is known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.record import Status
from app.senders.igate import AnswerInvalid
from app.store import pulls
from app.store.pulls import PullBusy, PullState
from app.store.session import Database
from app.usecases import pull
from app.usecases.pull import FEED, OVERLAP, PageRepeated, Terms
from tests.fakes import igate_item
from tests.usecases.test_imports import HASH, settle

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)


class Pages:
    """A source in memory that breaks off when told to."""

    def __init__(self, items: list[dict[str, Any]], *, size: int = 10) -> None:
        self.items = items
        self.size = size
        self.asked: list[int] = []
        self.breaks_at: int | None = None

    def page(self, number: int) -> tuple[Sequence[object], bool]:
        """Return a page, or break."""
        self.asked.append(number)
        if number == self.breaks_at:
            raise AnswerInvalid
        shown = sorted(self.items, key=lambda one: str(one["updatedDate"]), reverse=True)
        found = shown[number * self.size : (number + 1) * self.size]
        return found, (number + 1) * self.size >= len(shown)


def terms_of(database: Database) -> Terms:
    return Terms(settle(database, "igate"), HASH, lambda: NOW, {"2": Status.PROCESSING})


def run(database: Database, source: pull.Source, terms: Terms, **more: Any) -> PullState:
    *_, last = pull.pull(database, source, terms, **more)
    return last


def count(database: Database, table: str) -> int:
    with database.read() as session:
        found: int = session.scalar(text(f"SELECT count(*) FROM {table}"))
        return found


def test_everything_is_read_once_and_the_next_pull_reads_what_changed(database: Database) -> None:
    terms = terms_of(database)
    source = Pages([igate_item(n) for n in range(300)])

    first = run(database, source, terms)
    source.items[7] = igate_item(
        7,
        completedDate="2026-08-04T02:00:00Z",
        dossierStatus={"name": "Đã có kết quả"},
        updatedDate="2026-08-04T02:00:00Z",
    )
    source.asked.clear()
    second = run(database, source, terms)

    assert (first.counts["accepted"], first.counts["pages"]) == (300, 30)
    assert first.cursor == datetime(2026, 8, 3, 4, 59, tzinfo=UTC)
    assert first.succeeded_at == NOW
    assert (second.counts["accepted"], second.cursor) == (1, datetime(2026, 8, 4, 2, tzinfo=UTC))
    assert source.asked == list(range(len(source.asked)))
    assert len(source.asked) == 7  # the overlap of an hour, and no more
    assert count(database, "dossier") == 300


def test_a_pull_that_breaks_off_goes_on_at_its_page(database: Database) -> None:
    terms = terms_of(database)
    source = Pages([igate_item(n) for n in range(100)])
    source.breaks_at = 6
    with pytest.raises(AnswerInvalid):
        run(database, source, terms)
    source.breaks_at = None
    source.items.append(igate_item(200, updatedDate="2026-08-05T00:00:00Z"))
    source.asked.clear()

    done = run(database, source, terms)

    assert source.asked == [6, 7, 8, 9, 10]
    assert done.counts["accepted"] == 100
    assert done.cursor == datetime(2026, 8, 3, 1, 39, tzinfo=UTC)
    again = run(database, source, terms)
    assert again.counts["accepted"] == 1
    assert count(database, "dossier") == 101


def test_broken_items_wait_and_the_good_ones_beside_them_are_taken(database: Database) -> None:
    items = [igate_item(n) for n in range(20)]
    items[3]["acceptedDate"] = "hôm qua"
    items[4]["code"] = None

    done = run(database, Pages(items), terms_of(database))

    assert (done.counts["accepted"], done.counts["quarantined"]) == (18, 2)
    assert count(database, "quarantine") == 2


def test_a_day_asked_for_reads_again_from_the_beginning(database: Database) -> None:
    terms = terms_of(database)
    source = Pages([igate_item(n) for n in range(300)])
    run(database, source, terms)

    done = run(database, source, terms, since=datetime(2026, 8, 3, tzinfo=UTC) - OVERLAP)

    assert done.counts["unchanged"] == 300


def test_a_source_out_of_order_is_read_to_its_end(database: Database) -> None:
    terms = terms_of(database)

    class Disordered(Pages):
        """Ignores the order asked for."""

        def page(self, number: int) -> tuple[Sequence[object], bool]:
            """Return a page as it comes."""
            self.asked.append(number)
            found = self.items[number * 10 : (number + 1) * 10]
            return found, (number + 1) * 10 >= len(self.items)

    source = Disordered([igate_item(n) for n in range(50)])
    run(database, source, terms)
    source.asked.clear()

    run(database, source, terms)

    assert source.asked == [0, 1, 2, 3, 4]


def test_a_source_without_end_is_left(database: Database) -> None:
    class Endless(Pages):
        """Gives the same page for ever."""

        def page(self, number: int) -> tuple[Sequence[object], bool]:
            """Return the first page."""
            return super().page(min(number, 0))[0], False

    with pytest.raises(PageRepeated):
        run(database, Endless([igate_item(n) for n in range(20)]), terms_of(database))


def test_an_empty_source_is_read_to_its_end(database: Database) -> None:
    done = run(database, Pages([]), terms_of(database))

    assert (done.counts["pages"], done.cursor) == (1, NOW)


def test_two_pulls_of_one_source_do_not_mix(database: Database) -> None:
    terms = terms_of(database)
    source = Pages([igate_item(n) for n in range(50)])
    first = pull.pull(database, source, terms)
    next(first)
    run(database, source, terms)

    with pytest.raises(PullBusy):
        next(first)


def test_each_stretch_of_time_is_pulled_once(database: Database) -> None:
    every = timedelta(minutes=15)
    terms = terms_of(database)
    with database.begin() as session:
        claim = pull.claim_due(session, every=every, owner="a", now=NOW)
    assert claim is not None
    pull.work(database, claim, Pages([igate_item(1)]), terms)

    with database.begin() as session:
        same = pull.claim_due(session, every=every, owner="b", now=NOW + timedelta(minutes=14))
        later = pull.claim_due(session, every=every, owner="b", now=NOW + every)

    assert same is None
    assert later is not None
    assert later.slot == "2026-08-10T01:15Z"
    with database.read() as session:
        state = pulls.find(session, terms.by.source_id, FEED)
    assert state is not None
    assert state.succeeded_at == NOW
