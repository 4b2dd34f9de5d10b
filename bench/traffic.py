"""Traffic for the benchmarks of ingest: made-up dossiers as senders tell them, and a loader.

Of a hundred records some seventy are told for the first time, some sixteen are news of a dossier
told before (finished, then returned), ten are the same again and four are older than what is known.
Three finished dossiers in ten were suspended once. Everything follows from a seed.
"""

import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import orjson

HANOI = timezone(timedelta(hours=7))
UNITS = tuple(f"H44.{number}" for number in range(100, 160))
PROCEDURES = tuple(f"1.{number:06}" for number in range(1000, 1060))
NEW, NEWS, SAME, OLDER = "new", "news", "same", "older"


@dataclass(slots=True)
class Traffic:
    """A stream of records; ``told`` counts what each one is to the service."""

    seed: int
    told: dict[str, int] = field(default_factory=lambda: dict.fromkeys((NEW, NEWS, SAME, OLDER), 0))

    def records(self, count: int) -> Iterator[dict[str, object]]:
        """Yield records in the native form."""
        chance = random.Random(self.seed)
        known: list[dict[str, object]] = []
        for number in range(count):
            draw = chance.random()
            place = chance.randrange(len(known)) if known and draw >= 0.7 else None
            if place is None:
                one, kind = self._first(number, chance), NEW
                known.append(one)
            elif draw < 0.88 and known[place]["status"] != "returned":
                one, kind = self._later(known[place], chance), NEWS
                known[place] = one
            elif draw < 0.96:
                one, kind = known[place], SAME
            else:
                one, kind = self._older(known[place]), OLDER
            self.told[kind] += 1
            yield one

    @staticmethod
    def _older(known: dict[str, object]) -> dict[str, object]:
        stamp = _read(known["received_at"]) - timedelta(minutes=1)
        older = known | {"status": "received", "source_updated_at": _text(stamp)}
        return {name: value for name, value in older.items() if name not in _LATER}

    def _first(self, number: int, chance: random.Random) -> dict[str, object]:
        unit = chance.choice(UNITS)
        day = datetime(2026, 7, 1, tzinfo=HANOI) + timedelta(days=chance.randrange(25))
        received = day.replace(hour=chance.randrange(7, 16), minute=chance.randrange(60))
        due = (received + timedelta(days=7)).replace(hour=17, minute=0)
        stamp = received + timedelta(hours=chance.randrange(1, 5))
        return {
            "code": f"{unit}-{received:%y%m%d}-{self.seed % 1000:03}{number:06}",
            "unit": unit,
            "procedure": chance.choice(PROCEDURES),
            "channel": chance.choice(("online", "online", "in_person", "post")),
            "applicant_type": "citizen",
            "applicant_key": f"{number:012}",
            "submitted_at": _text(received - timedelta(minutes=50)),
            "received_at": _text(received),
            "due_at": _text(due),
            "status": "processing",
            "finished_at": None,
            "official": f"cb{number % 40}",
            "source_updated_at": _text(stamp),
        }

    @staticmethod
    def _later(old: dict[str, object], chance: random.Random) -> dict[str, object]:
        if old["status"] == "finished":
            returned = _read(old["finished_at"]) + timedelta(hours=chance.randrange(1, 48))
            return old | {
                "status": "returned",
                "returned_at": _text(returned),
                "return_method": chance.choice(("counter", "post", "online")),
                "source_updated_at": _text(returned + timedelta(minutes=2)),
            }
        received = _read(old["received_at"])
        finished = received + timedelta(days=chance.randrange(3, 12), hours=1)
        later = old | {
            "status": "finished",
            "finished_at": _text(finished),
            "outcome": "granted",
            "source_updated_at": _text(finished + timedelta(minutes=chance.randrange(1, 90))),
        }
        if chance.random() < 0.3:
            later["pauses"] = [
                {
                    "kind": "supplement",
                    "started_at": _text(received + timedelta(days=1)),
                    "ended_at": _text(received + timedelta(days=2)),
                }
            ]
        return later


_LATER = frozenset({"finished_at", "outcome", "pauses", "returned_at", "return_method"})


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _read(told: object) -> datetime:
    return datetime.fromisoformat(str(told))


def national_of(record: dict[str, object]) -> dict[str, object]:
    """Return the same record as the national envelope tells it."""

    def moment(name: str) -> str:
        told = record.get(name)
        return "" if told is None else f"{_read(told):%Y%m%d%H%M%S}"

    return {
        "MaHoSo": record["code"],
        "MaTTHC": record["procedure"],
        "KenhThucHien": {"in_person": "1", "online": "2", "post": "3"}[str(record["channel"])],
        "LoaiDoiTuong": "1",
        "SoGiayToChuHoSo": record["applicant_key"],
        "NgayNopHoSo": moment("submitted_at"),
        "NgayTiepNhan": moment("received_at"),
        "NgayHenTra": moment("due_at"),
        "TrangThaiHoSo": {"received": "2", "processing": "4"}.get(str(record["status"]), "9"),
        "NgayKetThucXuLy": moment("finished_at"),
        "DonViXuLy": record["unit"],
        "DanhSachHoSoBoSung": [],
    }


# ---------------------------------------------------------------- the loader


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run over HTTP took: seconds, the time of each call, and the answers."""

    seconds: float
    latencies: tuple[float, ...]
    answers: tuple[bytes, ...]

    @property
    def p50(self) -> float:
        """Return the median time of a call in milliseconds."""
        return sorted(self.latencies)[len(self.latencies) // 2] * 1000


def request(method: str, path: str, body: bytes, *, port: int, key: str = "") -> bytes:
    """Return a whole HTTP request, ready to be sent."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(requests: Sequence[bytes], *, port: int, connections: int) -> Sent:
    """Send requests over some connections, each call after the answer to the one before it."""
    todo = iter(requests)
    lock = threading.Lock()
    latencies: list[float] = []
    answers: list[bytes] = []
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=120) as line:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    with lock:
                        one = next(todo, None)
                    if one is None:
                        return
                    begun = time.perf_counter()
                    line.sendall(one)
                    answer = _answer(line)
                    latencies.append(time.perf_counter() - begun)
                    answers.append(answer)
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(connections)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Sent(time.perf_counter() - begun, tuple(latencies), tuple(answers))


def _answer(line: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        piece = line.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server closed the line")
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    lowered = head.lower()
    status = int(head[9:12])
    if b"content-length:" in lowered:
        size = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
        parts = [body]
        missing = size - len(body)
        while missing > 0:
            piece = line.recv(min(missing, 1 << 18))
            parts.append(piece)
            missing -= len(piece)
        body = b"".join(parts)
    if status >= 300:
        raise RuntimeError(f"{status}: {body[:500]!r}")
    return body


def batch(records: Sequence[dict[str, object]]) -> bytes:
    """Return a batch in the native form."""
    return orjson.dumps({"dossiers": records})


def envelope(records: Sequence[dict[str, object]]) -> bytes:
    """Return a call of the national envelope."""
    return orjson.dumps(
        {
            "session": "",
            "madonvi": "H44",
            "service": "DongBoHoSoMC",
            "isUpdating": "False",
            "data": [national_of(one) for one in records],
        }
    )
