"""Figures from facts beside a look at every dossier, in SQL and over HTTP, at 1, 10 or 30 million.

    python -m bench.stats [--scale 1] [--templates 20000] [--rounds 7] [--keep DIR] [--no-scan]

A nation of 3,655 units (17 provinces with 200 communes and 15 departments each) and three years of
dossiers from a fixed seed. Some thousand templates are told and folded by the real ingest, with
pauses, extensions, letters of apology, withdrawals and open ones; each is then copied to many units
by one statement, so every row is one that ingest would write. Before a time is shown, the answer of
the facts is compared with that of the scan, number by number; the recount of a province must find
no difference. Rounds are interleaved, medians are shown with their range.
"""

import argparse
import contextlib
import http.client
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
from sqlalchemy import text

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
from app.store.session import Database
from app.store.tables import dossier, dossier_reading
from app.store.tallies import Dimension, Row, Scope, Span
from app.usecases import access, catalogue, ingest, recount
from app.usecases.access import Keyring
from app.usecases.catalogue import DatedLimit, ProcedureSpec, UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender

SECRET = "a key of the benchmark that is long enough for anybody"
SETTINGS = {"shared_buffers": "1GB", "work_mem": "64MB", "max_wal_size": "8GB"}
PROVINCES, COMMUNES, DEPARTMENTS = 17, 200, 15
PROCEDURES = 200
FIRST_DAY, DAYS = date(2023, 11, 1), 1_100
AT_ONCE = 100_000
"""Dossiers copied and counted in one transaction."""


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


def template(number: int, chance: random.Random) -> list[Incoming]:
    """Return what a sender tells of one dossier: a record, sometimes a letter of apology."""
    day = datetime.combine(FIRST_DAY, datetime.min.time(), ZONE)
    day += timedelta(days=chance.randrange(DAYS))
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
    now = datetime(2026, 11, 16, tzinfo=UTC)
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
    chance = random.Random(20_261_122)
    by = Sender(source, None, None, *WHOLE)
    for start in range(0, templates, 500):
        coming = [
            replace(one, index=index)
            for index, one in enumerate(
                message
                for number in range(start, min(start + 500, templates))
                for message in template(number, chance)
            )
        ]
        with database.begin() as session:
            ingest.accept(session, coming, by=by, door="bench", now=now)
    return source


FIRST = datetime(2023, 1, 1, tzinfo=UTC)
OWN = ("unit_id", "unit_lft", "home_unit_id", "source_id", "code", "n")
COLUMNS = [column.name for column in dossier.columns if column.name not in OWN]
CLOCK = [column.name for column in dossier_reading.columns if column.name not in OWN]
PICK = "1 + (hashint8(u.id * 1000003::bigint + k) & 2147483647) % :templates"


def _listed(names: Sequence[str], alias: str = "") -> str:
    return ", ".join(f'{alias}"{name}"' for name in names)


def multiply(database: Database, wanted: int, templates: int, source: int) -> None:
    """Copy the templates to all units, and count each batch of units as it stands."""
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
        rows = session.execute(
            text("SELECT id, level FROM unit WHERE level IN ('commune', 'department') ORDER BY id")
        ).all()
    weights = {unit: 4 if level == "department" else 1 for unit, level in rows}
    whole = sum(weights.values())
    sizes = {unit: max(1, wanted * weight // whole) for unit, weight in weights.items()}
    batch: list[int] = []
    copied = seconds = 0.0
    begun = time.perf_counter()
    for place, unit in enumerate(sizes):
        batch.append(unit)
        if sum(sizes[one] for one in batch) < AT_ONCE and place + 1 < len(sizes):
            continue
        with database.begin() as session:
            _copy(session, batch, sizes, templates)
        counting = time.perf_counter()
        with database.begin() as session:
            recount.build(session, batch)
        seconds += time.perf_counter() - counting
        copied += sum(sizes[one] for one in batch)
        batch = []
        say(f"\r{copied:>12,.0f} dossiers, {time.perf_counter() - begun:,.0f} s ", end="")
    say(
        f"\nfacts built from {copied:,.0f} dossiers in {seconds:,.0f} s"
        f" ({copied / seconds:,.0f}/s), in batches of {AT_ONCE:,}"
    )
    with database.begin() as session:
        for _, definition in indexes:
            session.execute(text(definition))
        session.execute(
            text(
                "INSERT INTO fact_state (latest) SELECT max(recorded_at) FROM dossier"
                " ON CONFLICT (sole) DO UPDATE SET latest = EXCLUDED.latest"
            )
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as line:
        line.execute(text("VACUUM ANALYZE"))


def _copy(session: object, batch: list[int], sizes: dict[int, int], templates: int) -> None:
    wanted = {
        "units": batch,
        "sizes": [sizes[one] for one in batch],
        "templates": templates,
    }
    spread = (
        "FROM unnest(CAST(:units AS int[]), CAST(:sizes AS int[])) AS b(unit_id, size)"
        " JOIN unit u ON u.id = b.unit_id CROSS JOIN generate_series(1, b.size) AS k"
        f" JOIN pattern t ON t.n = {PICK}"
    )
    session.execute(  # type: ignore[attr-defined]
        text(
            f"INSERT INTO dossier (unit_id, unit_lft, home_unit_id, source_id, code,"
            f" {_listed(COLUMNS)}) SELECT u.id, u.lft, u.id, t.source_id, u.code || '-' || k,"
            f" {_listed(COLUMNS, 't.')} {spread} ORDER BY u.id, k"
        ),
        wanted,
    )
    session.execute(  # type: ignore[attr-defined]
        text(
            f"INSERT INTO dossier_reading (unit_id, source_id, code, {_listed(CLOCK)})"
            f" SELECT u.id, t.source_id, u.code || '-' || k, {_listed(CLOCK, 'r.')} {spread}"
            " JOIN dossier_reading r ON r.unit_id = t.unit_id AND r.source_id = t.source_id"
            " AND r.code = t.code"
        ),
        wanted,
    )


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
        Question("nation, one month", "VN", *march),
        Question("nation ranking of 3,655 units, one month", "VN", *march, by=unit, goal=90),
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
    rows: int
    scan: list[float]
    sql: list[float]
    http: list[float]
    tail: list[float]
    busy: list[float]


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
            (one, *_) = template(index, chance)
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


def measure(
    database: Database, port: int, key: str, source: int, rounds: int, *, with_scan: bool
) -> list[Measured]:
    client = Client(port, key)
    asked = questions(system_clock().astimezone(ZONE).date())
    found = []
    for question in asked:
        now = system_clock()
        fast = by_facts(database, question, now)
        one = Measured(question, sum(len(rows) for rows in fast), [], [], [], [], [])
        if with_scan:
            took, slow = timed(lambda q=question, n=now: by_scan(database, q, n))
            one.scan.append(took)
            assert same(fast, slow), f"facts and scan differ: {question.name}"  # type: ignore[arg-type]
            body = client.ask(question.path)
            assert told(body, question) == counted(slow), f"HTTP differs: {question.name}"  # type: ignore[arg-type]
            say(f"equal: {question.name}, scan {took:,.0f} ms")
        found.append(one)
    for _ in range(rounds):
        for one in found:
            now = system_clock()
            took, _ = timed(lambda q=one.question, n=now: by_facts(database, q, n))
            one.sql.append(took)
            took, _ = timed(lambda q=one.question: client.ask(q.path))
            one.http.append(took)
    done, poured = threading.Event(), [0]
    writer = threading.Thread(target=pour, args=(database, source, done, poured))
    writer.start()
    begun = time.perf_counter()
    waiting = []
    for _ in range(rounds):
        for one in found:
            with database.read() as session:
                waiting.append(folding.waiting(session))
            took, _ = timed(lambda q=one.question: client.ask(q.path))
            one.busy.append(took)
    seconds = time.perf_counter() - begun
    done.set()
    writer.join()
    say(
        f"while asked with ingest running: {poured[0] / seconds:,.0f} dossiers/s taken in,"
        f" {statistics.median(waiting):,.0f} versions in the log (most {max(waiting):,})"
    )
    return found


def with_tail(database: Database, source: int, found: list[Measured], rounds: int) -> int:
    """Ask with a log that nobody folds; compared with the scan first."""
    poured, done = [0], threading.Event()
    writer = threading.Thread(target=pour, args=(database, source, done, poured))
    poured[0] = 1_000_000
    writer.start()
    while poured[0] < 1_002_000:
        time.sleep(0.01)
    done.set()
    writer.join()
    with database.read() as session:
        waiting = folding.waiting(session)
    for one in found:
        now = system_clock()
        if one.question.unit != "VN":
            assert same(by_facts(database, one.question, now), by_scan(database, one.question, now))
        for _ in range(rounds):
            took, _ = timed(lambda q=one.question, n=now: by_facts(database, q, n))
            one.tail.append(took)
    return waiting


def report(found: list[Measured], waiting: int) -> None:
    say(
        f"\nms, median [range] | tail: SQL with {waiting:,} versions in the log,"
        " | busy: HTTP with ingest running"
    )
    say("| question | rows | scan SQL | facts SQL | × | HTTP | goal | tail | busy |")
    say("|---|---|---|---|---|---|---|---|---|")
    for one in found:
        ratio = ""
        if one.scan:
            ratio = f"{statistics.median(one.scan) / statistics.median(one.sql):,.0f}"
        say(
            f"| {one.question.name} | {one.rows:,} | {shown(one.scan)} | {shown(one.sql)} | {ratio}"
            f" | {shown(one.http)} | {one.question.goal or '–'} | {shown(one.tail)}"
            f" | {shown(one.busy)} |"
        )


def sizes(database: Database) -> None:
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT relname, reltuples::bigint AS n, pg_table_size(c.oid) AS heap,"
                " pg_indexes_size(c.oid) AS indexes FROM pg_class c JOIN pg_namespace s"
                " ON s.oid = relnamespace WHERE nspname = 'public' AND relkind = 'r'"
                " AND relname ~ '^(dossier|fact_)' AND reltuples > 0 ORDER BY relname"
            )
        ).all()
    say("| table | rows | MB | with indexes MB |")
    say("|---|---|---|---|")
    for name, n, heap, indexes in rows:
        say(f"| {name} | {n:,} | {heap / 1e6:,.0f} | {(heap + indexes) / 1e6:,.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="millions of dossiers")
    parser.add_argument("--templates", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="a folder to build in, or to find it built")
    parser.add_argument("--no-scan", action="store_true", help="skip the comparison: not a result")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="dunghan-stats-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    is_built = (folder / "built").exists()
    try:
        if not is_built:
            with EmbeddedPostgres(folder, durable=False, settings=SETTINGS) as server:
                database = Database(server.url, statement_timeout_ms=0)
                source = furnish(database, asked.templates)
                multiply(database, int(asked.scale * 1e6), asked.templates, source)
                database.dispose()
            (folder / "built").write_text(str(source))
        with EmbeddedPostgres(folder, settings=SETTINGS) as server:
            database = Database(server.url, statement_timeout_ms=0)
            run(database, server.url, folder, asked)
            database.dispose()
    finally:
        if asked.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(database: Database, url: str, folder: Path, asked: argparse.Namespace) -> None:
    source = int((folder / "built").read_text())
    say(
        f"CPython {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}; PostgreSQL {SETTINGS}"
    )
    sizes(database)
    with database.begin() as session:
        key = access.issue_key(
            session,
            Keyring(secret=SECRET.encode(), environment="production"),
            name="bench",
            source="bench",
            unit=None,
            scopes=tuple(access.Scope),
            actor="bench",
            now=system_clock(),
        ).key
    with database.read() as session:
        province = session.scalars(
            text(
                "SELECT u.id FROM unit u JOIN unit p ON u.lft BETWEEN p.lft AND p.rgt"
                " WHERE p.code = 'H07' ORDER BY 1"
            )
        ).all()
        begun = time.perf_counter()
        differ = sum(
            len(folding.compare(session, province[at : at + 20]))
            for at in range(0, len(province), 20)
        )
        say(f"recount of a province: {differ} numbers differ, {time.perf_counter() - begun:.1f} s")
        assert differ == 0
    with serving(url, folder) as port:
        found = measure(database, port, key, source, asked.rounds, with_scan=not asked.no_scan)
    waiting = with_tail(database, source, found, asked.rounds)
    report(found, waiting)
    say(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
