"""A stream of the national envelope as it really comes: repeated, out of order, partly broken.

Senders of both generations tell the lives of many dossiers. Nothing may be lost or doubled: what
was sent is stored or waits in quarantine, and the end is that of the same stream in order.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from app.deps import Installation
from app.store.tables import dossier, dossier_record, quarantine, source
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.feeds.corpus import a_new_dossier, a_step, an_old_dossier

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
DOOR: Final = "/v1/adapters/national"
DOSSIERS: Final = 20
SEEDS: Final = (1, 2)
UNITS: Final = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "UBND phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "UBND xã Hy Cương", "level": "commune", "parent": "H44"},
]
Payload = tuple[str, dict[str, object]]
"""A service and one element of its ``data``."""


def wire(moment: datetime) -> str:
    return moment.astimezone(ZONE).strftime("%Y%m%d%H%M%S")


def life_of(number: int, chance: random.Random) -> list[Payload]:
    """Tell one dossier: its snapshots as it goes on, each with a newer date, and its steps."""
    made: Callable[..., dict[str, object]] = chance.choice([an_old_dossier, a_new_dossier])
    begins = datetime(2026, 7, 1, 8, tzinfo=ZONE) + timedelta(
        days=chance.randrange(25), minutes=chance.randrange(400)
    )
    due = begins + timedelta(days=chance.randrange(2, 9))
    base: dict[str, object] = {
        "MaHoSo": f"H44.100-2607-{number:04}",
        "DonViXuLy": chance.choice(["UBND phường Việt Trì", "H44.101", "Phòng không ai biết"]),
        "NgayTiepNhan": wire(begins),
        "NgayHenTra": wire(due.replace(hour=17, minute=0)),
        "HinhThuc": chance.choice(["0", "1"]),
    }
    if made is a_new_dossier:
        base["NgayNopHoSo"] = wire(begins - timedelta(minutes=30))
        base["KenhThucHien"] = chance.choice(["1", "2", "3"])
    told: list[Payload] = [("DongBoHoSoMC", made(**base, TrangThaiHoSo="2"))]
    at = begins + timedelta(hours=2)
    told.append(
        (
            "CapNhatTienDoHoSoMC",
            a_step(MaHoSo=base["MaHoSo"], ThoiDiemXuLy=wire(at), TrangThai="4"),
        )
    )
    if chance.random() < 0.3:
        asked, given = at + timedelta(hours=3), at + timedelta(hours=30)
        row = {"NgayBoSung": wire(asked), "NgayTiepNhanBoSung": wire(given)}
        base["DanhSachHoSoBoSung"] = [row]
        told.append(("DongBoHoSoMC", made(**base, TrangThaiHoSo="4")))
        at = given
    ends = at + timedelta(hours=chance.randrange(2, 200))
    last = chance.random()
    if last < 0.6:
        base |= {"TrangThaiHoSo": "9", "NgayKetThucXuLy": wire(ends)}
        told.append(("DongBoHoSoMC", made(**base)))
        returned = {"TrangThaiHoSo": "10", "NgayTra": wire(ends + timedelta(hours=20))}
        told.append(("DongBoHoSoMC", made(**(base | returned))))
    elif last < 0.75:
        base |= {"TrangThaiHoSo": "7", "NgayTuChoi": wire(ends)}
        told.append(("DongBoHoSoMC", made(**base)))
    return told


def broken(number: int, chance: random.Random) -> Payload:
    """Break one record in one of the ways in which they come broken."""
    code = f"H44.100-LOI-{number:04}"
    changes: dict[str, object] = chance.choice(
        [
            {"NgayTiepNhan": "2026-07-03"},
            {"NgayTiepNhan": "20260732091000"},
            {"NgayTiepNhan": "00010101000000"},
            {"NgayTiepNhan": "20990101000000"},
            {"TrangThaiHoSo": "77"},
            {"MaTTHC": ""},
            {"MaHoSo": ""},
            {"NgayKetThucXuLy": "20260601090000"},
            {"DanhSachHoSoBoSung": "không"},
            {"NgayTiepNhan": {"ngay": "3/8"}},
        ]
    )
    return "DongBoHoSoMC", an_old_dossier(MaHoSo=code) | changes


def stream(chance: random.Random) -> tuple[list[Payload], list[Payload], int]:
    """Return the whole stream in order, the same as it comes, and how many records are broken."""
    lives = [life_of(number, chance) for number in range(DOSSIERS)]
    ordered = [payload for life in lives for payload in life]
    bad = [broken(number, chance) for number in range(DOSSIERS // 4)]
    repeated = chance.sample(ordered, len(ordered) // 3)
    came = [*ordered, *repeated, *bad]
    chance.shuffle(came)
    return ordered, came, len(bad)


def send(
    client: TestClient, key: str, payloads: Sequence[Payload], chance: random.Random
) -> Counter[str]:
    """Send payloads in calls of one service each, in both variants, and count the answers."""
    answers: Counter[str] = Counter()
    place = 0
    while place < len(payloads):
        service = payloads[place][0]
        most = chance.choice([1, 3, 10])  # senders cut steps into tens
        data: list[dict[str, object]] = []
        while place < len(payloads) and len(data) < most and payloads[place][0] == service:
            data.append(payloads[place][1])
            place += 1
        for one in call(client, key, service, data, chance)["result"]:
            answers["taken" if one["error_code"] == "0" else "set aside"] += 1
            answers["existed"] += "đã tồn tại" in one["message"]
    return answers


def call(
    client: TestClient, key: str, service: str, data: Sequence[object], chance: random.Random
) -> dict[str, Any]:
    updating = chance.choice(["True", "False"])
    headers = as_key(key)
    if chance.random() < 0.5:
        query = f"?MaDinhDanhDV=H44.100&isUpdating={updating}"
        answer = client.post(f"{DOOR}/{service}{query}", json=list(data), headers=headers)
    else:
        signed_in = {"username": "test", "password": key}
        session = client.post(f"{DOOR}/login", json=signed_in).json()["session"]
        envelope = {
            "session": session,
            "madonvi": "H44.100",
            "service": service,
            "isUpdating": updating,
            "data": list(data),
        }
        answer = client.post(DOOR, json=envelope)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert len(found["result"]) == len(data)
    return found


def kept(installation: Installation, source_id: int) -> tuple[int, int, int]:
    """Return how many dossiers, messages and quarantined records a source has."""
    with installation.database.read() as session:
        counts = [
            session.execute(
                sa.select(sa.func.count(sa.distinct(column))).where(table.c.source_id == source_id)
            ).scalar_one()
            for table, column in (
                (dossier, dossier.c.code),
                (dossier_record, sa.tuple_(dossier_record.c.code, dossier_record.c.seq)),
                (quarantine, quarantine.c.id),
            )
        ]
    return counts[0], counts[1], counts[2]


SHOWN: Final = (
    *("unit", "unit_told", "status", "outcome", "received_at", "finished_at", "ended_at"),
    *("returned_at", "channel", "state"),
)


def states(client: TestClient, key: str, sender: str) -> dict[str, dict[str, Any]]:
    """Return where every dossier of a source stands."""
    found = {}
    for number in range(DOSSIERS):
        code = f"H44.100-2607-{number:04}"
        answer = client.get(f"/v1/dossiers/{code}?source={sender}", headers=as_key(key))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found[code] = {name: body[name] for name in SHOWN} | {
            "due": {name: one["due_on"] for name, one in body["readings"].items()}
        }
        address = f"/v1/dossiers/{code}/timeline?source={sender}"
        timeline = client.get(address, headers=as_key(key)).json()
        found[code]["edges"] = timeline["edges"]
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled_and_the_end_is_that_of_the_ordered_stream(
    client: TestClient,
    installation: Installation,
    make_key: MakeKey,
    clock: HandClock,
    seed: int,
) -> None:
    chance = random.Random(seed)
    ordered, came, bad = stream(chance)
    whole = make_key()
    client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(whole))
    first, second = make_key(unit="H44", source="co-thu-tu"), make_key(unit="H44", source="lon-xon")

    calm = send(client, first, ordered, chance)
    wild = send(client, second, came, chance)

    assert calm["set aside"] == 0
    assert wild["set aside"] == bad
    assert wild["taken"] + wild["set aside"] == len(came)
    sources = {name: _source(installation, name) for name in ("co-thu-tu", "lon-xon")}
    stored = kept(installation, sources["lon-xon"])
    in_order = kept(installation, sources["co-thu-tu"])
    assert (in_order[0], stored[0]) == (DOSSIERS, DOSSIERS)
    assert (in_order[2], stored[2]) == (0, bad)
    assert stored[1] >= in_order[1] == len(ordered)
    assert states(client, whole, "lon-xon") == states(client, whole, "co-thu-tu")
    sys.stdout.write(
        f"seed {seed}: {len(came)} records sent, {wild['taken']} taken, {stored[2]} in quarantine"
        f" ({bad} broken), {stored[0]} dossiers of {DOSSIERS}, {stored[1]} messages kept,"
        f" {wild['existed']} answered as existing\n"
    )


def _source(installation: Installation, name: str) -> int:
    with installation.database.read() as session:
        return int(
            session.execute(sa.select(source.c.id).where(source.c.code == name)).scalar_one()
        )
