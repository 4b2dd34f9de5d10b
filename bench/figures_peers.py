"""Figures of the service beside what others make of the same dossiers.

    python -m bench.figures_peers --data DIR [--kept DIR] [--envs DIR] [--rounds 5]
        [--only drf,datasette,pandas,duckdb] [load|ask ...]

``--data`` is a folder that ``bench.stats fill`` left. ``load`` exports one row for each dossier by
COPY (unit, province, procedure, channel, receipt, end, outcome, and the two instants that judge it)
and loads it into each peer; ``ask`` asks the same questions of the service and of every peer,
rounds interleaved. Before a time is shown, the twelve counts that the peers can work out are
compared, row by row, with those of the service.

drf        Django REST Framework and its ORM over a plain table with four indexes, on the same
           PostgreSQL server, gunicorn with 1 worker and 4 threads; over HTTP
datasette  Datasette over a SQLite file with the same indexes but that of receipt alone, with which
           SQLite chooses a plan that is three times slower; over HTTP
pandas     a frame in memory, through a pipe
duckdb     DuckDB over a file of its own, ordered by unit and receipt, through a pipe

Every peer gets the due instants from our clock and judges with them. None knows pauses, extended or
corrected due dates, transfers, letters of apology, same-day procedures, rates by definition, what
was known at an earlier moment, or who may see a unit. The service answers all 42 counts and the
rates, checks its identities and asks for a key.
"""

import argparse
import contextlib
import csv
import http.client
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import orjson
import psycopg
from sqlalchemy.engine import make_url

from app.domain.period import Period
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.store.tallies import Dimension
from bench.ingest import free_port, process
from bench.stats import SETTINGS, Client, Place, Question, say, serving, shown

HERE = Path(__file__).parent
ENVIRONMENTS = {
    "drf": ("django==5.2.*", "djangorestframework==3.18.*", "gunicorn", "psycopg[binary]"),
    "datasette": ("datasette==0.65.*",),
    "pandas": ("pandas==3.*",),
    "duckdb": ("duckdb==2.*",),
}
DATABASE = "peer_figures"
TABLE = "peer_figure"
INSTANTS = ("received_at", "early_before", "on_time_until", "ended_at")
COLUMNS = ("unit", "province", "procedure", "channel", *INSTANTS, "outcome")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_EXPORT = """
SELECT u.code AS unit, split_part(u.code, '.', 1) AS province, p.code AS procedure, d.channel,
       {instants},
       CASE WHEN d.finished_at IS NOT NULL THEN 'finished'
            WHEN d.ended_at IS NOT NULL THEN 'withdrawn' END AS outcome
  FROM dossier d
  JOIN unit u ON u.id = d.unit_id
  JOIN unit n ON n.code = 'VN' AND u.lft BETWEEN n.lft AND n.rgt
  LEFT JOIN procedure p ON p.id = d.procedure_id
 WHERE d.is_counted AND d.received_at IS NOT NULL"""

_INSTANT = {
    "received_at": "d.received_at",
    "early_before": "d.early_before",
    "on_time_until": "d.on_time_until",
    "ended_at": "coalesce(d.finished_at, d.ended_at)",
}


def export(*, whole: bool) -> str:
    """Return the statement of the rows, instants as whole microseconds or as they are."""
    form = "(extract(epoch FROM {}) * 1000000)::bigint AS {}" if whole else "{} AS {}"
    return _EXPORT.format(
        instants=", ".join(form.format(told, name) for name, told in _INSTANT.items())
    )


# ---------------------------------------------------------------- the questions

COUNTS = (
    "received",
    "received_online",
    "received_in_person",
    "received_by_post",
    "received_unknown_channel",
    "finished_early",
    "finished_on_time",
    "finished_late",
    "withdrawn",
    "carried_over",
    "in_hand",
    "open_overdue",
)


def questions() -> list[Question]:
    """Return what everybody is asked."""
    march = (date(2026, 3, 1), date(2026, 3, 31))
    year = (date(2025, 1, 1), date(2025, 12, 31))
    return [
        Question("one commune, one month", "H07.150", *march),
        Question("province of 215 units × 12 months", "H07", *year, step="month"),
        Question("nation, one month", "VN", *march),
        Question("nation ranking of 3,655 units, one month", "VN", *march, by=(Dimension.UNIT,)),
        Question("nation, as of the middle of a month", "VN", march[0], date(2026, 3, 17)),
    ]


def cuts(question: Question) -> list[int]:
    """Return where the periods of a question begin and end, in microseconds."""
    whole = Period(question.first, question.last)
    moments = [whole.begins]
    if question.step == "month":
        moments = [Period(date(question.first.year, n, 1), question.last).begins for n in MONTHS]
    return [(at - EPOCH) // timedelta(microseconds=1) for at in (*moments, whole.ends)]


MONTHS = range(1, 13)


def place_of(question: Question) -> dict[str, str]:
    """Return the unit or the province that a question is narrowed to."""
    if question.unit == "VN":
        return {}
    return {"unit" if "." in question.unit else "province": question.unit}


def statement(question: Question) -> str:
    """Return a question in the SQL that SQLite and DuckDB share."""
    scope = "".join(f"{name} = '{told}' AND " for name, told in place_of(question).items())
    bounds = cuts(question)
    return "\nUNION ALL\n".join(
        _part(scope, begins, ends, by_unit=bool(question.by)) for begins, ends in pairwise(bounds)
    )


def _part(scope: str, begins: int, ends: int, *, by_unit: bool) -> str:
    came = f"received_at >= {begins}"
    finished = f"outcome = 'finished' AND ended_at >= {begins} AND ended_at < {ends}"
    held = f"(ended_at IS NULL OR ended_at >= {ends})"
    wanted = {
        "received": came,
        **{
            f"received_{name}": f"{came} AND channel = '{channel}'"
            for name, channel in (
                ("online", "online"),
                ("in_person", "in_person"),
                ("by_post", "post"),
                ("unknown_channel", "unknown"),
            )
        },
        "finished_early": f"{finished} AND ended_at < early_before",
        "finished_on_time": (
            f"{finished} AND ended_at >= early_before AND ended_at <= on_time_until"
        ),
        "finished_late": f"{finished} AND ended_at > on_time_until",
        "withdrawn": f"outcome = 'withdrawn' AND ended_at >= {begins} AND ended_at < {ends}",
        "carried_over": f"received_at < {begins}",
        "in_hand": f"{held} AND on_time_until >= {ends - 1}",
        "open_overdue": f"{held} AND on_time_until < {ends - 1}",
    }
    sums = ", ".join(f"count(*) FILTER (WHERE {told}) AS {name}" for name, told in wanted.items())
    key, grouped = ("unit, ", " GROUP BY unit") if by_unit else ("", "")
    return (
        f"SELECT {key}{sums} FROM dossier WHERE {scope}received_at < {ends}"
        f" AND (ended_at >= {begins} OR ended_at IS NULL){grouped}"
    )


Rows = dict[object, dict[str, int]]
"""Counts by unit, or by the place of the month; only what is not nothing."""


def told(rows: Sequence[Mapping[str, object]], question: Question) -> Rows:
    """Return what a peer answered."""
    found = {
        row["unit"] if question.by else place: {name: int(str(row[name])) for name in COUNTS}
        for place, row in enumerate(rows)
    }
    return {key: counts for key, counts in found.items() if any(counts.values())}


def ours(body: bytes, question: Question) -> Rows:
    """Return the same counts of an answer of the service."""
    answer = orjson.loads(body)
    rows = answer["rows"] if question.by or question.step else [answer["total"]]
    if question.step:
        rows = sorted(rows, key=lambda row: str(row["month"]))
    counts = [
        row["counts"] | {"in_hand": row["counts"]["open_in_time"] + row["counts"]["paused"]}
        for row in rows
    ]
    return told(
        [one | {"unit": row.get("unit")} for one, row in zip(counts, rows, strict=True)], question
    )


# ---------------------------------------------------------------- the peers


@dataclass(frozen=True, slots=True)
class Stand:
    """What the peers share: the server of the data, the exported rows, their environments."""

    server: EmbeddedPostgres
    kept: Path
    environments: Path

    @property
    def file(self) -> Path:
        """Return where the exported rows are."""
        return self.kept / "dossiers.csv"

    def python(self, peer: str) -> Path:
        """Return the interpreter of a peer's own environment, made when it is missing."""
        folder = self.environments / peer
        found = folder / "bin" / "python"
        if not found.exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        if not (folder / "ready").exists():
            places = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
            uv = shutil.which("uv", path=places)
            pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
            wanted = ENVIRONMENTS[peer]
            subprocess.run([*pip, "install", "--python", found, "-q", *wanted], check=True)
            (folder / "ready").touch()
        return found

    def line(self, name: str, user: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
        """Open a database of the server, as its superior or as its owner."""
        url = make_url(self.server.superuser_url)
        return psycopg.connect(
            host=str(url.query["host"]),
            user=user or url.username,
            dbname=name,
            autocommit=True,
        )

    @property
    def owner(self) -> str:
        """Return who owns the data."""
        return str(make_url(self.server.url).username)


Ask = Callable[[Question], Sequence[Mapping[str, object]]]


class Piped:
    """A peer that answers lines of JSON."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.told = self._read()

    def _read(self) -> object:
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        assert line, "the peer ended"
        return orjson.loads(line)

    def ask(self, question: Question) -> Sequence[Mapping[str, object]]:
        """Ask one question."""
        asked = {
            "unit": None,
            "province": None,
            **place_of(question),
            "cuts": cuts(question),
            "by_unit": bool(question.by),
            "sql": statement(question),
        }
        assert self.running.stdin is not None
        self.running.stdin.write(orjson.dumps(asked) + b"\n")
        self.running.stdin.flush()
        return self._read()  # type: ignore[return-value]

    def close(self) -> None:
        """Let it end."""
        assert self.running.stdin is not None
        self.running.stdin.close()
        self.running.wait(60)


class Served:
    """A peer that answers over one connection that is kept open."""

    def __init__(self, port: int, address: Callable[[Question], str]) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.address = address

    def ask(self, question: Question) -> Sequence[Mapping[str, object]]:
        """Ask one question."""
        try:
            return self._ask(question)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self.line.close()
            return self._ask(question)

    def _ask(self, question: Question) -> Sequence[Mapping[str, object]]:
        self.line.request("GET", self.address(question))
        answer = self.line.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return orjson.loads(body)  # type: ignore[no-any-return]


@contextlib.contextmanager
def drf(stand: Stand) -> Iterator[Ask]:
    """Serve the table through Django, one worker of four threads."""
    port = free_port()
    command = [str(stand.python("drf")), "-m", "gunicorn", "-w", "1", "--threads", "4"]
    command += ["--log-level", "warning", "-b", f"127.0.0.1:{port}", "--keep-alive", "60"]
    command += ["--timeout", "600", "bench.peers.figures_drf:application"]

    def address(question: Question) -> str:
        wanted = place_of(question) | {"cuts": ",".join(map(str, cuts(question)))}
        return "/figures?" + urlencode(wanted | ({"by_unit": "1"} if question.by else {}))

    with process(command, port, **drf_environment(stand)):
        yield Served(port, address).ask


def drf_environment(stand: Stand) -> dict[str, str]:
    """Return what the Django service reads from its environment."""
    return {
        "DRF_DATABASE": DATABASE,
        "DRF_USER": stand.owner,
        "DRF_HOST": str(make_url(stand.server.url).query["host"]),
        "PYTHONPATH": str(HERE.parent),
    }


@contextlib.contextmanager
def datasette(stand: Stand) -> Iterator[Ask]:
    """Serve the SQLite file."""
    port = free_port()
    command = [str(stand.python("datasette")), "-m", "datasette", "serve"]
    command += [str(stand.kept / "dossiers.db"), "--port", str(port)]
    for name, value in (
        ("sql_time_limit_ms", 600_000),
        ("max_returned_rows", 10_000),
        ("cache_size_kb", 1_000_000),
        ("num_sql_threads", os.cpu_count() or 1),
    ):
        command += ["--setting", name, str(value)]

    def address(question: Question) -> str:
        return "/dossiers.json?" + urlencode({"_shape": "array", "sql": statement(question)})

    with process(command, port):
        yield Served(port, address).ask


@contextlib.contextmanager
def pandas(stand: Stand) -> Iterator[Ask]:
    """Read the exported rows into memory."""
    peer = Piped([stand.python("pandas"), HERE / "peers" / "figures_pandas.py", stand.file])
    say(f"pandas read the export: {peer.told}")
    try:
        yield peer.ask
    finally:
        peer.close()


@contextlib.contextmanager
def duckdb(stand: Stand) -> Iterator[Ask]:
    """Open the columns, loaded when they are not there yet."""
    kept = stand.kept / "dossiers.duckdb"
    peer = Piped([stand.python("duckdb"), HERE / "peers" / "figures_duckdb.py", stand.file, kept])
    say(f"DuckDB opened or loaded its file: {peer.told}")
    try:
        yield peer.ask
    finally:
        peer.close()


PEERS = {"drf": drf, "datasette": datasette, "pandas": pandas, "duckdb": duckdb}


# ---------------------------------------------------------------- loading


def load(stand: Stand, peers: Sequence[str]) -> None:
    """Export the rows once, and load them into each peer."""
    stand.kept.mkdir(parents=True, exist_ok=True)
    with took("exported"), stand.line("dunghan") as line, stand.file.open("wb") as file:
        statement = f"COPY ({export(whole=True)}) TO STDOUT CSV HEADER"
        with line.cursor().copy(statement) as copy:
            for piece in copy:
                file.write(piece)
    say(f"the export has {stand.file.stat().st_size / 1e6:,.0f} MB")
    if "drf" in peers:
        with took("drf: table loaded and indexed"):
            load_drf(stand)
    if "datasette" in peers:
        stand.python("datasette")
        with took("datasette: SQLite file loaded and indexed"):
            load_sqlite(stand)
    if "duckdb" in peers:
        (stand.kept / "dossiers.duckdb").unlink(missing_ok=True)
        with duckdb(stand):
            pass


@contextlib.contextmanager
def took(what: str) -> Iterator[None]:
    """Say how long a block took."""
    begun = time.perf_counter()
    yield
    say(f"{what} in {time.perf_counter() - begun:,.1f} s")


def load_drf(stand: Stand) -> None:
    """Make the peer's own database beside ours, and copy the rows over without leaving the server.

    The indexes are made after the rows, as any loader would.
    """
    with stand.line("dunghan") as line:
        line.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        line.execute(f'CREATE DATABASE {DATABASE} OWNER "{stand.owner}"')
    made = drf_environment(stand) | {"DRF_MAKE_TABLE": "1"}
    command = [str(stand.python("drf")), "-c", "import bench.peers.figures_drf"]
    subprocess.run(command, check=True, env=os.environ | made)
    with stand.line("dunghan") as ours, stand.line(DATABASE) as theirs:
        indexes = theirs.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
            " AND indexname NOT LIKE '%%pkey'",
            [TABLE],
        ).fetchall()
        for name, _ in indexes:
            theirs.execute(f'DROP INDEX "{name}"')
        into = f"COPY {TABLE} ({', '.join(COLUMNS)}) FROM STDIN"
        with (
            ours.cursor().copy(f"COPY ({export(whole=False)}) TO STDOUT") as source,
            theirs.cursor().copy(into) as target,
        ):
            for piece in source:
                target.write(piece)
        for _, definition in indexes:
            theirs.execute(str(definition))
        theirs.execute(f"VACUUM ANALYZE {TABLE}")


def load_sqlite(stand: Stand) -> None:
    """Load the exported rows into a SQLite file, and index them."""
    kept = stand.kept / "dossiers.db"
    kept.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(kept)) as line, stand.file.open(newline="") as file:
        line.execute("PRAGMA journal_mode = OFF")
        line.execute("PRAGMA synchronous = OFF")
        line.execute("PRAGMA cache_size = -1000000")
        kinds = [f"{name} {'INTEGER' if name in INSTANTS else 'TEXT'}" for name in COLUMNS]
        line.execute(f"CREATE TABLE dossier (id INTEGER PRIMARY KEY, {', '.join(kinds)})")
        rows = csv.reader(file)
        assert next(rows) == list(COLUMNS)
        line.executemany(
            f"INSERT INTO dossier ({', '.join(COLUMNS)})"
            " VALUES (?, ?, nullif(?, ''), ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, ''),"
            " nullif(?, ''))",
            rows,
        )
        for columns in ("unit, received_at", "province, received_at", "ended_at"):
            name = columns.split(",")[0]
            line.execute(f"CREATE INDEX dossier_{name} ON dossier ({columns})")
        line.execute("ANALYZE")
        line.commit()


# ---------------------------------------------------------------- asking


@dataclass(slots=True)
class Measured:
    """Milliseconds of one question, by who was asked."""

    question: Question
    times: dict[str, list[float]] = field(default_factory=dict)


OURS = "Đúng Hạn"


def ask(place: Place, stand: Stand, peers: Sequence[str], rounds: int) -> list[Measured]:
    """Compare every answer with ours, then ask in interleaved rounds."""
    found = [Measured(one) for one in questions()]
    with contextlib.ExitStack() as stack:
        others = {name: stack.enter_context(PEERS[name](stand)) for name in peers}
        port = stack.enter_context(serving(place.url, place.folder))
        client = Client(port, place.key())
        for one in found:
            wanted = ours(client.ask(one.question.path), one.question)
            assert wanted, f"nothing to compare: {one.question.name}"
            for name, other in others.items():
                answered = told(other(one.question), one.question)
                assert answered == wanted, differences(name, one.question, wanted, answered)
            say(f"equal, {len(wanted):,} rows of {len(COUNTS)} counts: {one.question.name}")
        for _ in range(rounds):
            for one in found:
                path = one.question.path
                one.times.setdefault(OURS, []).append(milliseconds(lambda p=path: client.ask(p)))
                for name, other in others.items():
                    spent = milliseconds(lambda q=one.question, o=other: o(q))
                    one.times.setdefault(name, []).append(spent)
    return found


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long something took."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def differences(name: str, question: Question, wanted: Rows, answered: Rows) -> str:
    """Tell where a peer's answer differs from ours."""
    odd = [
        f"{key}: {count} ours {wanted.get(key, {}).get(count)} theirs {counts.get(count)}"
        for key in {*wanted, *answered}
        for counts in (answered.get(key, {}),)
        for count in COUNTS
        if wanted.get(key, {}).get(count) != counts.get(count)
    ]
    return f"{name} differs in {len(odd)} counts of {question.name}: {odd[:5]}"


def report(found: Sequence[Measured], peers: Sequence[str]) -> None:
    """Print medians with their range, and of each peer the ratio within the rounds."""
    say(f"\nms, median [range]; × is theirs to ours in a round; load {os.getloadavg()[0]:.1f}")
    say("| question | " + " | ".join((OURS, *peers)) + " |")
    say("|---" * (2 + len(peers)) + "|")
    for one in found:
        cells = [shown(one.times[OURS])]
        for name in peers:
            pairs = zip(one.times[name], one.times[OURS], strict=True)
            ratio = statistics.median(theirs / own for theirs, own in pairs)
            cells.append(f"{shown(one.times[name])}; {ratio:,.1f} ×")
        say(f"| {one.question.name} | " + " | ".join(cells) + " |")


def versions(stand: Stand, peers: Sequence[str]) -> str:
    """Return the versions of what each peer is made of."""
    asked = (
        "import importlib.metadata as m, json, sqlite3;"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}"
        " | {'sqlite': sqlite3.sqlite_version}))"
    )
    wanted = ("django", "djangorestframework", "gunicorn", "datasette", "pandas", "duckdb")
    found = []
    for name in peers:
        out = subprocess.run([stand.python(name), "-c", asked], check=True, capture_output=True)
        kept = orjson.loads(out.stdout)
        found += [f"{one} {kept[one]}" for one in wanted if one in kept]
        found += [f"SQLite {kept['sqlite']}"] if name == "datasette" else []
    return ", ".join(found)


def main() -> None:
    """Load, ask, or both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help="load, ask, drop")
    parser.add_argument("--data", type=Path, required=True, help="a folder that was filled")
    parser.add_argument("--kept", type=Path, help="where the peers keep their rows")
    parser.add_argument("--envs", type=Path, default=Path(tempfile.gettempdir()) / "bench-peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PEERS), help="names, with commas between")
    asked = parser.parse_args()
    peers = asked.only.split(",")
    steps = asked.steps or ["load", "ask", "drop"]
    source, _, today = (asked.data / "filled").read_text().partition(" ")
    kept = asked.kept or asked.data / "peers"
    with EmbeddedPostgres(asked.data, settings=SETTINGS) as server:
        stand = Stand(server, kept, asked.envs)
        say(
            f"CPython {platform.python_version()}, {os.cpu_count()} cores,"
            f" load {os.getloadavg()[0]:.1f}; {versions(stand, peers)}"
        )
        if "load" in steps:
            load(stand, peers)
        if "ask" in steps:
            database = Database(server.url, statement_timeout_ms=0)
            moment = datetime.fromisoformat(today)
            place = Place(asked.data, database, server.url, int(source), moment)
            report(ask(place, stand, peers, asked.rounds), peers)
            database.dispose()
        if "drop" in steps:
            with stand.line("dunghan") as line:
                line.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            shutil.rmtree(kept, ignore_errors=True)


if __name__ == "__main__":
    main()
