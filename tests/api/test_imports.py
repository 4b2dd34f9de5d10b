"""Files of records over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.imports import XLSX
from app.deps import Installation
from app.feeds.workbook import open_book
from app.usecases import catalogue, intake
from app.usecases.catalogue import UnitLevel, UnitSpec
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.files import as_csv, row, xlsx

Send = Callable[..., Any]


@pytest.fixture
def send(
    client: TestClient, installation: Installation, make_key: MakeKey, clock: HandClock
) -> Send:
    """Give a sender of files; the province and its communes are there."""
    specs = [
        UnitSpec(
            code=code,
            name=code,
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in (("H44", None), ("H44.100", "H44"), ("H44.101", "H44"), ("H56", None))
    ]
    with installation.database.begin() as session:
        catalogue.put_units(session, specs, actor="test", now=clock())
    key = make_key(unit="H44")

    def post(raw: bytes, kind: str = XLSX, **query: str | bool) -> Any:
        headers = as_key(key, **{"Content-Type": kind, "Accept-Language": "en"})
        return client.post("/v1/imports", content=raw, headers=headers, params=query)

    return post


def test_a_file_is_imported_and_can_be_followed(send: Send, client: TestClient) -> None:
    made = send(xlsx(row(n) for n in range(30)))

    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["state"], told["counts"]["accepted"], told["next_row"]) == ("done", 30, 32)
    headers = {"Authorization": made.request.headers["authorization"]}
    seen = client.get(f"/v1/imports/{told['id']}", headers=headers)
    assert seen.json() == told
    dossier = client.get("/v1/dossiers/H44.100-0000000", headers=headers)
    assert dossier.json()["status"] == "finished"


def test_a_preview_shows_mapping_verdicts_and_faults_and_stores_nothing(
    send: Send, client: TestClient
) -> None:
    rows: list[list[object]] = [row(n) for n in range(3)]
    rows[1][6] = "mai"

    told = send(as_csv(rows), "text/csv", dry_run=True).json()

    assert {one["field"] for one in told["columns"]} >= {"code", "unit", None}
    assert told["first_verdicts"] == {"accepted": 2, "unchanged": 0, "stale": 0, "quarantined": 1}
    assert (told["readable"], told["unreadable"], told["missing"]) == (2, 1, [])
    (refused,) = told["refused"]
    assert refused["row"] == 3
    assert refused["reasons"][0].startswith("Ngày tiếp nhận: The date cannot be read")
    assert send(as_csv(rows), "text/csv").json()["counts"]["unchanged"] == 0


def test_refused_rows_come_back_as_a_workbook_without_persons(
    send: Send, client: TestClient
) -> None:
    rows: list[list[object]] = [row(n) for n in range(3)]
    rows[1][9] = "=HYPERLINK(0912345678)"
    made = send(xlsx(rows))
    headers = {"Authorization": made.request.headers["authorization"], "Accept-Language": "vi"}

    answer = client.get(made.json()["links"]["errors"], headers=headers)

    assert answer.headers["content-type"] == XLSX
    with open_book(answer.content).rows() as found:
        (_, cells) = [list(one.cells) for one in found]
    assert cells[0] == "3"
    assert str(cells[2]).startswith("Trạng thái: Từ này chưa được biết")
    assert "0912345678" not in str(cells)
    assert "Nguyễn" not in str(cells)


def test_columns_can_be_named(send: Send) -> None:
    header = ["Số HS", "Đơn vị", "Mã TTHC"]
    raw = as_csv([["HS-1", "H44.100", "1.001193"]], header)

    refused = send(raw, "text/csv")
    named = send(raw, "text/csv", map="Số HS=code")

    assert (refused.status_code, refused.json()["code"]) == (422, "import.columns_missing")
    assert refused.json()["params"] == {"fields": "code"}
    assert named.json()["counts"]["accepted"] == 1


@pytest.mark.parametrize("told", ["Số HS", "=code", "=", "Số HS=nothing"])
def test_a_mapping_that_cannot_be_meant_is_refused(send: Send, told: str) -> None:
    answer = send(xlsx([row(0)]), map=told)

    assert answer.status_code == 422
    assert answer.json()["code"] in {"import.map_malformed", "import.field_unknown"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "import.file_empty"),
        ("Mã hồ sơ;Đơn vị".encode("utf-16-le"), "import.file_encoding"),
        (b"M\xe3 h\xf4 s\xbd,\xd0\xbdn v\xb8\n1,2\n", "import.file_encoding"),
        (b"<html><table></table></html>", "import.file_is_page"),
        (b"PK\x03\x04....", "import.file_unreadable"),
        (b"a,b\n1,2\n", "import.header_not_found"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_kindly(send: Send, raw: bytes, code: str) -> None:
    answer = send(raw, "text/csv")

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert len(answer.json()["detail"]) > 20


def test_a_file_of_another_type_is_refused(send: Send) -> None:
    assert send(b"{}", "application/json").status_code == 415


@pytest.mark.parametrize("unit", ["H56", "H99"])
def test_a_unit_outside_the_key_is_not_found(send: Send, unit: str) -> None:
    assert send(xlsx([row(0)]), unit=unit).status_code == 404


def test_an_import_of_another_province_is_not_found(
    send: Send, client: TestClient, make_key: MakeKey
) -> None:
    made = send(xlsx([row(0)])).json()
    elsewhere = as_key(make_key(unit="H56", source="other"))

    for path in (f"/v1/imports/{made['id']}", made["links"]["errors"]):
        answer = client.get(path, headers=elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (404, "import.unknown")


def test_a_refused_row_can_be_mended_in_quarantine(send: Send, client: TestClient) -> None:
    bad = row(0)
    bad[6] = "31/02/2026"
    made = send(xlsx([bad]))
    headers = {"Authorization": made.request.headers["authorization"]}
    (waiting,) = client.get("/v1/quarantine", headers=headers).json()["quarantine"]
    mended = {**waiting["record"], "received_at": "2026-06-01T09:00:00+07:00"}

    done = client.post(
        f"/v1/quarantine/{waiting['id']}/retry", json={"record": mended}, headers=headers
    )

    assert done.json()["verdict"] == "accepted", done.text


def test_operators_and_senders_hash_an_applicant_alike(installation: Installation) -> None:
    through_api = intake.hasher(installation.derived_key("applicant"))

    assert through_api("1") == intake.hasher_of(installation.secret)("1")
