"""The account of a due date as a page to print."""

import pytest
from fastapi.testclient import TestClient

from tests.api.procedures import LIMITS, put


@pytest.mark.parametrize("procedure", [code for code in LIMITS if code != "NONE"])
def test_the_page_to_print_says_the_same(
    client: TestClient, sender: dict[str, str], procedure: str
) -> None:
    pause = {
        "kind": "payment",
        "started_at": "2026-08-03T10:00:00+07:00",
        "ended_at": "2026-08-04T08:00:00+07:00",
    }
    put(client, sender, procedure=procedure, pauses=[pause])

    rows = client.get("/v1/dossiers/HS-1/due-date", headers=sender).json()["ledger"]
    answer = client.get("/v1/dossiers/HS-1/due-date", params={"format": "html"}, headers=sender)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "Giải trình hạn trả của hồ sơ HS-1" in answer.text
    assert answer.text.count("<tr") == len(rows) + 4
    assert "<script" not in answer.text
    assert ("chưa đối chiếu văn bản" in answer.text) is (procedure != "SAME_DAY")


@pytest.mark.parametrize("procedure", ["DAYS", "HOURS", "SAME_DAY"])
def test_the_page_of_a_paused_dossier_says_what_is_left(
    client: TestClient, sender: dict[str, str], procedure: str
) -> None:
    pause = {"kind": "other_agency", "started_at": "2026-08-03T10:00:00+07:00"}
    put(client, sender, procedure=procedure, pauses=[pause], due_at="2026-08-03T17:00:00+07:00")

    page = client.get(
        "/v1/dossiers/HS-1/due-date",
        params={"format": "html"},
        headers={**sender, "Accept-Language": "en"},
    )

    assert page.status_code == 200, page.text
    assert "The dossier is paused" in page.text
