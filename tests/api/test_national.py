"""The national envelope over HTTP, as the senders of both generations speak it."""

import gzip
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.deps import Installation, Limits
from app.main import create_app
from app.store.session import Database
from tests.api.conftest import SECRET, HandClock, MakeKey, as_key
from tests.feeds.corpus import PERSONS, a_new_dossier, a_step, an_old_dossier

DOOR = "/v1/adapters/national"
UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {
        "code": "H44.100",
        "name": "UBND phường Việt Trì",
        "level": "commune",
        "parent": "H44",
        "legacy_codes": ["000.00.100.H44"],
    },
]
Answer = dict[str, Any]


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> str:
    """Give a key of a commune that has a parent."""
    answer = client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(make_key()))
    assert answer.status_code == 200, answer.text
    return make_key(unit="H44.100", source="mot-cua")


def call(client: TestClient, body: object, path: str = "", **more: Any) -> Answer:
    """Post as a sender does and return the envelope of the answer, which is always 200."""
    answer = client.post(DOOR + path, content=orjson.dumps(body), **more)
    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "application/json; charset=utf-8",
    ), answer.text
    found: Answer = answer.json()
    assert isinstance(found["message"], str)
    return found


def login(client: TestClient, username: str, password: str) -> Answer:
    return call(client, {"username": username, "password": password}, "/login")


def envelope(session: str, *data: object, **more: object) -> dict[str, object]:
    return {
        "session": session,
        "madonvi": "000.00.100.H44",
        "service": "DongBoHoSoMC",
        "isUpdating": "False",
        "data": list(data),
        **more,
    }


@pytest.fixture
def session(client: TestClient, key: str) -> str:
    """Give a session of the commune."""
    return str(login(client, "mot-cua", key)["session"])


def state_of(client: TestClient, key: str, code: str = "H44.100-260803-0012") -> str:
    answer = client.get(f"/v1/dossiers/{code}", headers=as_key(key))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["state"])


# ------------------------------------------------------------------ signing in


def test_a_sender_signs_in_by_name_prefix_or_source(client: TestClient, key: str) -> None:
    for username in ("test", key.rpartition("_")[0], "mot-cua"):
        answer = login(client, username, key)

        assert (answer["error_code"], answer["message"]) == ("0", "Đăng nhập thành công")
        assert answer["session"].startswith("dhs_")
        assert key.rpartition("_")[2] not in answer["session"]


@pytest.mark.parametrize("fault", ["name", "key", "other key"])
def test_a_wrong_name_or_password_opens_nothing(
    client: TestClient, key: str, make_key: MakeKey, fault: str
) -> None:
    username = "ai đó" if fault == "name" else "mot-cua"
    slip = key[:-1] + ("1" if key.endswith("0") else "0")
    password = {"name": key, "key": slip, "other key": make_key(source="khac")}[fault]

    answer = login(client, username, password)

    assert answer == {
        "error_code": "2",
        "message": "Sai tên đăng nhập hoặc mật khẩu.",
        "session": "",
    }


@pytest.mark.parametrize("body", [{}, {"username": "a"}, {"username": "", "password": ""}, [], "x"])
def test_a_login_without_name_and_password_is_answered_in_its_form(
    client: TestClient, key: str, body: object
) -> None:
    answer = call(client, body, "/login")

    assert (answer["error_code"], answer["session"]) == ("4", "")


def test_a_session_ends_after_twelve_hours(
    client: TestClient, key: str, session: str, clock: HandClock
) -> None:
    clock.advance(timedelta(hours=12) - timedelta(seconds=1))
    assert call(client, envelope(session, an_old_dossier()))["error_code"] == "0"

    clock.advance(timedelta(seconds=1))
    answer = call(client, envelope(session, an_old_dossier()))

    assert (answer["error_code"], answer["result"]) == ("2", [])


def test_a_session_ends_with_its_key(
    client: TestClient, key: str, session: str, installation: Installation, clock: HandClock
) -> None:
    from app.usecases import access

    with installation.database.begin() as writer:
        access.revoke_key(
            writer, installation.keyring, key.rpartition("_")[0], actor="test", now=clock()
        )
    clock.advance(timedelta(seconds=6))

    assert call(client, envelope(session, an_old_dossier()))["error_code"] == "2"


@pytest.mark.parametrize(
    "forged", ["", "dhs_", "dhs_AAAA", "dhs_????", "dhs_ế", "x" * 300, None, 7]
)
def test_a_session_that_we_did_not_give_opens_nothing(
    client: TestClient, key: str, forged: object
) -> None:
    answer = call(client, envelope("") | {"session": forged, "data": [an_old_dossier()]})

    assert answer["error_code"] == "2"
    assert client.get("/v1/dossiers/H44.100-260803-0012", headers=as_key(key)).status_code == 404


def test_a_session_changed_in_any_letter_opens_nothing(client: TestClient, session: str) -> None:
    for place in range(4, len(session) - 1, 7):
        letter = "A" if session[place] != "A" else "B"
        forged = session[:place] + letter + session[place + 1 :]

        assert call(client, envelope(forged, an_old_dossier()))["error_code"] == "2"


def test_who_fails_too_often_has_to_wait(database: Database, clock: HandClock, key: str) -> None:
    app = create_app(
        database,
        secret=SECRET,
        clock=clock,
        environment="test",
        limits=Limits(refusals_per_minute=3),
    )
    with TestClient(app) as client:
        codes = [
            client.post(DOOR, content=orjson.dumps(envelope("dhs_no"))).status_code
            for _ in range(5)
        ]

    assert codes == [200, 200, 200, 429, 429]


# ------------------------------------------------------------------ calls


@pytest.mark.parametrize("made", [an_old_dossier, a_new_dossier])
def test_a_dossier_is_inserted_then_updated(
    client: TestClient, key: str, session: str, made: Any
) -> None:
    first = call(client, envelope(session, made()))
    ended = made(TrangThaiHoSo="9", NgayKetThucXuLy="20260804100000")
    second = call(client, envelope(session, ended, isUpdating="True"))

    for answer in (first, second):
        assert (answer["error_code"], answer["message"]) == ("0", "Đồng bộ thành công")
        assert answer["result"] == [
            {
                "MaHoSo": "H44.100-260803-0012",
                "error_code": "0",
                "message": "Đồng bộ thành công",
            }
        ]
    assert state_of(client, key) == "finished_early"


def test_a_repeated_insert_is_taken_and_said_to_exist(
    client: TestClient, key: str, session: str
) -> None:
    call(client, envelope(session, an_old_dossier()))

    again = call(client, envelope(session, an_old_dossier()))
    news = call(
        client,
        envelope(session, an_old_dossier(TrangThaiHoSo="9", NgayKetThucXuLy="20260805100000")),
    )

    assert again["error_code"] == news["error_code"] == "0"
    assert "đã tồn tại" in again["message"]
    assert "đã tồn tại" in news["result"][0]["message"]
    assert state_of(client, key) == "finished_on_time"


def test_some_new_and_some_known_are_told_apart(client: TestClient, key: str, session: str) -> None:
    call(client, envelope(session, an_old_dossier()))

    both = call(client, envelope(session, an_old_dossier(), an_old_dossier(MaHoSo="H44-2")))

    assert both["error_code"] == "0"
    assert both["message"] == "Đồng bộ thành công; 1 hồ sơ đã tồn tại."
    assert ["đã tồn tại" in one["message"] for one in both["result"]] == [True, False]


def test_a_record_that_cannot_be_true_waits_and_the_good_beside_it_is_kept(
    client: TestClient, key: str, session: str
) -> None:
    bad = an_old_dossier(MaHoSo="H44-BAD", NgayTiepNhan="20261303091000")

    answer = call(client, envelope(session, an_old_dossier(), bad, "rác", {}))

    assert answer["error_code"] == "1"
    assert "thành công" not in answer["message"]
    assert [one["error_code"] for one in answer["result"]] == ["0", "1", "1", "1"]
    assert answer["result"][1]["MaHoSo"] == "H44-BAD"
    assert answer["result"][1]["message"].startswith("NgayTiepNhan: Ngày giờ phải có dạng")
    assert state_of(client, key) == "open_overdue"


def test_steps_move_a_dossier_and_may_precede_it(
    client: TestClient, key: str, session: str
) -> None:
    steps = envelope(session, a_step(), service="CapNhatTienDoHoSoMC")

    before = call(client, steps)
    call(client, envelope(session, an_old_dossier(TrangThaiHoSo="2")))
    after = call(client, steps | {"data": [a_step(TrangThai="5")]})

    assert before["error_code"] == after["error_code"] == "0"
    assert state_of(client, key) == "paused"


@pytest.mark.parametrize("service", ["DongBoHoSoMC", "dongbohosomc"])
def test_a_bare_array_comes_with_its_parameters_in_the_address(
    client: TestClient, key: str, service: str
) -> None:
    answer = call(
        client,
        [an_old_dossier(DonViXuLy="")],
        f"/{service}?MaDinhDanhDV=000.00.100.H44&isUpdating=False",
        headers=as_key(key),
    )

    assert answer["error_code"] == "0"
    found = client.get("/v1/dossiers/H44.100-260803-0012", headers=as_key(key)).json()
    assert (found["unit"], found["unit_told"]) == ("H44.100", "000.00.100.H44")


def test_a_session_may_stand_where_a_key_does(client: TestClient, key: str, session: str) -> None:
    bare = call(client, [an_old_dossier()], "/DongBoHoSoMC", headers=as_key(session))
    whole = call(client, envelope("", an_old_dossier()), headers=as_key(key))

    assert (bare["error_code"], whole["error_code"]) == ("0", "0")


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        (b"", "", "4"),
        (b"{", "", "4"),
        (b'{"data": [NaN]}', "", "5"),
        (b"\xff\xfe{\x00}\x00", "", "4"),
        (b"[" * 100_000, "", "4"),
        (b"[]", "", "4"),
        (b'"x"', "", "4"),
        (b'{"service": "DongBoHoSoMC"}', "", "4"),
        (b'{"service": "TraCuuHoSo", "data": []}', "", "5"),
        (b'{"service": "DongBoHoSoMC", "data": [], "isUpdating": "co"}', "", "4"),
        (b'{"service": "DongBoHoSoMC", "data": "x"}', "", "4"),
        (b"[]", "/XoaHoSo", "5"),
        (b"[]", "/DongBoHoSoMC?isUpdating=co", "4"),
    ],
)
def test_whatever_is_wrong_with_an_envelope_is_answered_in_one(
    client: TestClient, key: str, body: bytes, path: str, code: str
) -> None:
    answer = client.post(DOOR + path, content=body, headers=as_key(key))

    assert (answer.status_code, answer.json()["error_code"]) == (200, code), answer.text
    assert answer.json()["result"] == []
    assert "thành công" not in answer.json()["message"]


def test_a_key_without_the_right_to_send_is_told_so(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    reader = make_key(["dossiers:read"], unit="H44.100")

    answer = call(client, envelope("", an_old_dossier()), headers=as_key(reader))

    assert (answer["error_code"], answer["result"]) == ("6", [])


def test_a_wrong_key_in_the_header_is_answered_in_an_envelope(client: TestClient, key: str) -> None:
    for header in ("Bearer nobody", "Basic YTpi", "Bearer "):
        answer = call(client, envelope("", an_old_dossier()), headers={"Authorization": header})

        assert answer["error_code"] == "2"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain; charset=utf-8"},
        {"Content-Type": "application/json", "Charset": "utf-8", "dstcode": "VN:GOV:000"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_headers_as_senders_set_them_do_not_matter(
    client: TestClient, key: str, session: str, headers: dict[str, str]
) -> None:
    body = orjson.dumps(envelope(session, an_old_dossier()))
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body)

    answer = client.post(DOOR, content=body, headers=headers)

    assert (answer.status_code, answer.json()["error_code"]) == (200, "0"), answer.text


def test_more_than_one_call_may_bring_is_refused_as_a_whole(
    app: FastAPI, client: TestClient, key: str
) -> None:
    app.state.installation = _with(app.state.installation, Limits(max_batch_records=2))

    answer = call(
        client,
        envelope("", *(an_old_dossier(MaHoSo=f"H44-{n}") for n in range(3))),
        headers=as_key(key),
    )

    assert answer["error_code"] == "4"
    assert "tối đa 2 hồ sơ" in answer["message"]
    assert client.get("/v1/dossiers/H44-0", headers=as_key(key)).status_code == 404


def _with(installation: Installation, limits: Limits) -> Installation:
    from dataclasses import replace

    return replace(installation, limits=limits)


def test_a_unit_that_nobody_knows_is_a_bucket_and_no_failure(
    client: TestClient, key: str, session: str
) -> None:
    answer = call(client, envelope(session, an_old_dossier(DonViXuLy="Phòng Tư pháp huyện cũ")))

    found = client.get("/v1/dossiers/H44.100-260803-0012", headers=as_key(key)).json()
    assert answer["error_code"] == "0"
    assert (found["unit"], found["flags"]) == (
        "H44.100~unknown",
        ["unknown_channel", "unknown_procedure", "unknown_unit"],
    )


def test_no_person_is_kept_or_repeated(client: TestClient, key: str, session: str) -> None:
    broken = a_new_dossier(MaHoSo="H44-9", NgayTiepNhan="0912345678", GhiChu="CCCD 001203004567")

    answer = client.post(DOOR, content=orjson.dumps(envelope(session, a_new_dossier(), broken)))
    kept = client.get("/v1/dossiers/H44.100-260803-0012/timeline", headers=as_key(key)).text
    waiting = client.get("/v1/quarantine", headers=as_key(key)).text

    for text in (answer.text, kept, waiting):
        assert [person for person in PERSONS if person in text] == []
        assert "Nguyễn" not in text


def told_of(client: TestClient, key: str, code: str = "H44.100-260803-0012") -> Answer:
    """Return a dossier as it is known."""
    answer = client.get(f"/v1/dossiers/{code}", headers=as_key(key))
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def test_nine_without_a_finish_stays_open_and_a_status_may_go_back(
    client: TestClient, key: str, session: str
) -> None:
    seen = []
    for status in ("4", "9", "5"):
        one = an_old_dossier(TrangThaiHoSo=status, NgayKetThucXuLy="", NgayTra="")
        assert call(client, envelope(session, one))["error_code"] == "0"
        found = told_of(client, key)
        seen.append((found["finished_at"], found["state"].startswith(("open", "paused"))))

    assert seen == [(None, True)] * 3
    assert "status_backwards" in told_of(client, key)["flags"]


def test_a_supplement_told_afterwards_moves_the_promise_once(
    client: TestClient, key: str, session: str
) -> None:
    row = {
        "NgayBoSung": "20260804080000",
        "NgayTiepNhanBoSung": "20260805080000",
        "NgayHenTraTruoc": "20260805170000",
        "NgayHenTraMoi": "20260807170000",
    }
    one = an_old_dossier(
        MaTTHC="9.999999", NgayHenTra="20260807170000", DanhSachHoSoBoSung=[row, row]
    )
    call(client, envelope(session, one))

    found = told_of(client, key)

    readings = {name: each["due_on"] for name, each in found["readings"].items()}
    assert readings["as_sent"] == "2026-08-07"
    assert readings["promised"] <= "2026-08-07"
    revisions = client.get("/v1/dossiers/H44.100-260803-0012/timeline", headers=as_key(key)).json()[
        "revisions"
    ]
    assert revisions[0]["new"] == "2026-08-05"


@pytest.mark.parametrize(
    "unit",
    ["UBND P. Việt Trì", "Uỷ ban nhân dân phường Việt Trì, tỉnh Phú Thọ", "000.00.100.H44"],
)
def test_a_unit_is_known_by_its_old_code_and_by_its_name(
    client: TestClient, key: str, session: str, unit: str
) -> None:
    one = an_old_dossier(DonViXuLy=unit, MaTTHC="1.001193.000.00.00.H44")
    call(client, envelope(session, one))

    found = told_of(client, key)

    assert (found["unit"], found["procedure_told"]) == ("H44.100", "1.001193")


def test_a_new_number_with_the_old_one_beside_it_is_the_same_dossier(
    client: TestClient, key: str, session: str
) -> None:
    call(client, envelope(session, an_old_dossier()))
    renamed = a_new_dossier(MaHoSo="H44.100-260803-10001", MaHoSoKhac="H44.100-260803-0012")
    call(client, envelope(session, renamed))

    found = told_of(client, key)

    assert found["code"] == "H44.100-260803-10001"
    assert [one["relation"] for one in found["same_as"]] == ["former_number"]
