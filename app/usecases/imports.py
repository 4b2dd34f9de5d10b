"""Files of records: previewed, taken in batch by batch, gone on with where they stopped.

The rows of a file are in lanes, by the number of the dossier that they name: rows of one number
keep the order of the file, and several lanes can be taken in at once (``usecases.lanes``). What
rows of different numbers say of one dossier ends alike in any order (``usecases.ingest``).
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import ClassVar, Final, Protocol
from uuid import UUID, uuid4
from zlib import crc32

import orjson

from app.domain.errors import Invalid
from app.domain.faults import Fault
from app.exports import refused_rows
from app.exports.refused_rows import RefusedRow
from app.feeds import table
from app.feeds.masking import LOST
from app.feeds.table import HEADER_WITHIN, Column, Layout, Row, RowReader
from app.feeds.words import fold
from app.feeds.workbook import Book, open_book
from app.i18n import Language
from app.store import imports
from app.store.imports import Job, Lane, Refusal
from app.store.quarantine import ACCEPTED
from app.store.session import Database, ReadSession, WriteSession
from app.usecases import intake
from app.usecases.access import Principal
from app.usecases.ingest import Sender, VerdictWord
from app.usecases.intake import Hash

Clock = Callable[[], datetime]

BATCH: Final = 1_000
REHEARSED: Final = 100
"""How many rows a preview carries through to their verdicts, then undoes."""
SHOWN: Final = 20
MOST_LANES: Final = 8
ROWS_OF_A_LANE: Final = 2 * BATCH
"""A file gets another lane only for so many rows: lanes of a few rows make small batches."""
SET_ASIDE: Final = "set_aside"
MOST_REFUSALS: Final = 100_000


@dataclass(eq=False, kw_only=True)
class HeaderNotFound(Invalid):
    """None of the first rows holds two headers that are known."""

    code: ClassVar[str] = "import.header_not_found"
    rows: int = HEADER_WITHIN


@dataclass(eq=False, kw_only=True)
class ColumnsMissing(Invalid):
    """A required field has no column, or more than one that it could be."""

    code: ClassVar[str] = "import.columns_missing"
    fields: str


@dataclass(eq=False, kw_only=True)
class FieldUnknown(Invalid):
    """A column was mapped to a field that records do not have."""

    code: ClassVar[str] = "import.field_unknown"
    known: str = ", ".join(sorted(table.FIELDS))


@dataclass(eq=False, kw_only=True)
class ColumnUnknown(Invalid):
    """A column was mapped that the table does not have, or two were mapped to one field."""

    code: ClassVar[str] = "import.column_unknown"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be imported: the file, and what the operator says of it.

    ``wanted`` names columns, by header or letter, with the field that each feeds ("" is none);
    ``unit`` stands in where rows name no unit.
    """

    raw: bytes
    wanted: Mapping[str, str] = field(default_factory=dict, hash=False)
    unit: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked at: its table, and how its columns are read."""

    order: Order
    book: Book
    layout: Layout

    @property
    def missing(self) -> list[str]:
        """Return the required fields that no column feeds."""
        return self.layout.missing(has_unit=self.order.unit is not None)

    @property
    def reader(self) -> RowReader:
        """Return what reads the rows."""
        return RowReader(self.layout, unit=self.order.unit)

    def task(self, job: Job, *, by: Sender) -> "Task":
        """Return what is to be taken in of the file for a job."""
        return Task(job, self.layout, self.order.unit, by)

    @property
    def digest(self) -> bytes:
        """Return what tells this file, read in this way, from every other."""
        way = orjson.dumps([self.layout.plain(), self.order.unit], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(hashlib.sha256(self.order.raw).digest() + way).digest()


@dataclass(frozen=True, slots=True)
class RowSeen:
    """What became, or would become, of one row."""

    row: int
    code: str | None
    word: VerdictWord
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do: how columns are read, how many rows, what is wrong with them.

    ``rows`` have verdicts for the first ``REHEARSED`` rows; ``refused`` are the first rows of the
    whole file that could not be read.
    """

    prepared: Prepared
    readable: int
    unreadable: int
    set_aside: int
    rehearsed: Mapping[str, int]
    refused: tuple[RowSeen, ...]


class _Undone(Exception):
    """Ends a rehearsal, so that nothing of it is kept."""


def prepare(order: Order) -> Prepared:
    """Look at a file and say how it would be read.

    :raises Invalid: the file cannot be read (see ``app.feeds.workbook.open_book``), has no header,
        or the operator named what is not there.
    """
    wanted = {fold(name) or name.lower(): to for name, to in order.wanted.items()}
    if not set(wanted.values()) <= {*table.FIELDS, table.NO_FIELD}:
        raise FieldUnknown
    book = open_book(order.raw, sheet=order.sheet)
    with book.rows() as rows:
        first = [(row.number, row.cells) for row in islice(rows, HEADER_WITHIN)]
    header = table.find_header(first, wanted)
    if header is None:
        raise HeaderNotFound
    layout = table.guess(*header, wanted=wanted, sheet=book.name, offset=book.offset)
    _check(layout, wanted)
    return Prepared(order, book, layout)


def _check(layout: Layout, wanted: Mapping[str, str]) -> None:
    """Pass if each mapped column is there, and each field has at most one."""
    there = {fold(column.header) for column in layout.columns}
    there |= {column.letter.lower() for column in layout.columns}
    fields = [column.field for column in layout.columns if column.field]
    if not wanted.keys() <= there or len(fields) != len(set(fields)):
        raise ColumnUnknown


def preview(
    database: Database,
    prepared: Prepared,
    *,
    by: Sender,
    hash_applicant: Hash,
    now: datetime,
) -> Preview:
    """Read the whole file and store nothing; the first rows are taken in and undone."""
    reader = prepared.reader
    sample: list[Row] = []
    refused: list[RowSeen] = []
    readable = unreadable = set_aside = 0
    with prepared.book.rows() as rows:
        for row in _below_header(prepared, rows):
            if reader.is_aside(row):
                set_aside += 1
                continue
            if len(sample) < REHEARSED:
                sample.append(row)
            found = reader.read(row, now=now, hash_applicant=hash_applicant)
            if not isinstance(found, tuple):
                readable += 1
                continue
            unreadable += 1
            if len(refused) < SHOWN:
                word = VerdictWord.QUARANTINED
                faults = table.at_columns(found)
                refused.append(RowSeen(row.number, reader.code_in(row), word, faults))
    rehearsed: dict[str, int] = {}
    if not prepared.missing:
        rehearsed = _rehearsed(database, reader, sample, by, hash_applicant, now)
    return Preview(prepared, readable, unreadable, set_aside, rehearsed, tuple(refused))


def _rehearsed(
    database: Database,
    reader: RowReader,
    sample: Sequence[Row],
    by: Sender,
    hash_applicant: Hash,
    now: datetime,
) -> dict[str, int]:
    counts = dict.fromkeys(VerdictWord, 0)
    with _undone(database) as session:
        verdicts = intake.table_rows(
            session, sample, reader=reader, by=by, hash_applicant=hash_applicant, now=now
        )
    for verdict in verdicts:
        counts[verdict.word] += 1
    return {word.value: count for word, count in counts.items()}


@contextmanager
def _undone(database: Database) -> Iterator[WriteSession]:
    """Give a writer of which nothing is kept."""
    with suppress(_Undone), database.begin() as session:
        yield session
        raise _Undone


def begin(
    session: WriteSession,
    prepared: Prepared,
    *,
    by: Sender,
    actor: str,
    again: bool = False,
    lanes: int | None = None,
    now: datetime,
) -> Job:
    """Begin an import, or find the one that was begun with the same file read the same way.

    :param again: a file that was taken in to its end is taken in once more.
    :param lanes: how many lanes a file that is new gets, None for as many as its rows are worth.
    :raises ColumnsMissing: a required field has no column.
    """
    if prepared.missing:
        raise ColumnsMissing(fields=", ".join(prepared.missing))
    first = prepared.layout.header_row + 1
    job = imports.begin(
        session,
        Job(
            id=uuid4(),
            source_id=by.source_id,
            unit_id=by.unit_id or 0,
            unit_lft=by.lft,
            file_hash=prepared.digest,
            mapping=prepared.layout.plain(),
            state=imports.RUNNING,
            total_rows=prepared.book.total,
            actor=actor,
            started_at=now,
            finished_at=None,
            lanes=tuple(
                Lane(number, first, {}, now)
                for number in range(lanes or lanes_for(prepared.book.total))
            ),
        ),
    )
    if again and job.state == imports.DONE:
        return imports.restart(session, job, next_row=first, now=now)
    return job


def lanes_for(rows: int) -> int:
    """Return how many lanes a file of so many rows gets: 1, 2, 4 or 8."""
    wanted = min(max(rows // ROWS_OF_A_LANE, 1), MOST_LANES)
    return 1 << (wanted.bit_length() - 1)


class Hands(Protocol):
    """What takes in batches, one or several at a time."""

    @property
    def held(self) -> Collection[int]:
        """Return the lanes of which a batch was given and is not done."""

    @property
    def are_full(self) -> bool:
        """Tell whether a batch must be done before another is given."""

    def give(self, lane: Lane, rows: Sequence[Row]) -> None:
        """Begin to take in a batch of a lane of which none is under way."""

    def done(self) -> tuple[int, Lane | None]:
        """Wait until a batch is stored; return the number of its lane, and how far it has come.

        It has not come any further, None, if another process is taking in this lane.

        :raises StorageUnavailable: the database cannot serve; the batch was not kept.
        """


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be taken in, by whoever has hands for it."""

    job: Job
    layout: Layout
    unit: str | None
    by: Sender

    @property
    def reader(self) -> RowReader:
        """Return what reads the rows."""
        return RowReader(self.layout, unit=self.unit)


class OwnHands:
    """Takes batches in here and now, one after the other."""

    def __init__(
        self, database: Database, task: Task, *, hash_applicant: Hash, clock: Clock
    ) -> None:
        self._database = database
        self._task = task
        self._reader = task.reader
        self._hash = hash_applicant
        self._clock = clock
        self._given: tuple[Lane, Sequence[Row]] | None = None

    @property
    def held(self) -> Collection[int]:
        """Return the lane of which a batch was given and is not done."""
        return () if self._given is None else (self._given[0].number,)

    @property
    def are_full(self) -> bool:
        """Tell whether a batch must be done before another is given."""
        return self._given is not None

    def give(self, lane: Lane, rows: Sequence[Row]) -> None:
        """Begin to take in a batch."""
        self._given = (lane, rows)

    def done(self) -> tuple[int, Lane | None]:
        """Take in the batch that was given; return the number of its lane, and how far it has come.

        It has not come any further, None, if another process is taking in this lane.

        :raises StorageUnavailable: the database cannot serve; the batch was not kept.
        """
        if self._given is None:
            raise RuntimeError("no batch was given")
        (lane, rows), self._given = self._given, None
        try:
            with self._database.begin() as session:
                return lane.number, self._take(session, lane, rows)
        except imports.ImportBusy:
            return lane.number, None

    def _take(self, session: WriteSession, lane: Lane, group: Sequence[Row]) -> Lane:
        """Take in one batch; the place of its lane is claimed before anything is written."""
        now = self._clock()
        job, reader = self._task.job, self._reader
        end = group[-1].number + 1
        claimed = imports.advance(session, job, lane, next_row=end, counts=lane.counts, now=now)
        rows = [row for row in group if not reader.is_aside(row)]
        verdicts = intake.table_rows(
            session, rows, reader=reader, by=self._task.by, hash_applicant=self._hash, now=now
        )
        refused = [
            (rows[verdict.index].number, verdict.quarantine_id)
            for verdict in verdicts
            if verdict.quarantine_id is not None
        ]
        imports.add_refusals(session, job, refused)
        counts = dict.fromkeys((*(word.value for word in VerdictWord), SET_ASIDE), 0)
        counts |= lane.counts
        for verdict in verdicts:
            counts[verdict.word.value] += 1
        counts[SET_ASIDE] += len(group) - len(rows)
        return imports.advance(session, job, claimed, next_row=end, counts=counts, now=now)


def work(
    database: Database,
    job: Job,
    prepared: Prepared,
    *,
    by: Sender,
    hash_applicant: Hash,
    clock: Clock,
    batch: int = BATCH,
) -> Iterator[Job]:
    """Take a file in, a batch in a transaction, and yield the job after each.

    It takes the database and not a session: one transaction over a whole file would hold its
    locks for as long, and a crash would throw everything away. What a batch kept stands; the same
    file goes on behind it.

    :raises ImportBusy: another process is taking in the same file.
    :raises StorageUnavailable: the database cannot serve; the last batch was not kept.
    """
    task = prepared.task(job, by=by)
    hands = OwnHands(database, task, hash_applicant=hash_applicant, clock=clock)
    return taken_by(hands, database, job, prepared, clock=clock, batch=batch)


def taken_by(
    hands: Hands,
    database: Database,
    job: Job,
    prepared: Prepared,
    *,
    clock: Clock,
    batch: int = BATCH,
) -> Iterator[Job]:
    """Hand a file out batch by batch, and yield the job after each that is stored.

    :raises ImportBusy: another process is taking in the same file.
    :raises StorageUnavailable: the database cannot serve; the batches under way may be lost.
    """
    if job.state == imports.DONE:
        yield job
        return
    account = _Account(job)
    with prepared.book.rows() as rows:
        for number, group in _groups(prepared.reader, rows, job, batch):
            while hands.are_full or number in hands.held:
                yield account.settle(*hands.done())
            if account.are_all_lost:
                break
            if account.note(number, group):
                hands.give(account.job.lanes[number], group)
    while hands.held:
        yield account.settle(*hands.done())
    with database.begin() as session:
        job = account.closed(session, now=clock())
    yield job


class _Account:
    """What is known of a job that is being taken in, by us and perhaps by another process.

    Whoever is first to take a batch of a lane has the lane; the other one leaves it and goes on
    with the rest. So two that were started on one file share it, and no row is taken twice.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._lost: set[int] = set()
        self._ends = {lane.number: lane.next_row for lane in job.lanes}

    @property
    def are_all_lost(self) -> bool:
        """Tell whether another process has every lane."""
        return len(self._lost) == len(self.job.lanes)

    def note(self, number: int, group: Sequence[Row]) -> bool:
        """Note a batch that is due, and tell whether it is ours to take."""
        self._ends[number] = group[-1].number + 1
        return number not in self._lost

    def settle(self, number: int, lane: Lane | None) -> Job:
        """Note what became of a batch, and return the job as it then stands."""
        if lane is None:
            self._lost.add(number)
        else:
            self.job = self.job.moved(lane)
        return self.job

    def closed(self, session: WriteSession, *, now: datetime) -> Job:
        """Close the job when every row is taken.

        :raises ImportBusy: another process is still taking in a part of the file.
        """
        job = imports.again(session, self.job) if self._lost else self.job
        if self.are_all_lost or any(lane.next_row < self._ends[lane.number] for lane in job.lanes):
            raise imports.ImportBusy
        if job.state == imports.DONE:
            return job
        return imports.finish(session, job, next_row=max(self._ends.values()), now=now)


def _groups(
    reader: RowReader, rows: Iterable[Row], job: Job, size: int
) -> Iterator[tuple[int, list[Row]]]:
    """Give the rows that are left in batches, each of one lane and in the order of the file."""
    waiting: dict[int, list[Row]] = {lane.number: [] for lane in job.lanes}
    for row in rows:
        number = _lane_of(reader, row, len(job.lanes))
        if row.number < job.lanes[number].next_row:
            continue
        waiting[number].append(row)
        if len(waiting[number]) == size:
            yield number, waiting[number]
            waiting[number] = []
    for number, group in waiting.items():
        if group:
            yield number, group


def _lane_of(reader: RowReader, row: Row, lanes: int) -> int:
    """Return the lane of a row: that of its dossier's number, the first if it names none.

    The same row has the same lane in every process and release, for a file may be gone on with.
    """
    code = reader.code_in(row) if lanes > 1 else None
    return 0 if code is None else crc32(code.encode()) % lanes


def _below_header(prepared: Prepared, rows: Iterable[Row]) -> Iterator[Row]:
    return (row for row in rows if row.number > prepared.layout.header_row)


def get(session: ReadSession, job_id: UUID, *, who: Principal) -> Job:
    """Return an import.

    :raises ImportUnknown: there is none of this number within the caller's units.
    """
    return imports.get(session, job_id, lft=who.lft, rgt=who.rgt)


def refusals(session: ReadSession, job: Job, *, limit: int = MOST_REFUSALS) -> list[Refusal]:
    """Return the rows of an import that wait in quarantine or waited there, in their order."""
    return imports.refusals(session, job, limit=limit)


def errors_workbook(job: Job, refused: Sequence[Refusal], *, language: Language) -> bytes:
    """Return the refused rows of an import as a workbook; persons were never kept."""
    columns = [(one.field, one.header) for one in columns_of(job) if one.field]
    rows = [
        RefusedRow(
            row=one.row,
            code=one.code,
            values={
                field: refused_rows.shown(
                    table.value_of(one.raw, field), lost=LOST, language=language
                )
                for field, _ in columns
            },
            faults=table.at_columns(one.faults),
            is_settled=one.state == ACCEPTED,
        )
        for one in refused
    ]
    return refused_rows.workbook(rows, columns, language=language)


def columns_of(job: Job) -> list[Column]:
    """Return the columns of an import as they were mapped."""
    return [Column(one["column"], one["header"], one["field"]) for one in job.mapping["columns"]]
