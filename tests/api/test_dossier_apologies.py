"""The letters of one dossier through their door."""

import pytest
from fastapi.testclient import TestClient

from tests.api.test_letters import LETTER, key  # noqa: F401 -- a fixture

PATH = "/v1/dossiers/A/apology"


def test_a_letter_is_told_through_the_record_and_moves_no_promise(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
) -> None:
    before = client.get("/v1/dossiers/A", headers=key).json()
    first, second = (client.put(PATH, json=LETTER, headers=key) for _ in range(2))
    after = client.get("/v1/dossiers/A", headers=key).json()

    assert first.json() == second.json() == client.get(PATH, headers=key).json()
    assert first.json()["state"] == "issued"
    assert (before["apology"], after["apology"]) == ("none", "issued")
    promised = [one["readings"]["promised"]["due_at"] for one in (before, after)]
    assert promised[0] == promised[1]
    timeline = client.get("/v1/dossiers/A/timeline", headers=key).text
    assert timeline.count("15/TXL") >= 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "letter.unclear"),
        ({"exempt_reason": "because"}, "letter.exemption_unknown"),
        ({**LETTER, "new_due_at": LETTER["issued_at"]}, "letter.new_date_not_later"),
        ({"issued_at": "2026-09-30T10:00:00+07:00"}, "record.too_far_ahead"),
    ],
)
def test_what_is_no_letter_is_refused_in_words(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
    body: dict[str, str],
    code: str,
) -> None:
    answer = client.put(PATH, json=body, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert client.get(PATH, headers=key).json()["letters"] == []
