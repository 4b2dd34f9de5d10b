"""Figures from facts beside a look at every dossier, in SQL and over HTTP, at 1, 10 or 30 million.

    python -m bench.stats [--scale 1] [--data DIR] [--rounds 7] [--templates 10000] [STEP ...]

The steps are ``fill``, ``scan``, ``ask``, ``rank``, ``tail``, ``busy``, ``build`` and ``growth``,
all but the last when none is named; with ``--data`` they may be taken one by one, on the data that
``fill`` left there. With ``--minutes`` ``fill`` and ``scan`` stop after that time and go on when
they are called again; ``--only`` names questions to scan.

fill    a nation of 3,655 units (17 provinces with 200 communes and 15 departments each), 1,000
        procedures and three years of dossiers from a fixed seed. Some thousand templates are told
        and folded by the real ingest, with pauses, extensions, letters of apology, withdrawals and
        open ones; each is then copied to many units in SQL, so every row is one that ingest would
        write, and a sample is told to the real ingest and compared. The facts of all are built
        from the dossiers, as ``dunghan recount --rebuild`` does; the recount of a province must
        find no difference.
scan    each question answered by a look at every dossier, once, and kept.
ask     each question in SQL and over HTTP, compared with what the scan found before a time is
        shown; rounds are interleaved, medians are shown with their range.
rank    the places of all communes and of all departments over HTTP; each rate is compared with
        that of the table by unit, which ``ask`` compares with the scan.
tail    the same with versions in the log that nobody folds; compared with the scan where that is
        quick (a commune, a province).
busy    over HTTP while a process of its own sends batches over HTTP to the same server: with
        nothing sent, with 200 records a second and with as many as go, in turns; what is told of a
        unit that takes them in is compared with the scan meanwhile, in one snapshot.
growth  the same questions of two sizes (``--beside`` another folder), in turns.
build   the facts of all dossiers once more.
"""

import argparse
import contextlib
import http.client
import multiprocessing
import os
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import orjson
from sqlalchemy import text

from app.cli.recount import BUILDERS, build_all
from app.clock import system_clock
from app.domain.dossier import ZONE
from app.domain.limits import TimeLimit
from app.domain.period import Period
from app.domain.procedure import LimitVersion, OnlineLevel
from app.domain.record import Channel, ExtensionTold, MessageKind, PauseTold, Status, Told
from app.domain.timeliness import JUST, Reading
from app.store import facts, folding, schema, tallies
from app.store.access import WHOLE
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database, WriteSession
from app.store.tables import dossier, dossier_reading
from app.store.tallies import Dimension, Row, Scope, Span
from app.usecases import access, catalogue, ingest, recount
from app.usecases.access import Keyring
from app.usecases.catalogue import DatedLimit, ProcedureSpec, UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender
from bench import traffic
from bench.traffic import Traffic

SECRET = "a key of the benchmark that is long enough for anybody"
SETTINGS = {
    "shared_buffers": "4GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "effective_cache_size": "12GB",
}
PROVINCES, COMMUNES, DEPARTMENTS = 17, 200, 15
PROCEDURES = 1_000
FIRST_DAY, DAYS = date(2023, 11, 1), 1_100
SEED = 20_261_122
AT_ONCE = 100_000
"""Dossiers copied in one transaction."""
SAMPLE = 200
"""Copies that are told to the real ingest and compared."""


# ---------------------------------------------------------------- the nation


def specs() -> list[UnitSpec]:
    def one(code: str, level: UnitLevel, parent: str | None) -> UnitSpec:
        return UnitSpec(
            code=code,
            name=f"Đơn vị {code}",
            level=level,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )

    found = [one("VN", UnitLevel.MINISTRY, None)]
    for number in range(1, PROVINCES + 1):
        province = f"H{number:02}"
        found.append(one(province, UnitLevel.PROVINCE, "VN"))
        found += [
            one(f"{province}.{100 + n}", UnitLevel.COMMUNE, province) for n in range(COMMUNES)
        ]
        found += [
            one(f"{province}.{10 + n}", UnitLevel.DEPARTMENT, province) for n in range(DEPARTMENTS)
        ]
    return found


def procedures() -> list[ProcedureSpec]:
    levels = (*OnlineLevel, None)
    return [
        ProcedureSpec(
            code=f"1.{number:06}",
            name=f"Thủ tục {number}",
            field=f"L{number % 25:02}",
            online_level=levels[number % 4],
            limits=(
                DatedLimit(
                    LimitVersion(
                        TimeLimit.same_day() if number % 7 == 0 else TimeLimit.working_days(10),
                        date(2020, 1, 1),
                    )
                ),
            ),
        )
        for number in range(PROCEDURES)
    ]


def template(number: int, *, recent: date | None = None) -> list[Incoming]:
    """Return what a sender tells of one dossier: a record, sometimes a letter of apology.

    With ``recent`` the dossier came in the 60 days before.
    """
    chance = random.Random(SEED * 1_000_003 + number)
    first, days = (FIRST_DAY, DAYS) if recent is None else (recent - timedelta(days=60), 60)
    day = datetime.combine(first, datetime.min.time(), ZONE)
    day += timedelta(days=chance.randrange(days))
    received_at = day + timedelta(hours=chance.randrange(7, 16), minutes=chance.randrange(60))
    place = min(int(chance.paretovariate(0.6)) - 1, PROCEDURES - 1)
    due_at = (received_at + timedelta(days=14)).replace(hour=17, minute=0)
    if place % 7 == 0:
        due_at = received_at.replace(hour=17, minute=0)
    told = Told(unit="T", procedure=f"1.{place:06}", received_at=received_at, due_at=due_at)
    told["submitted_at"] = received_at - timedelta(hours=chance.randrange(1, 20))
    told["channel"] = chance.choice(tuple(Channel))
    told["status"] = Status.PROCESSING
    draw = chance.random()
    ends = due_at + timedelta(days=chance.randrange(1, 20)) if draw < 0.06 else None
    ends = ends or received_at + (due_at - received_at) * chance.random()
    if chance.random() < 0.10:
        begins = received_at + (ends - received_at) * 0.3
        told["pauses"] = (PauseTold("supplement", begins, begins + timedelta(days=2)),)
    if chance.random() < 0.01:
        told["extension"] = ExtensionTold(
            received_at + timedelta(hours=1), due_at + timedelta(days=7), "1/TB"
        )
    if ends < datetime(2026, 11, 15, tzinfo=UTC) and draw < 0.99:
        if draw > 0.98:
            told["status"], told["ended_at"] = Status.WITHDRAWN, ends
        else:
            told["status"], told["finished_at"] = Status.RETURNED, ends
            told["returned_at"] = ends + timedelta(hours=chance.randrange(1, 90))
            told["return_method"] = chance.choice(("post", "counter", "online"))  # type: ignore[typeddict-item]
    code = f"T-{number}"
    stamp = ends + timedelta(hours=100)
    found = [Incoming(0, code, MessageKind.RECORD, stamp, stamp, True, told)]
    if draw < 0.03:
        at = ends + timedelta(days=chance.randrange(1, 15))
        letter = Incoming(1, code, MessageKind.APOLOGY, at, at, True, Told(exempt=draw < 0.003))
        found.append(letter)
    return found


def furnish(database: Database, templates: int) -> int:
    """Put the nation and fold the templates at a unit of their own; return their source."""
    schema.migrate(database)
    with database.begin() as session:
        catalogue.put_units(session, specs(), actor="bench", now=FIRST)
        aside = UnitSpec(
            code="T",
            name="Mẫu",
            level=UnitLevel.OTHER,
            parent=None,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        catalogue.put_units(session, [aside], actor="bench", now=FIRST)
        catalogue.put_procedures(session, procedures(), actor="bench", now=FIRST)
        source = int(
            session.scalar(
                text("INSERT INTO source (code, name) VALUES ('bench', 'bench') RETURNING id")
            )
        )
    by = Sender(source, None, None, *WHOLE)
    for start in range(0, templates, 500):
        coming = [
            replace(one, index=index)
            for index, one in enumerate(
                message
                for number in range(start, min(start + 500, templates))
                for message in template(number)
            )
        ]
        with database.begin() as session:
            ingest.accept(session, coming, by=by, door="bench", now=TOLD)
    return source


FIRST = datetime(2023, 1, 1, tzinfo=UTC)
TOLD = datetime(2026, 11, 16, tzinfo=UTC)
OWN = ("unit_id", "unit_lft", "home_unit_id", "unit_told", "source_id", "code", "n")
COLUMNS = [column.name for column in dossier.columns if column.name not in OWN]
CLOCK = [column.name for column in dossier_reading.columns if column.name not in OWN]
PICK = "1 + (hashint8(u.id * 1000003::bigint + k) & 2147483647) % :templates"


def _listed(names: Sequence[str], alias: str = "") -> str:
    return ", ".join(f'{alias}"{name}"' for name in names)


@dataclass(slots=True)
class Filling:
    """How far the data of a folder have come: jobs done, and the seconds of each kind."""

    path: Path
    ends_at: float
    source: int = 0
    done: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def read(self) -> None:
        """Go on where an earlier call stopped."""
        if self.path.exists():
            kept = orjson.loads(self.path.read_bytes())
            self.source, self.done, self.seconds = kept["source"], kept["done"], kept["seconds"]

    def keep(self) -> None:
        """Write down how far it came."""
        kept = {"source": self.source, "done": self.done, "seconds": self.seconds}
        self.path.write_bytes(orjson.dumps(kept))

    def take(self, jobs: Sequence[tuple[str, Callable[[], object]]]) -> bool:
        """Do the jobs that are left, two at a time, each kind after the one before it."""
        with ThreadPoolExecutor(2) as threads:
            while self.done < len(jobs):
                if time.perf_counter() > self.ends_at:
                    say(f"{self.done} of {len(jobs)} jobs are done; call again to go on")
                    return False
                kind, begun = jobs[self.done][0], time.perf_counter()
                now = [work for name, work in jobs[self.done : self.done + 2] if name == kind]
                list(threads.map(lambda work: work(), now))
                took = time.perf_counter() - begun
                self.seconds[kind] = self.seconds.get(kind, 0.0) + took
                self.done += len(now)
                self.keep()
        return True


def multiply(database: Database, wanted: int, templates: int, filling: Filling) -> bool:
    """Copy the templates to all units, then build the facts of all dossiers."""
    with database.read() as session:
        rows = session.execute(
            text("SELECT id, level FROM unit WHERE level IN ('commune', 'department') ORDER BY id")
        ).all()
    weights = {unit: 4 if level == "department" else 1 for unit, level in rows}
    whole = sum(weights.values())
    sizes = {unit: max(1, wanted * weight // whole) for unit, weight in weights.items()}

    def copy(batch: Sequence[int]) -> None:
        with database.begin() as session:
            _copy(session, batch, sizes, templates)

    def count(batch: Sequence[int]) -> None:
        with database.begin() as session:
            recount.build(session, batch)

    jobs: list[tuple[str, Callable[[], object]]] = []
    jobs += [("copy", partial(copy, batch)) for batch in _batches(sizes)]
    jobs += [("index", partial(_alone, database, one)) for one in _later(filling.path.parent)]
    jobs += [
        ("vacuum", partial(_alone, database, f"VACUUM ANALYZE {table}"))
        for table in ("dossier", "dossier_reading")
    ]
    jobs += [("facts", partial(count, [*batch])) for batch in _batches(sizes)]
    jobs.append(("sums", partial(roll_up, database)))
    jobs.append(("end", partial(_alone, database, "VACUUM ANALYZE")))
    if not filling.take(jobs):
        return False
    copied, seconds = sum(sizes.values()), filling.seconds
    say(
        f"{copied:,} dossiers copied in {seconds['copy']:,.0f} s, indexed in"
        f" {seconds['index']:,.0f} s; facts built in {seconds['facts']:,.0f} s"
        f" ({copied / seconds['facts']:,.0f}/s), 2 batches of {AT_ONCE:,} at a time; the units"
        f" above in {seconds['sums']:,.0f} s"
    )
    return True


def roll_up(database: Database) -> None:
    """Sum units to those above them."""
    with database.begin() as session:
        recount.alone(session)
        recount.roll_up(session)


def prepare(database: Database, source: int, folder: Path) -> None:
    """Set the templates apart, and take away what is quicker made when the rows are there."""
    with database.begin() as session:
        session.execute(
            text(
                "CREATE UNLOGGED TABLE pattern AS SELECT row_number() OVER (ORDER BY code) AS n,"
                " * FROM dossier WHERE source_id = :source"
            ),
            {"source": source},
        )
        session.execute(text("CREATE UNIQUE INDEX ON pattern (n)"))
        session.execute(text("DELETE FROM dossier_change"))
        indexes = session.execute(
            text(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'dossier'"
                " AND indexname NOT LIKE 'pk%'"
            )
        ).all()
        for name, _ in indexes:
            session.execute(text(f'DROP INDEX "{name}"'))
    later = [definition for _, definition in indexes]
    (folder / "later.json").write_bytes(orjson.dumps(later))


def _later(folder: Path) -> list[str]:
    return list(orjson.loads((folder / "later.json").read_bytes()))


def build(database: Database) -> None:
    """Build the facts of all dossiers, as ``dunghan recount --rebuild`` does."""
    begun = time.perf_counter()
    with database.read() as session:
        dossiers = session.scalar(text("SELECT count(*) FROM dossier"))
        batches = list(recount.batches(session, size=recount.BUILT_AT_ONCE))
    build_all(database, batches)
    seconds = time.perf_counter() - begun
    say(
        f"facts built from {dossiers:,} dossiers in {seconds:,.0f} s ({dossiers / seconds:,.0f}/s),"
        f" {BUILDERS} batches of {recount.BUILT_AT_ONCE:,} at a time;"
        f" load {os.getloadavg()[0]:.1f}"
    )
    _alone(database, "VACUUM ANALYZE")


def _batches(sizes: Mapping[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for unit in sizes:
        batch.append(unit)
        if sum(sizes[one] for one in batch) >= AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _alone(database: Database, statement: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as line:
        line.execute(text(statement))


def _copy(
    session: WriteSession, batch: Sequence[int], sizes: Mapping[int, int], templates: int
) -> None:
    wanted = {
        "units": list(batch),
        "sizes": [sizes[one] for one in batch],
        "templates": templates,
    }
    spread = (
        "FROM unnest(CAST(:units AS int[]), CAST(:sizes AS int[])) AS b(unit_id, size)"
        " JOIN unit u ON u.id = b.unit_id CROSS JOIN generate_series(1, b.size) AS k"
        f" JOIN pattern t ON t.n = {PICK}"
    )
    session.execute(
        text(
            f"INSERT INTO dossier (unit_id, unit_lft, home_unit_id, unit_told, source_id, code,"
            f" {_listed(COLUMNS)}) SELECT u.id, u.lft, u.id, u.code, t.source_id,"
            f" u.code || '-' || to_char(k, 'FM0000000'), {_listed(COLUMNS, 't.')} {spread}"
            " ORDER BY u.id, k"
        ),
        wanted,
    )
    session.execute(
        text(
            f"INSERT INTO dossier_reading (unit_id, source_id, code, {_listed(CLOCK)})"
            f" SELECT u.id, t.source_id, u.code || '-' || to_char(k, 'FM0000000'),"
            f" {_listed(CLOCK, 'r.')} {spread}"
            " JOIN dossier_reading r ON r.unit_id = t.unit_id AND r.source_id = t.source_id"
            " AND r.code = t.code ORDER BY u.id, k"
        ),
        wanted,
    )


def compare_sample(database: Database, wanted: int, templates: int, source: int) -> None:
    """Tell some copies to the real ingest under other numbers; the rows must be the same."""
    chance = random.Random(SEED)
    by = Sender(source, None, None, *WHOLE)
    pick = text(
        f"SELECT u.code AS unit, t.code AS told FROM unit u CROSS JOIN (SELECT :k AS k) AS c"
        f" JOIN pattern t ON t.n = {PICK} WHERE u.code = :unit"
    )
    clock = _listed(CLOCK, "r.")
    each = max(1, wanted // (PROVINCES * (COMMUNES + 4 * DEPARTMENTS)))  # of a commune
    with database.engine.connect() as line:
        session = WriteSession(line)
        for place in range(SAMPLE):
            unit = f"H{chance.randrange(1, PROVINCES + 1):02}.{100 + chance.randrange(COMMUNES)}"
            number = 1 + chance.randrange(each)
            row = session.execute(pick, {"unit": unit, "k": number, "templates": templates}).one()
            coming = [
                replace(one, index=at, code=f"S-{place}", told={**one.told, "unit": unit})
                if at == 0
                else replace(one, index=at, code=f"S-{place}")
                for at, one in enumerate(template(int(row.told.removeprefix("T-"))))
            ]
            ingest.accept(session, coming, by=by, door="bench", now=TOLD)
            codes = {"one": f"{unit}-{number:07}", "other": f"S-{place}"}
            for relation, columns in (("dossier", _listed(COLUMNS)), ("dossier_reading", clock)):
                both = [
                    session.execute(
                        text(f"SELECT {columns} FROM {relation} r WHERE code = :code ORDER BY 1"),
                        {"code": code},
                    ).all()
                    for code in codes.values()
                ]
                assert both[0] == both[1], f"copy and ingest differ: {codes}"
        line.rollback()
    say(f"{SAMPLE} copies are what ingest makes of the same record")


# ---------------------------------------------------------------- the questions


@dataclass(frozen=True, slots=True)
class Question:
    """A figure that somebody asks for, and the goal over HTTP in milliseconds."""

    name: str
    unit: str
    first: date
    last: date
    by: tuple[Dimension, ...] = ()
    step: str | None = None
    reading: Reading = Reading.PROMISED
    goal: float | None = None

    def spans(self, now: datetime) -> list[Span]:
        period = Period(self.first, self.last)
        parts = [period]
        if self.step == "month":
            parts = []
            first = self.first
            while first <= self.last:
                following = (first + timedelta(days=32)).replace(day=1)
                parts.append(Period(first, following - timedelta(days=1)))
                first = following
        found = []
        for one in parts:
            ends = min(one.ends, now)
            last = min(one.last, (ends - JUST).astimezone(ZONE).date())
            found.append(Span(one.begins, ends, one.first, last))
        return found

    @property
    def path(self) -> str:
        grouped = ",".join([*(one.value for one in self.by), *([self.step] if self.step else [])])
        return (
            f"/v1/statistics?unit={self.unit}&from={self.first}&to={self.last}"
            f"&group_by={grouped}&reading={self.reading.value}"
        )

    def is_past(self, now: datetime) -> bool:
        """Tell whether the period is over; what this benchmark tells later is of later months."""
        return Period(self.first, self.last).ends <= now

    def address(self, now: datetime | None) -> str:
        """Return the path, seen at a moment of the period where one is told."""
        if now is None or now >= Period(self.first, self.last).ends:
            return self.path
        return f"{self.path}&as_of={now:%Y-%m-%dT%H:%M:%SZ}"


def questions(today: date) -> list[Question]:
    march = (date(2026, 3, 1), date(2026, 3, 31))
    unit = (Dimension.UNIT,)
    return [
        Question("one commune, one month", "H07.150", *march, goal=10),
        Question(
            "one commune, one month, by procedure", "H07.150", *march, by=(Dimension.PROCEDURE,)
        ),
        Question(
            "province of 215 units × 12 months",
            "H07",
            date(2025, 1, 1),
            date(2025, 12, 31),
            step="month",
            goal=40,
        ),
        Question(NATION, "VN", *march),
        Question(RANKING, "VN", *march, by=unit, goal=90),
        Question("the same, with extensions", "VN", *march, by=unit, reading=Reading.EXTENDED),
        Question(
            "nation ranking, any 35 days", "VN", date(2026, 2, 12), date(2026, 3, 18), by=unit
        ),
        Question(
            "nation, as of the middle of a month", "VN", march[0], date(2026, 3, 17), goal=250
        ),
        Question("nation, this month so far (now)", "VN", today.replace(day=1), today),
        Question("nation, three years", "VN", date(2024, 1, 1), date(2026, 12, 31)),
    ]


@dataclass(slots=True)
class Measured:
    """Milliseconds of one question, by way of asking."""

    question: Question
    rows: int = 0
    scan: float | None = None
    sql: list[float] = field(default_factory=list)
    http: list[float] = field(default_factory=list)


def scope_of(database: Database, question: Question) -> tuple[Scope, int]:
    with database.read() as session:
        row = session.execute(
            text("SELECT id, lft, rgt FROM unit WHERE code = :code"), {"code": question.unit}
        ).one()
    return Scope(row.lft, row.rgt, reading=question.reading), row.id


def by_facts(database: Database, question: Question, now: datetime) -> list[list[Row]]:
    scope, of = scope_of(database, question)
    with database.read() as session:
        found = facts.counts(session, scope, question.spans(now), by=question.by, of=of)
    assert found is not None, f"the facts cannot tell: {question.name}"
    return found


def by_scan(database: Database, question: Question, now: datetime) -> list[list[Row]]:
    scope, of = scope_of(database, question)
    with database.read() as session:
        return [
            tallies.counts(session, scope, span, by=question.by, of=of)
            for span in question.spans(now)
        ]


def same(one: list[list[Row]], other: list[list[Row]]) -> bool:
    def shown(parts: list[list[Row]]) -> list[dict[object, object]]:
        return [{row.keys: row.tally for row in rows if any(row.tally.values)} for rows in parts]

    return shown(one) == shown(other)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    begun = time.perf_counter()
    found = work()
    return (time.perf_counter() - begun) * 1000, found


# ---------------------------------------------------------------- the server


@contextlib.contextmanager
def serving(url: str, folder: Path) -> Iterator[int]:
    """Start one server process; its ticker folds as always."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    environment = {
        **os.environ,
        "DUNGHAN_DATABASE_URL": url,
        "DUNGHAN_HASH_KEY": SECRET,
        "DUNGHAN_LOG_LEVEL": "warning",
        "DUNGHAN_REQUESTS_PER_MINUTE": "1000000",
    }
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                line.request("GET", "/healthz")
                if line.getresponse().status == 200:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


class Client:
    """One connection that is kept open."""

    def __init__(self, port: int, key: str) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.key = key

    def ask(self, path: str) -> bytes:
        try:
            return self._ask(path)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self.line.close()
            return self._ask(path)

    def _ask(self, path: str) -> bytes:
        self.line.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
        answer = self.line.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return body


def told(body: bytes, question: Question) -> list[dict[str, int]]:
    """Return the counts of the rows of an answer, or of its total when it has no rows."""
    answer = orjson.loads(body)
    rows = answer["rows"] if question.by or question.step else [answer["total"]]
    return _sorted([_plain(row["counts"]) for row in rows])


def counted(parts: list[list[Row]]) -> list[dict[str, int]]:
    """Return the same of what was scanned."""
    return _sorted([_plain(row.tally.to_dict()) for rows in parts for row in rows])


def _plain(counts: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value}


def _sorted(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    return sorted((row for row in rows if row), key=lambda row: sorted(row.items()))


def pour(database: Database, source: int, done: threading.Event, poured: list[int]) -> None:
    """Take in new dossiers at all kinds of units until told to stop."""
    by = Sender(source, None, None, *WHOLE)
    chance = random.Random(7)
    while not done.is_set():
        now = system_clock()
        coming = []
        for index in range(200):
            (one, *_) = template(poured[0] + index, recent=now.date())
            one.told["unit"] = f"H{chance.randrange(1, 18):02}.{100 + chance.randrange(200)}"
            coming.append(replace(one, index=index, code=f"N-{poured[0] + index}"))
        with database.begin() as session:
            ingest.accept(session, coming, by=by, door="bench", now=now)
        poured[0] += len(coming)


# ---------------------------------------------------------------- measuring


def say(line: str = "", end: str = "\n") -> None:
    print(line, end=end, flush=True)


def shown(times: list[float]) -> str:
    if not times:
        return "–"
    return f"{statistics.median(times):,.1f} [{min(times):,.1f}..{max(times):,.1f}]"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of data, with what the steps before left there."""

    folder: Path
    database: Database
    url: str
    source: int
    today: datetime

    def kept(self) -> dict[str, dict[str, object]]:
        """Return what the scan found, by question."""
        path = self.folder / "scanned.json"
        return dict(orjson.loads(path.read_bytes())) if path.exists() else {}

    def keep(self, found: dict[str, dict[str, object]]) -> None:
        """Keep what the scan found."""
        (self.folder / "scanned.json").write_bytes(orjson.dumps(found))

    def moment(self) -> datetime:
        """Return when to ask: as the data were made, or now when something was told since."""
        with self.database.read() as session:
            latest = session.scalar(text("SELECT latest FROM fact_state"))
            waiting = folding.waiting(session)
        return system_clock() if waiting or latest > self.today else self.today

    def key(self) -> str:
        """Return a key that may ask for everything."""
        with self.database.begin() as session:
            return access.issue_key(
                session,
                Keyring(secret=SECRET.encode(), environment="production"),
                name="bench",
                source="bench",
                unit=None,
                scopes=tuple(access.Scope),
                actor="bench",
                now=system_clock(),
            ).key


def scan(place: Place, ends_at: float, only: Sequence[str]) -> None:
    """Answer each question by a look at every dossier."""
    kept = place.kept()
    for question in questions(place.today.astimezone(ZONE).date()):
        if question.name in kept or time.perf_counter() > ends_at:
            continue
        if only and not any(one in question.name for one in only):
            continue
        took, found = timed(lambda q=question: by_scan(place.database, q, place.today))
        kept[question.name] = {"ms": took, "counts": counted(found)}  # type: ignore[arg-type]
        place.keep(kept)
        say(f"scanned: {question.name}, {took:,.0f} ms")


def ask(place: Place, rounds: int) -> list[Measured]:
    """Ask in SQL and over HTTP, each answer compared with the scan first."""
    kept = place.kept()
    now = place.moment()
    found = []
    with serving(place.url, place.folder) as port:
        client = Client(port, place.key())
        for question in questions(place.today.astimezone(ZONE).date()):
            one = Measured(question)
            fast = by_facts(place.database, question, now)
            one.rows = sum(len(rows) for rows in fast)
            body = client.ask(question.address(now))
            scanned = kept.get(question.name) or summed(kept, question)
            if scanned is not None and (question.is_past(now) or now == place.today):
                one.scan = None if scanned["ms"] is None else float(str(scanned["ms"]))
                assert counted(fast) == scanned["counts"], f"facts differ: {question.name}"
                assert told(body, question) == scanned["counts"], f"HTTP differs: {question.name}"
                say(f"equal: {question.name}")
            found.append(one)
        _rounds(place, client, found, rounds, now)
    return found


RANKING, NATION = "nation ranking of 3,655 units, one month", "nation, one month"


def summed(kept: Mapping[str, dict[str, object]], question: Question) -> dict[str, object] | None:
    """Return the nation as the sum of its units, where those alone were scanned."""
    if question.name != NATION or RANKING not in kept:
        return None
    sums: dict[str, int] = {}
    for row in kept[RANKING]["counts"]:  # type: ignore[attr-defined]
        for name, value in row.items():
            sums[name] = sums.get(name, 0) + value
    return {"ms": None, "counts": [sums]}


def rank(place: Place, rounds: int) -> None:
    """Ask for the places of all units of a level, each rate compared with the table by unit."""
    now = place.moment()
    asked = next(one for one in questions(now.date()) if one.name == RANKING)
    with serving(place.url, place.folder) as port:
        client = Client(port, place.key())
        table = {
            row["unit"]: row["rates"]
            for row in orjson.loads(client.ask(asked.address(now)))["rows"]
        }
        for level in ("commune", "department"):
            path = f"/v1/rankings?unit=VN&level={level}&from={asked.first}&to={asked.last}"
            body = client.ask(path)
            rows = orjson.loads(body)["rows"]
            assert rows, f"nobody of {level} has a place"
            for row in rows:
                assert row["rate"] in table[row["unit"]], f"another rate: {row['unit']}"
            times = [timed(lambda p=path: client.ask(p))[0] for _ in range(rounds)]
            say(f"{len(rows):,} of {level} in their places, {len(body) / 1e6:.1f} MB:", end=" ")
            say(f"{shown(times)} ms over HTTP; goal 90 ms; load {os.getloadavg()[0]:.1f}")


def _rounds(
    place: Place, client: Client, found: list[Measured], rounds: int, now: datetime | None
) -> None:
    for _ in range(rounds):
        for one in found:
            at = now or system_clock()
            took, _ = timed(lambda q=one.question, n=at: by_facts(place.database, q, n))
            one.sql.append(took)
            took, _ = timed(lambda q=one.question: client.ask(q.address(now)))
            one.http.append(took)


TAIL = 20_000


def ask_with_tail(place: Place, rounds: int) -> list[Measured]:
    """Ask with a log that nobody folds while the rounds last."""
    first = int(system_clock().timestamp())  # numbers that no earlier call told
    poured, done = [first], threading.Event()
    writer = threading.Thread(target=pour, args=(place.database, place.source, done, poured))
    writer.start()
    while poured[0] < first + TAIL:
        time.sleep(0.01)
    done.set()
    writer.join()
    found = []
    with place.database.begin() as guard:
        recount.alone(guard)  # the server's own folder waits
        with serving(place.url, place.folder) as port:
            client = Client(port, place.key())
            for question in questions(system_clock().astimezone(ZONE).date()):
                one, now = Measured(question), system_clock()
                fast = by_facts(place.database, question, now)
                one.rows = sum(len(rows) for rows in fast)
                if question.unit != "VN":
                    assert same(fast, by_scan(place.database, question, now)), question.name
                    say(f"equal: {question.name}")
                found.append(one)
            with place.database.read() as session:
                say(f"{folding.waiting(session):,} versions in the log")
            _rounds(place, client, found, rounds, None)
    return found


ALONE, PACED, FLOOD = "alone", "beside 200 records a second", "beside as many as go"
PACE, PACED_BATCH, FLOOD_BATCH = 0.1, 20, 500
"""Seconds from batch to batch, and records in one."""


def keep_sending(
    port: int, key: str, seed: int, kind: "Synchronized[int]", sent: "Synchronized[int]"
) -> None:
    """Send traffic of communes of a province: nothing, paced, or one batch after another.

    It ends when ``kind`` is below zero.
    """
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stream = Traffic(seed).records(10**9)
    due = time.perf_counter()
    while kind.value >= 0:
        if kind.value == 0 or (kind.value == 1 and time.perf_counter() < due):
            time.sleep(0.005)
            continue
        due = max(due, time.perf_counter() - PACE) + PACE
        size = PACED_BATCH if kind.value == 1 else FLOOD_BATCH
        records = [nationwide(next(stream), seed) for _ in range(size)]
        line.request("POST", "/v1/dossiers/batch", traffic.batch(records), headers)
        answer = line.getresponse()
        body = answer.read()
        if answer.status in {429, 503}:
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            continue
        assert answer.status == 200, body[:500]
        sent.value += size


def nationwide(record: dict[str, object], seed: int) -> dict[str, object]:
    """Return a record of ``bench.traffic`` as one of the nation of this benchmark."""
    place = int(str(record["procedure"]).removeprefix("1.")) % PROCEDURES
    return record | {
        "code": f"{record['code']}-{seed}",
        "unit": str(record["unit"]).replace("H44.", "H07."),
        "procedure": f"1.{place:06}",
    }


LIVE = Question("", "H07.150", date(2026, 7, 1), date(2026, 7, 31))
"""A month of a commune that takes in what is sent."""


def busy_questions() -> list[Question]:
    """Return those of the questions that people ask all day."""
    wanted = ("one commune, one month", "province of", NATION, "nation, as of")
    every = questions(system_clock().astimezone(ZONE).date())
    return [
        one
        for one in every
        if one.name == RANKING
        or (one.name.startswith(wanted) and Dimension.PROCEDURE not in one.by)
    ]


def ask_while_busy(place: Place, rounds: int, seconds: float) -> None:
    """Ask over HTTP while another process sends to the same server, and print a table."""
    found: dict[str, dict[str, list[float]]] = {}
    rates: dict[str, list[float]] = {PACED: [], FLOOD: []}
    waiting: list[int] = []
    equal = 0
    context = multiprocessing.get_context("spawn")
    kind, sent = context.Value("i", 0), context.Value("q", 0)
    with serving(place.url, place.folder) as port:
        client, key = Client(port, place.key()), place.key()
        told = (port, key, int(system_clock().timestamp()), kind, sent)
        sender = context.Process(target=keep_sending, args=told)
        sender.start()
        for one in busy_questions():
            client.ask(one.path)  # its plans are made
        for _ in range(rounds):
            for mode, name in enumerate((ALONE, PACED, FLOOD)):
                kind.value = mode
                time.sleep(1)
                if name == ALONE:
                    wait_for_folder(place)
                begun, before = time.perf_counter(), sent.value
                keep_asking(client, begun + seconds, name, found)
                if mode:
                    rates[name].append((sent.value - before) / (time.perf_counter() - begun))
                    with place.database.read() as session:
                        waiting.append(folding.waiting(session))
                    equal += compare_live(place)
        kind.value = -1
        sender.join(60)
    show_busy(found)
    for name, one in rates.items():
        say(f"{name}: {statistics.median(one):,.0f} records/s {[round(rate) for rate in one]}")
    say(f"{equal} comparisons while records came: equal; {waiting} versions waited in the log")


def keep_asking(
    client: Client, until: float, mode: str, found: dict[str, dict[str, list[float]]]
) -> None:
    """Ask one question after another for some time, and keep what each took."""
    while time.perf_counter() < until:
        for one in busy_questions():
            took, _ = timed(lambda q=one: client.ask(q.path))
            found.setdefault(one.name, {}).setdefault(mode, []).append(took)


def wait_for_folder(place: Place) -> None:
    """Wait until what was sent before is folded."""
    for _ in range(600):
        with place.database.read() as session:
            if not folding.waiting(session):
                return
        time.sleep(0.1)


def show_busy(found: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Print what the answers took, by question and by what went on beside."""
    say(f"\nover HTTP, ms: p50, p99 (n); load {os.getloadavg()[0]:.1f} at the end")
    say("| question | " + " | ".join((ALONE, PACED, FLOOD)) + " |")
    say("|---|---|---|---|")
    for name, times in found.items():
        cells = [
            f"{statistics.median(one):,.1f}, {percentile(one, 99):,.1f} ({len(one)})"
            for one in times.values()
        ]
        say(f"| {name} | " + " | ".join(cells) + " |")


def percentile(times: Sequence[float], share: int) -> float:
    """Return the nearest rank."""
    return sorted(times)[min(len(times) - 1, -(-len(times) * share // 100) - 1)]


def compare_live(place: Place) -> int:
    """Hold facts and scan of a month that is being written equal, in one snapshot."""
    scope, of = scope_of(place.database, LIVE)
    with place.database.read() as session:
        spans = LIVE.spans(system_clock())
        fast = facts.counts(session, scope, spans, of=of)
        slow = [tallies.counts(session, scope, span, of=of) for span in spans]
    assert fast is not None, "the facts cannot tell"
    assert any(slow[0][0].tally.values), "nothing to compare"
    assert same(fast, slow), "facts and scan differ while records come"
    return 1


def ask_two_sizes(place: Place, beside: Place, rounds: int) -> None:
    """Ask the same of two sizes in turns, and print the ratio of the rounds."""
    every = questions(place.today.astimezone(ZONE).date())
    pasts = [one for one in every if one.is_past(place.today)]
    times: dict[str, list[tuple[float, float, float, float]]] = {}
    with (
        serving(place.url, place.folder) as port,
        serving(beside.url, beside.folder) as other,
    ):
        clients = ((place, Client(port, place.key())), (beside, Client(other, beside.key())))
        for number in range(rounds + 1):
            for one in pasts:
                took = []
                for where, client in clients:
                    sql, _ = timed(lambda w=where, q=one: by_facts(w.database, q, w.today))
                    http_, _ = timed(lambda c=client, q=one: c.ask(q.path))
                    took += [sql, http_]
                if number:  # the first makes plans and reads what is on the disk
                    times.setdefault(one.name, []).append((took[0], took[1], took[2], took[3]))
    say(f"\nms, median [range], ratio within rounds; load {os.getloadavg()[0]:.1f} at the end")
    say(
        f"| question | SQL, {beside.folder.name} | SQL, {place.folder.name} | × | HTTP | HTTP | × |"
    )
    say("|---|---|---|---|---|---|---|")
    for name, rows in times.items():
        large_sql, large_http, small_sql, small_http = (
            list(one) for one in zip(*rows, strict=True)
        )
        cells = []
        for small, large in ((small_sql, large_sql), (small_http, large_http)):
            ratio = statistics.median(b / a for a, b in zip(small, large, strict=True))
            cells += [shown(small), shown(large), f"{ratio:.1f}"]
        say(f"| {name} | " + " | ".join(cells) + " |")


def report(name: str, found: list[Measured]) -> None:
    """Print a table of one step."""
    say(f"\n{name}: ms, median [range], load {os.getloadavg()[0]:.1f} at the end")
    say("| question | rows | scan SQL, once | facts SQL | × | HTTP | goal |")
    say("|---|---|---|---|---|---|---|")
    for one in found:
        ratio = "–"
        if one.scan is not None:
            ratio = f"{one.scan / statistics.median(one.sql):,.0f}"
        scanned = "–" if one.scan is None else f"{one.scan:,.0f}"
        say(
            f"| {one.question.name} | {one.rows:,} | {scanned} | {shown(one.sql)} | {ratio}"
            f" | {shown(one.http)} | {one.question.goal or '–'} |"
        )


def sizes(database: Database) -> None:
    """Print rows and bytes of each table, in all and for a dossier."""
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT relname, reltuples::bigint AS n, pg_table_size(c.oid) AS heap,"
                " pg_indexes_size(c.oid) AS indexes FROM pg_class c JOIN pg_namespace s"
                " ON s.oid = relnamespace WHERE nspname = 'public' AND relkind = 'r'"
                " AND relname ~ '^(dossier|fact_)' AND reltuples > 0 ORDER BY relname"
            )
        ).all()
    dossiers = next(n for name, n, *_ in rows if name == "dossier")
    say("| table | rows | MB | with indexes MB | bytes for a dossier |")
    say("|---|---|---|---|---|")
    for name, n, heap, indexes in rows:
        whole = heap + indexes
        say(
            f"| {name} | {n:,} | {heap / 1e6:,.0f} | {whole / 1e6:,.0f} | {whole / dossiers:,.0f} |"
        )


STEPS = ("fill", "scan", "ask", "rank", "tail", "busy", "build")
BYTES, LOG = 1_150, 16e9
"""Bytes of a dossier on the disk with all that is made of it, and of the log at most."""


def main() -> None:
    """Take the steps that were named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--scale", type=float, default=1, help="millions of dossiers")
    parser.add_argument("--templates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--data", type=Path, help="a folder to fill, or one that was filled")
    parser.add_argument("--beside", type=Path, help="the smaller folder of growth")
    parser.add_argument("--only", action="append", default=[], help="part of a question's name")
    parser.add_argument("--seconds", type=float, default=20, help="of each turn of busy")
    asked = parser.parse_args()
    folder = asked.data or Path(tempfile.mkdtemp(prefix="dunghan-stats-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    say(
        f"CPython {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}; durable PostgreSQL with {SETTINGS}"
    )
    try:
        with EmbeddedPostgres(folder, settings=SETTINGS) as server:
            database = Database(server.url, statement_timeout_ms=0)
            take(asked.steps or STEPS, folder, database, server.url, asked)
            if "growth" in asked.steps:
                grow(folder, database, server.url, asked)
            database.dispose()
    finally:
        if asked.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def take(
    steps: Sequence[str], folder: Path, database: Database, url: str, asked: argparse.Namespace
) -> None:
    """Take some steps one after another."""
    filled = folder / "filled"
    ends_at = time.perf_counter() + 60 * asked.minutes
    if "fill" in steps and not filled.exists():
        fill(folder, database, asked, ends_at)
    if not filled.exists():
        return
    place = place_in(folder, database, url)
    sizes(database)
    asking = {"ask": ("empty log", ask), "tail": ("with a log", ask_with_tail)}
    others: dict[str, Callable[[], object]] = {
        "scan": lambda: scan(place, ends_at, asked.only),
        "build": lambda: build(database),
        "rank": lambda: rank(place, asked.rounds),
        "busy": lambda: ask_while_busy(place, asked.rounds, asked.seconds),
    }
    for step in steps:
        if step in others:
            others[step]()
        elif step in asking:
            name, work = asking[step]
            report(name, work(place, asked.rounds))


def place_in(folder: Path, database: Database, url: str) -> Place:
    """Return a folder that was filled."""
    source, _, today = (folder / "filled").read_text().partition(" ")
    return Place(folder, database, url, int(source), datetime.fromisoformat(today))


def grow(folder: Path, database: Database, url: str, asked: argparse.Namespace) -> None:
    """Open the smaller folder too, and ask both."""
    assert asked.beside, "growth needs --beside"
    with EmbeddedPostgres(asked.beside, settings=SETTINGS) as server:
        smaller = Database(server.url, statement_timeout_ms=0)
        sizes(smaller)
        place = place_in(folder, database, url)
        ask_two_sizes(place, place_in(asked.beside, smaller, server.url), asked.rounds)
        smaller.dispose()


def fill(folder: Path, database: Database, asked: argparse.Namespace, ends_at: float) -> None:
    """Make the data, or a part of them until the time is over."""
    wanted = int(asked.scale * 1e6)
    filling = Filling(folder / "filling.json", ends_at)
    filling.read()
    if not filling.source:
        free = shutil.disk_usage(folder).free
        rows = wanted * BYTES
        needed = rows + min(LOG, rows)
        say(f"{needed / 1e9:,.1f} GB of disk are needed, {free / 1e9:,.0f} are free")
        assert free > needed, "too little disk"
        begun = time.perf_counter()
        filling.source = furnish(database, asked.templates)
        prepare(database, filling.source, folder)
        filling.keep()
        say(f"{asked.templates:,} templates folded in {time.perf_counter() - begun:,.0f} s")
    if not multiply(database, wanted, asked.templates, filling):
        return
    compare_sample(database, wanted, asked.templates, filling.source)
    check(database)
    today = system_clock().replace(microsecond=0).isoformat()
    (folder / "filled").write_text(f"{filling.source} {today}")


def check(database: Database) -> None:
    """Recount a province."""
    with database.read() as session:
        province = session.scalars(
            text(
                "SELECT u.id FROM unit u JOIN unit p ON u.lft BETWEEN p.lft AND p.rgt"
                " WHERE p.code = 'H07' ORDER BY 1"
            )
        ).all()
        begun = time.perf_counter()
        differ = sum(
            len(folding.compare(session, province[at : at + 10]))
            for at in range(0, len(province), 10)
        )
    say(f"recount of a province: {differ} numbers differ, {time.perf_counter() - begun:.1f} s")
    assert differ == 0


if __name__ == "__main__":
    main()
