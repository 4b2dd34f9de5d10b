"""Senders that never give up, and write down for themselves what was acknowledged.

Each call is sent until an answer of success was read to its end; only then do its messages go
into the sender's own history, a file. Every message carries a mark of its own, by which it is
found, or missed, or found twice, in the record of the service.
"""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.store.session import Database
from tests.faults.harness import UNITS, pause

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LONGEST_PAUSE: Final = 0.05
"""Seconds that a sender of these tests waits at most, whatever ``Retry-After`` asks for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it is sent to, what it says, and the marks of its messages by code."""

    form: str
    method: str
    path: str
    body: bytes
    marks: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


class Journal:
    """What all senders saw: acknowledged marks in a file, troubles by kind, and violations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: Counter[str] = Counter()
        self.violations: list[str] = []
        self._turn = threading.Lock()
        self._file = path.open("w", encoding="utf-8")

    def acknowledged(self, call: Call) -> None:
        """Write down that every message of a call was taken."""
        with self._turn:
            self.seen["calls"] += 1
            self.seen["acks"] += len(call.marks)
            for code, mark in call.marks.items():
                self._file.write(json.dumps([code, mark]) + "\n")
            self._file.flush()

    def note(self, kind: str, count: int = 1) -> None:
        """Count something that happened."""
        with self._turn:
            self.seen[kind] += count

    def violated(self, what: str) -> None:
        """Write down what must never happen."""
        with self._turn:
            self.violations.append(what)

    def marks(self) -> Iterator[tuple[str, str]]:
        """Read the history back: code and mark of each message, in the order of the answers."""
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                code, mark = json.loads(line)
                yield code, mark

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Line:
    """A connection to the service that is made again after every fault."""

    def __init__(self, port: int, key: str, journal: Journal, stop: threading.Event) -> None:
        self.port = port
        self.key = key
        self.journal = journal
        self.stop = stop
        self._connection: http.client.HTTPConnection | None = None

    def send(self, call: Call) -> Any:
        """Send until acknowledged and return the answer; None if it can never be."""
        tries = 0
        while True:
            tries += 1
            answer = self._once(call)
            if answer is None:
                pause(0.05)
                continue
            status, headers, body = answer
            match status:
                case 200 | 201:
                    if tries > 1:
                        self.journal.note("acks after a resend", len(call.marks))
                    return json.loads(body)
                case 503:
                    self._refused(call, headers, body)
                case _:
                    self.journal.violated(f"{call.form}: {status} {body[:300]!r}")
                    return None

    def _refused(self, call: Call, headers: Mapping[str, str], body: bytes) -> None:
        self.journal.note("refusals")
        told = json.loads(body)
        trouble = told.get("params", {}).get("trouble")
        if trouble is not None:
            self.journal.note(f"refusals: {trouble}")
        is_problem = headers["content-type"].startswith("application/problem+json")
        is_envelope = told.get("error_code") == "9"
        if not (is_problem or is_envelope) or not headers.get("retry-after", "").isdigit():
            self.journal.violated(f"{call.form}: 503 without its form: {headers} {body[:300]!r}")
        pause(min(float(headers.get("retry-after", "0")), LONGEST_PAUSE))

    def _once(self, call: Call) -> tuple[int, dict[str, str], bytes] | None:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        was_open = self._connection.sock is not None
        try:
            self._connection.request(call.method, call.path, call.body, {**headers, **call.headers})
            answer = self._connection.getresponse()
            body = answer.read()
        except ConnectionRefusedError:
            self.journal.note("refused connections")
        except (OSError, http.client.HTTPException):
            self.journal.note("broken calls" if was_open else "broken connections")
        else:
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body
        self.close()
        return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Sender(threading.Thread):
    """One piece of one-door software: single records, batches, events and national calls."""

    def __init__(self, name: str, line: Line, random: Random) -> None:
        super().__init__(name=name, daemon=True)
        self._line = line
        self._random = random
        self._next = 0
        self._known: dict[str, int] = {}

    def run(self) -> None:
        """Send until told to stop; what was begun is sent until it is acknowledged."""
        try:
            while not self._line.stop.is_set():
                self._send(self._call())
        except Exception as error:  # noqa: BLE001 -- a dead sender would look like a quiet one
            self._line.journal.violated(f"{self.name} died: {error!r}")
        finally:
            self._line.close()

    def _send(self, call: Call) -> None:
        answer = self._line.send(call)
        if answer is None:
            return
        wrong = _wrong(call, answer)
        if wrong:
            self._line.journal.violated(f"{call.form}: {wrong} {answer}")
        else:
            self._line.journal.acknowledged(call)

    def _call(self) -> Call:
        form = self._random.choice(("single", "single", "batch", "batch", "ndjson", "national"))
        match form:
            case "single":
                code, mark, version = self._message("D")
                body = json.dumps(_record(code, mark, version)).encode()
                return Call(form, "PUT", f"/v1/dossiers/{code}", body, {code: mark})
            case "national":
                return self._national()
            case _:
                return self._batch(form)

    def _batch(self, form: str) -> Call:
        told = self._messages("D")
        records = [_record(*one) for one in told]
        headers = {}
        if self._random.random() < 0.5:
            headers["Idempotency-Key"] = f"{self.name}-{self._next}"
        if form == "ndjson":
            headers["Content-Type"] = "application/x-ndjson"
            body = "\n".join(map(json.dumps, records)).encode()
        else:
            body = json.dumps({"dossiers": records}).encode()
        marks = {code: mark for code, mark, _ in told}
        return Call(form, "POST", "/v1/dossiers/batch?verbose=true", body, marks, headers)

    def _national(self) -> Call:
        told = self._messages("N")
        body = json.dumps([_national_record(*one) for one in told]).encode()
        path = "/v1/adapters/national/DongBoHoSoMC?isUpdating=True&MaDinhDanhDV=H44.100"
        return Call("national", "POST", path, body, {code: mark for code, mark, _ in told})

    def _messages(self, kind: str) -> list[tuple[str, str, int]]:
        """Return messages of different dossiers, for one call."""
        found: dict[str, tuple[str, str, int]] = {}
        for _ in range(self._random.randint(2, 12)):
            message = self._message(kind)
            found.setdefault(message[0], message)
        return list(found.values())

    def _message(self, kind: str) -> tuple[str, str, int]:
        """Return code, mark and version of the next message, on a new dossier or a known one."""
        self._next += 1
        known = len(self._known)
        number = self._random.randrange(known + 40) if known else 0
        code = f"{kind}-{self.name}-{min(number, known):05}"
        version = self._known[code] = self._known.get(code, 0) + 1
        return code, f"M-{self.name}-{self._next}", version


def _wrong(call: Call, answer: Mapping[str, Any]) -> str | None:
    """Say what is wrong with an answer of success, None when it acknowledges the whole call."""
    if call.form == "national":
        is_taken = answer["error_code"] == "0" and len(answer["result"]) == len(call.marks)
        return None if is_taken else "not taken"
    if call.form == "single":
        return None if answer["verdict"] in {"accepted", "unchanged"} else "not taken"
    taken = answer["accepted"] + answer["unchanged"]
    return None if taken == len(call.marks) == len(answer["results"]) else "not taken"


def _record(code: str, mark: str, version: int) -> dict[str, object]:
    received_at = FIRST + timedelta(minutes=7 * (len(code) + version % 50))
    is_done = version % 4 == 0
    return {
        "code": code,
        "unit": UNITS[version % len(UNITS)],
        "procedure": "1.001193",
        "channel": "online",
        "received_at": received_at.isoformat(),
        "due_at": (received_at + timedelta(days=4)).isoformat(),
        "status": "finished" if is_done else "processing",
        "finished_at": (received_at + timedelta(days=version % 9)).isoformat() if is_done else None,
        "other_codes": [mark],
        "source_updated_at": (FIRST + timedelta(days=1, seconds=version)).isoformat(),
    }


def _national_record(code: str, mark: str, version: int) -> dict[str, object]:
    received = (FIRST + timedelta(minutes=version)).astimezone(ZONE)
    return {
        "MaHoSo": code,
        "MaTTHC": "1.001193",
        "KenhThucHien": "2",
        "NgayTiepNhan": f"{received:%Y%m%d%H%M%S}",
        "NgayHenTra": f"{received + timedelta(days=4):%Y%m%d%H%M%S}",
        "TrangThaiHoSo": "4",
        "DonViXuLy": UNITS[version % len(UNITS)],
        "MaHoSoKhac": mark,
    }


class Crowd:
    """Several senders at work for the time of a block, with one journal."""

    def __init__(self, folder: Path, port: int, key: str, *, seed: int, size: int) -> None:
        self.journal = Journal(folder / "history.jsonl")
        self.stop = threading.Event()
        self._senders = [
            Sender(f"s{n}", Line(port, key, self.journal, self.stop), Random(f"{seed}-{n}"))
            for n in range(size)
        ]

    def __enter__(self) -> Journal:
        """Let them begin."""
        for sender in self._senders:
            sender.start()
        return self.journal

    def __exit__(self, *_: object) -> None:
        """Let each bring to its end what it began, and close the book."""
        self.stop.set()
        for sender in self._senders:
            sender.join(300)
        if any(sender.is_alive() for sender in self._senders):
            self.journal.violated("a sender never got its answer")
        self.journal.close()


@dataclass(frozen=True, slots=True)
class Account:
    """What is in the record of the service, held against the histories of the senders."""

    acknowledged: int
    lost: int
    doubled: int
    behind: int


def account_of(database: Database, history: Sequence[tuple[str, str]]) -> Account:
    """Look for every acknowledged message in the record, and for the newest one in its dossier."""
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT told->'other_codes'->>0 AS mark, count(*) AS times FROM dossier_record"
                " WHERE kind = 'record' GROUP BY 1"
            )
        )
        kept = {str(row.mark): int(row.times) for row in rows}
        rows = session.execute(
            text("SELECT code, other_codes[1] AS mark FROM dossier WHERE is_current")
        )
        shown = {str(row.code): str(row.mark) for row in rows}
    newest = dict(history)
    return Account(
        acknowledged=len(history),
        lost=sum(mark not in kept for _, mark in history),
        doubled=sum(times > 1 for times in kept.values()),
        behind=sum(shown.get(code) != mark for code, mark in newest.items()),
    )
