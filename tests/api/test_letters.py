"""Letters of apology through their doors."""

import io

import pytest
import python_calamine
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.factories import local

RECORD = {
    "unit": "H44.1",
    "procedure": "P",
    "received_at": "2026-08-03T09:00:00+07:00",
    "due_at": "2026-08-06T17:00:00+07:00",
    "status": "processing",
    "source_updated_at": "2026-08-03T09:00:05+07:00",
}
LETTER = {
    "issued_at": "2026-08-05T10:00:00+07:00",
    "new_due_at": "2026-08-12T17:00:00+07:00",
    "document": "15/TXL",
}


@pytest.fixture
def key(client: TestClient, sender: dict[str, str], clock: HandClock) -> dict[str, str]:
    clock.now = local("2026-08-10", 9)
    for code in "ABC":
        assert client.put(f"/v1/dossiers/{code}", json=RECORD, headers=sender).is_success
    return sender


def test_owed_issued_and_exempt_are_three_lists(client: TestClient, key: dict[str, str]) -> None:
    told = client.put("/v1/dossiers/A/apology", json=LETTER, headers=key)
    client.put("/v1/dossiers/B/apology", json={"exempt_reason": "other"}, headers=key)

    assert told.status_code == 200, told.text
    found = {
        state: client.get(f"/v1/letters?state={state}&unit=H44", headers=key).json()
        for state in ("owed", "issued", "exempt")
    }
    assert {state: [one["code"] for one in page["letters"]] for state, page in found.items()} == {
        "owed": ["C"],
        "issued": ["A"],
        "exempt": ["B"],
    }
    line = found["issued"]["letters"][0]
    assert line["letters"] == told.json()["letters"]
    assert line["letters"][0]["timing"] == "before_due_day"
    assert (line["state"], line["late_working_days"]) == ("open_overdue", 2)
    assert line["links"]["pdf"] == "/v1/letters/A.pdf?source=test"


def test_the_letter_prints_as_a_page_and_as_a_file(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    page = client.get("/v1/letters/C.html?new_due_on=2026-08-14", headers=key)
    file = client.get("/v1/letters/C.pdf", headers=key)

    assert page.headers["content-language"] == "vi"
    assert "Kính gửi: ……" in page.text
    assert "ngày 14 tháng 8 năm 2026" in page.text
    assert "<script" not in page.text
    assert file.headers["content-type"] == "application/pdf"
    assert file.content.startswith(b"%PDF-")
    beyond = client.get("/v1/letters/A.pdf?number=3", headers=key)
    assert (beyond.status_code, beyond.json()["code"]) == (422, "letter.number_unknown")
    client.put("/v1/units/H45", json={"name": "P", "level": "province"}, headers=as_key(make_key()))
    beside = as_key(make_key(unit="H45"))
    for kind in ("html", "pdf"):
        assert client.get(f"/v1/letters/C.{kind}", headers=beside).status_code == 404


def test_the_register_is_a_workbook(client: TestClient, key: dict[str, str]) -> None:
    client.put("/v1/dossiers/A/apology", json=LETTER, headers=key)

    made = client.get("/v1/letters/register.xlsx?unit=H44&from=2026-08-01", headers=key)

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(made.content))
    rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert rows[3][:4] == ["1", "15/TXL", "05/08/2026", "A"]
    reversed_days = client.get(
        "/v1/letters/register.xlsx?unit=H44&from=2026-08-02&to=2026-08-01", headers=key
    )
    assert reversed_days.json()["code"] == "period.reversed"


def test_pages_go_on_and_reasons_are_listed(client: TestClient, key: dict[str, str]) -> None:
    first = client.get("/v1/letters?limit=2", headers=key).json()
    rest = client.get(
        "/v1/letters", params={"limit": 2, "cursor": first["next_cursor"]}, headers=key
    )

    seen = [one["code"] for one in first["letters"] + rest.json()["letters"]]
    assert (seen, first["total"]) == (["A", "B", "C"], 3)
    reasons = client.get("/v1/letters/exemptions", headers=key).json()["exemptions"]
    assert "force_majeure" in {one["code"] for one in reasons}
