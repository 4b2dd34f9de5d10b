"""The cause of one dossier's lateness through its doors."""

from fastapi.testclient import TestClient

from tests.api.test_late_causes import key  # noqa: F401 -- a fixture


def test_a_cause_is_named_renamed_and_taken_back(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
) -> None:
    path = "/v1/dossiers/A/late-cause"
    before = client.get(path, headers=key).json()

    answers = [
        client.put(path, json={"cause": cause}, headers=key).json()
        for cause in ("applicant", "other_agency", "unclassified")
    ]

    assert before == {"code": "A", "late_cause": None, "history": []}
    assert [one["late_cause"] for one in answers] == ["applicant", "other_agency", None]
    said = client.get(path, headers=key).json()["history"]
    assert [one["cause"] for one in said] == ["applicant", "other_agency", "unclassified"]
    assert all(one["by"].startswith("key:dh_test_") for one in said)


def test_a_cause_that_nobody_knows_is_refused_in_words(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
) -> None:
    answer = client.put("/v1/dossiers/A/late-cause", json={"cause": "weather"}, headers=key)

    assert answer.status_code == 422
    assert answer.json()["code"] == "late_cause.unknown"
    assert "/v1/late-causes" in answer.json()["detail"]
