"""Evidence through its doors."""

import hashlib

import pytest
from fastapi.testclient import TestClient

from app.store.session import Database
from tests.api.conftest import MakeKey, as_key
from tests.factories import make_unit

PDF = b"%PDF-1.7 minutes"
HASH = "sha256:" + hashlib.sha256(PDF).hexdigest()


@pytest.fixture
def key(database: Database, make_key: MakeKey) -> dict[str, str]:
    with database.begin() as session:
        province = make_unit(session, "H44")
        make_unit(session, "H44.1", parent=province)
        make_unit(session, "H44.2", parent=province)
    return as_key(make_key(unit="H44"))


def test_a_file_is_stored_listed_and_downloaded_as_an_attachment(
    client: TestClient, key: dict[str, str]
) -> None:
    path = "/v1/evidence?unit=H44.1&name=biên bản.pdf"
    made = client.post(path, content=PDF, headers=key)
    again = client.post(path, content=PDF, headers=key)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["hash"] == HASH
    assert made.json()["media_type"] == "application/pdf"
    file = client.get(made.json()["links"]["file"], headers=key)
    assert file.content == PDF
    assert file.headers["content-disposition"].startswith('attachment; filename="bi_n b_n.pdf"')
    assert "filename*=UTF-8''bi%C3%AAn%20b%E1%BA%A3n.pdf" in file.headers["content-disposition"]
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    listed = client.get("/v1/evidence?unit=H44", headers=key).json()["evidence"]
    assert [one["name"] for one in listed] == ["biên bản.pdf"]
    assert client.get(f"/v1/evidence/{HASH}", headers=key).json() == listed[0]


def test_pages_of_files_follow_one_another(client: TestClient, key: dict[str, str]) -> None:
    for number in range(3):
        client.post("/v1/evidence?unit=H44.1", content=PDF + bytes([48 + number]), headers=key)

    first = client.get("/v1/evidence?limit=2", headers=key).json()
    rest = client.get(f"/v1/evidence?limit=2&cursor={first['next_cursor']}", headers=key).json()

    assert (len(first["evidence"]), len(rest["evidence"]), rest["next_cursor"]) == (2, 1, None)


def test_another_unit_neither_stores_there_nor_reads_it(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    client.post("/v1/evidence?unit=H44.1", content=PDF, headers=key)
    sister = as_key(make_key(unit="H44.2"))

    assert client.get(f"/v1/evidence/{HASH}", headers=sister).status_code == 404
    assert client.get(f"/v1/evidence/{HASH}/file", headers=sister).status_code == 404
    assert client.get("/v1/evidence", headers=sister).json()["evidence"] == []
    refused = client.post("/v1/evidence?unit=H44.1", content=PDF, headers=sister)
    assert refused.json()["code"] == "unit.unknown"


def test_what_cannot_be_evidence_is_a_problem_in_both_languages(
    client: TestClient, key: dict[str, str]
) -> None:
    for data, code in ((b"", "evidence.empty"), (b"<svg>", "evidence.kind_refused")):
        vi = client.post("/v1/evidence?unit=H44.1&name=a.pdf", content=data, headers=key)
        en = client.post(
            "/v1/evidence?unit=H44.1", content=data, headers=key | {"Accept-Language": "en"}
        )

        assert (vi.status_code, vi.json()["code"]) == (422, code)
        assert vi.json()["detail"] != en.json()["detail"]


def test_storing_needs_its_scope(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    reader = as_key(make_key(["statistics:read"], unit="H44"))

    assert client.post("/v1/evidence?unit=H44.1", content=PDF, headers=reader).status_code == 403
    client.post("/v1/evidence?unit=H44.1", content=PDF, headers=key)
    assert client.get(f"/v1/evidence/{HASH}/file", headers=reader).status_code == 200
