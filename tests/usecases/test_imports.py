"""Importing files: equal to the API, resumed after a kill, good rows kept beside bad."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.feeds.workbook import open_book
from app.i18n import Language
from app.store import imports as jobs
from app.store.imports import ImportBusy, Job
from app.store.session import Database
from app.usecases import catalogue, imports, intake, rebuild
from app.usecases.access import Principal
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.imports import ColumnsMissing, HeaderNotFound, Order, Prepared
from app.usecases.ingest import Sender, VerdictWord
from tests.feeds.test_table import BROKEN, GOOD
from tests.feeds.test_table import HEADER as GOOD_HEADER
from tests.files import HEADER, as_csv, record, row, xlsx

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
HASH = intake.hasher_of(b"a secret of the tests")


def settle(database: Database, source: str = "file") -> Sender:
    """Put a province with two communes and return an operator's sender for it."""
    specs = [
        UnitSpec(
            code=code,
            name=f"Đơn vị {code}",
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in (("H44", None), ("H44.100", "H44"), ("H44.101", "H44"))
    ]
    with database.begin() as session:
        catalogue.put_units(session, specs, actor="test", now=NOW)
        return intake.sender_by_name(session, source=source, unit="H44")


def begin(
    database: Database,
    prepared: Prepared,
    by: Sender,
    *,
    again: bool = False,
    lanes: int | None = None,
) -> Job:
    with database.begin() as session:
        return imports.begin(
            session, prepared, by=by, actor="test", again=again, lanes=lanes, now=NOW
        )


def work(database: Database, job: Job, prepared: Prepared, by: Sender, batch: int = 1_000) -> Job:
    *_, last = imports.work(
        database, job, prepared, by=by, hash_applicant=HASH, clock=lambda: NOW, batch=batch
    )
    return last


def take(
    database: Database, raw: bytes, by: Sender, batch: int = 1_000, lanes: int | None = None
) -> Job:
    prepared = imports.prepare(Order(raw))
    return work(database, begin(database, prepared, by, lanes=lanes), prepared, by, batch)


def believed(database: Database, source_id: int) -> list[tuple[Any, ...]]:
    """Return all that is stored of a source's dossiers, told and folded.

    That another source sends the same ones, and which of both counts, is left out.
    """
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT jsonb_set(to_jsonb(d) - CAST(:beside AS text[]), '{issues}',"
                " to_jsonb(array_remove(d.issues, 'same_from_two_sources'))),"
                " r.told, r.digest, r.source_updated_at, r.stamped"
                " FROM dossier d JOIN dossier_record r USING (source_id, code)"
                " WHERE source_id = :source ORDER BY code, r.seq"
            ),
            {
                "source": source_id,
                "beside": ["source_id", "version", "recorded_at", "is_counted", "same_as"],
            },
        )
        return [tuple(one) for one in rows]


def through_the_api(database: Database, by: Sender, records: Sequence[object]) -> None:
    who = Principal(
        key_id=1,
        prefix="t",
        name="t",
        source_id=by.source_id,
        source_code="api",
        unit_id=by.unit_id,
        unit_code="H44",
        lft=by.lft,
        rgt=by.rgt,
        scopes=frozenset(),
    )
    with database.begin() as session:
        intake.native_records(session, records, who=who, hash_applicant=HASH, now=NOW)


def test_five_thousand_rows_end_as_the_same_records_by_the_api(database: Database) -> None:
    count = 5_000
    by, other = settle(database), settle(database, "api")

    job = take(database, xlsx(row(n) for n in range(count)), by)
    through_the_api(database, other, [record(n) for n in range(count)])

    assert (job.state, job.counts["accepted"], job.next_row) == (jobs.DONE, count, count + 2)
    stored = believed(database, by.source_id)
    assert len(stored) == count
    assert stored == believed(database, other.source_id)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_and_a_workbook_with_the_same_rows_say_the_same(
    database: Database, encoding: str
) -> None:
    rows = [row(n) for n in range(20)]
    by = settle(database)
    take(database, xlsx(rows), by)

    job = take(database, as_csv(rows, encoding=encoding), by)

    assert job.counts["unchanged"] == 20


def test_good_rows_are_kept_beside_bad_ones(database: Database) -> None:
    rows: list[list[object]] = [row(n) for n in range(300)]
    for place in range(0, 300, 3):
        rows[place][6] = "31/02/2026"
    by = settle(database)

    job = take(database, xlsx(rows), by, batch=70)

    assert job.counts == {
        "accepted": 200,
        "unchanged": 0,
        "stale": 0,
        "quarantined": 100,
        imports.SET_ASIDE: 0,
    }
    with database.read() as session:
        refused = imports.refusals(session, job)
        waiting = session.scalar(text("SELECT count(*) FROM quarantine"))
    assert waiting == 100
    assert [one.row for one in refused] == list(range(2, 302, 3))
    assert refused[0].raw["received_at"] == "31/02/2026"
    assert [fault.code for fault in refused[0].faults] == ["import.not_date"]
    assert "Nguyễn" not in str(refused)


IN_A_SHEET = [name for name in BROKEN if name not in {"code that is a date", "code with a control"}]
"""Two kinds cannot be written into a workbook; tests/feeds/test_table.py has them."""


def test_every_kind_of_broken_row_waits_and_costs_no_good_row(database: Database) -> None:
    rows: list[list[object]] = []
    for number, name in enumerate(IN_A_SHEET):
        changed, _ = BROKEN[name]
        rows.append([changed.get(place, cell) for place, cell in enumerate(GOOD)])
        rows.append([f"TỐT-{number}", *GOOD[1:]])

    job = take(database, xlsx(rows, GOOD_HEADER), settle(database))

    assert len(IN_A_SHEET) >= 20
    assert job.counts["accepted"] == job.counts["quarantined"] == len(IN_A_SHEET)
    with database.read() as session:
        refused = imports.refusals(session, job)
    assert [one.row for one in refused] == [2 + 2 * n for n in range(len(IN_A_SHEET))]
    assert all(one.faults for one in refused)


class Killed(Exception):
    """Stands for the end of a process."""


class MortalDatabase(Database):
    """A database that ends its process in the middle of a transaction."""

    def __init__(self, inner: Database, *, after: int) -> None:
        self.inner = inner
        self.left = after

    def begin(self) -> Any:
        """Open a transaction, or die."""
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.inner.begin()


@pytest.mark.parametrize(("after", "lanes"), [(0, 1), (1, 1), (9, 1), (0, 4), (1, 4), (7, 4)])
def test_the_same_file_goes_on_where_it_stopped(database: Database, after: int, lanes: int) -> None:
    by = settle(database)
    raw = xlsx(row(n) for n in range(1_000))
    prepared = imports.prepare(Order(raw))
    job = begin(database, prepared, by, lanes=lanes)
    with pytest.raises(Killed):
        work(MortalDatabase(database, after=after), job, prepared, by, batch=100)

    found = begin(database, imports.prepare(Order(raw)), by)
    done = work(database, found, prepared, by, batch=100)

    assert (found.id, len(found.lanes), found.taken) == (job.id, lanes, 100 * after)
    assert lanes > 1 or found.next_row == 2 + 100 * after
    assert (done.state, done.next_row, done.taken) == (jobs.DONE, 1_002, 1_000)
    assert done.counts["accepted"] == 1_000
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM dossier_record")) == 1_000
        assert rebuild.compare(session).differ == 0


@pytest.mark.parametrize(
    ("rows", "lanes"),
    [(0, 1), (3_999, 1), (4_000, 2), (7_999, 2), (8_000, 4), (16_000, 8), (1_000_000, 8)],
)
def test_a_file_has_lanes_as_its_rows_are_worth(rows: int, lanes: int) -> None:
    assert imports.lanes_for(rows) == lanes


LETTERS = str.maketrans("0123456789", "ghijklmnop")
"""Many digits in a row are taken for a number of a person."""

RICH = (*HEADER, "Mã hồ sơ khác", "Mã hồ sơ gốc")


def history(random: Random, before: str) -> list[list[object]]:
    """Return rows of an office that repeats, corrects, renumbers, joins and mistypes dossiers."""
    codes = [f"{before}{number:03}" for number in range(25)]
    rows: list[list[object]] = []
    for minutes in random.sample(range(10_000), 90):  # no tie, which digests of numbers would break
        number = random.randrange(len(codes))
        cells = [*row(random.choice((number, number + 100))), None, None]
        cells[1] = codes[number]
        cells[10] = (
            f"{datetime(2026, 7, 1, tzinfo=UTC) + timedelta(minutes=minutes):%d/%m/%Y %H:%M}"
        )
        match random.randrange(12):
            case 0:
                cells[6] = "31/02/2026"
            case 1:
                cells[1] = None
            case 2:
                cells[11] = codes[random.randrange(number + 1)]
            case 3:
                cells[12] = codes[random.randrange(number + 1)]
            case 4:
                cells = [None, "Tổng cộng", 90]
            case 5 if rows:
                cells = list(random.choice(rows))
        rows.append(cells)
    return rows


def told_of(database: Database, before: str) -> str:
    """Return all that is stored of the dossiers of a file, without what its numbers begin with."""
    with database.read() as session:
        rows = session.scalar(
            text(
                "SELECT jsonb_agg((to_jsonb(d) || to_jsonb(r)) - CAST(:beside AS text[])"
                " ORDER BY d.code, d.unit_id, r.seq)"
                " FROM dossier d JOIN dossier_record r USING (source_id, code)"
                " WHERE code LIKE :mine"
            ),
            {"mine": f"{before}%", "beside": ["digest", "version"]},
        )
    return str(rows).replace(before, "")


@given(st.randoms(use_true_random=False), st.sampled_from((2, 4, 8)), st.sampled_from((3, 20)))
@settings(max_examples=5)
def test_however_many_lanes_a_file_has_it_ends_alike(
    database: Database, random: Random, lanes: int, batch: int
) -> None:
    by = settle(database)
    seed = random.randrange(2**32)
    ends = []
    for size in (1, lanes):
        before = uuid4().hex.translate(LETTERS) + "-"
        raw = as_csv(history(Random(seed), before), RICH)
        job = take(database, raw, by, batch, size)
        with database.read() as session:
            refused = imports.refusals(session, job)
            assert rebuild.compare(session).differ == 0
        seen = [(one.row, one.faults, one.state) for one in refused]
        made = imports.errors_workbook(job, refused, language=Language.VI)
        with open_book(made).rows() as rows:
            shown = str([one.cells for one in rows]).replace(before, "")
        ends.append((told_of(database, before), job.counts, job.next_row, seen, shown))

    assert ends[0] == ends[1]
    assert sum(ends[0][1].values()) == 90


def test_a_file_that_is_done_is_not_imported_again_unless_asked(database: Database) -> None:
    by = settle(database)
    broken = [*row(0)[:6], "mai", *row(0)[7:]]
    raw = xlsx([*(row(n) for n in range(10)), broken])
    first = take(database, raw, by)

    second = take(database, raw, by)
    prepared = imports.prepare(Order(raw))
    again = work(database, begin(database, prepared, by, again=True), prepared, by)

    assert second == first
    assert (again.id, again.counts["unchanged"], again.counts["quarantined"]) == (first.id, 10, 1)


def test_another_mapping_of_the_same_file_is_another_import(database: Database) -> None:
    by = settle(database)
    raw = xlsx([row(0)])
    first = take(database, raw, by)

    prepared = imports.prepare(Order(raw, {"Ngày hẹn trả": ""}))
    other = begin(database, prepared, by)

    assert other.id != first.id
    assert other.next_row == 2


@pytest.mark.parametrize("lanes", [1, 4])
def test_two_processes_with_one_file_take_no_row_twice(database: Database, lanes: int) -> None:
    by = settle(database)
    prepared = imports.prepare(Order(xlsx(row(n) for n in range(300))))
    job = begin(database, prepared, by, lanes=lanes)

    def batches() -> Iterator[Job]:
        return imports.work(
            database, job, prepared, by=by, hash_applicant=HASH, clock=lambda: NOW, batch=40
        )

    first, second = batches(), batches()
    next(first)
    with pytest.raises(ImportBusy):
        while True:
            next(second)
            next(first)
    *_, last = first

    assert (last.state, last.counts["accepted"], last.taken) == (jobs.DONE, 300, 300)
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM dossier_record")) == 300


def test_who_was_too_late_for_every_lane_says_so_and_the_last_one_closes(
    database: Database,
) -> None:
    by = settle(database)
    prepared = imports.prepare(Order(xlsx(row(n) for n in range(300))))
    job = begin(database, prepared, by, lanes=2)
    first, second = (
        imports.work(
            database, job, prepared, by=by, hash_applicant=HASH, clock=lambda: NOW, batch=500
        )
        for _ in range(2)
    )

    next(first)  # one lane is its own, the other is left to the second
    next(second)
    later = next(second)
    last = next(second)
    with pytest.raises(StopIteration):
        next(second)

    assert (later.state, last.state, last.taken) == (jobs.RUNNING, jobs.DONE, 300)


def test_a_preview_stores_nothing_and_tells_all(database: Database) -> None:
    by = settle(database)
    rows: list[list[object]] = [row(n) for n in range(150)]
    rows[120][6] = "mai"
    rows.append([None, "Tổng cộng", 150])
    prepared = imports.prepare(Order(xlsx(rows)))

    found = imports.preview(database, prepared, by=by, hash_applicant=HASH, now=NOW)

    assert (found.readable, found.unreadable, found.set_aside) == (149, 1, 1)
    assert found.rehearsed == {"accepted": 100, "unchanged": 0, "stale": 0, "quarantined": 0}
    assert [(one.row, one.word) for one in found.refused] == [(122, VerdictWord.QUARANTINED)]
    with database.read() as session:
        for table in ("dossier", "dossier_record", "quarantine", "import_job", "locator"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


def test_a_preview_names_what_is_missing_and_does_not_guess(database: Database) -> None:
    by = settle(database)
    header = ["Số HS", "Mã hồ sơ", "Số hồ sơ", "Đơn vị", "Mã TTHC"]
    raw = xlsx([["1", "HS-1", "HS-9", "H44.100", "1.001193"]], header)
    prepared = imports.prepare(Order(raw))

    found = imports.preview(database, prepared, by=by, hash_applicant=HASH, now=NOW)

    assert (prepared.missing, found.rehearsed) == (["code"], {})
    with pytest.raises(ColumnsMissing):
        begin(database, prepared, by)
    named = imports.prepare(Order(raw, {"Số hồ sơ": "code"}))
    assert work(database, begin(database, named, by), named, by).counts["accepted"] == 1


def test_rows_without_a_column_for_units_belong_to_the_unit_named(database: Database) -> None:
    by = settle(database)
    raw = as_csv([["HS-1", "1.001193"]], ["Mã hồ sơ", "Mã TTHC"])
    prepared = imports.prepare(Order(raw, unit="H44.101"))

    work(database, begin(database, prepared, by), prepared, by)

    with database.read() as session:
        assert session.scalar(text("SELECT unit_told FROM dossier")) == "H44.101"


def test_a_file_without_a_header_is_refused_and_not_guessed() -> None:
    with pytest.raises(HeaderNotFound):
        imports.prepare(Order(as_csv([row(1)], [str(cell) for cell in row(0)])))


@pytest.mark.parametrize("wanted", [{"Không có": "code"}, {"Chủ hồ sơ": "code"}])
def test_a_mapping_that_does_not_fit_is_refused(wanted: dict[str, str]) -> None:
    order = Order(xlsx([row(0)]), {**wanted, "Mã hồ sơ": "code"})

    with pytest.raises(imports.ColumnUnknown):
        imports.prepare(order)


def test_a_mapping_to_no_field_is_refused() -> None:
    with pytest.raises(imports.FieldUnknown):
        imports.prepare(Order(xlsx([row(0)], HEADER), {"STT": "số"}))
