"""The overdue list through its door."""

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import MakeKey, as_key
from tests.factories import add_dossier, local, make_source, make_unit


@pytest.fixture(autouse=True)
def dossiers(installation: Installation) -> None:
    with installation.database.begin() as session:
        province = make_unit(session)
        commune, other = (make_unit(session, f"H44.{n}00", parent=province) for n in (1, 2))
        source_id = make_source(session)
        add_dossier(session, commune, source_id, "A/1", due_on="2026-08-06")
        add_dossier(session, commune, source_id, "B", due_on="2026-08-04")
        add_dossier(session, other, source_id, "C", due_on="2026-08-05")
        add_dossier(session, commune, source_id, "D", due_on="2026-08-12")


@pytest.fixture
def key(make_key: MakeKey) -> dict[str, str]:
    return as_key(make_key(scopes=["dossiers:read"], unit="H44"))


def test_the_list_has_the_form_of_the_contract(client: TestClient, key: dict[str, str]) -> None:
    told = {"unit": "H44.100", "as_of": "2026-08-10T01:00:00+07:00"}

    answer = client.get("/v1/overdue", params=told, headers=key).json()

    assert (answer["reading"], answer["total"], answer["next_cursor"]) == ("promised", 2, None)
    assert answer["dossiers"][1] == {
        "code": "A/1",
        "source": "mot-cua",
        "unit": "H44.100",
        "procedure": "1.001193",
        "due_on": "2026-08-06",
        "due_at": "2026-08-06T10:00:00Z",
        "late_working_days": 2,
        "state": "open_overdue",
        "holder": {"unit": "H44.100", "leg": None},
        "apology": "none",
        "late_cause": None,
        "links": {
            "dossier": "/v1/dossiers/A%2F1?source=mot-cua",
            "timeline": "/v1/dossiers/A%2F1/timeline?source=mot-cua",
            "due_date": "/v1/dossiers/A%2F1/due-date?source=mot-cua",
        },
    }


def test_pages_go_from_the_worst_on(client: TestClient, key: dict[str, str]) -> None:
    first = client.get("/v1/overdue?limit=2", headers=key).json()
    second = client.get(
        "/v1/overdue", params={"limit": 2, "cursor": first["next_cursor"]}, headers=key
    ).json()

    seen = [each["code"] for page in (first, second) for each in page["dossiers"]]
    assert seen == ["B", "C", "A/1"]
    assert second["next_cursor"] is None
    assert first["total"] == second["total"] == 3


def test_a_cursor_does_not_fit_another_question(client: TestClient, key: dict[str, str]) -> None:
    cursor = client.get("/v1/overdue?limit=1", headers=key).json()["next_cursor"]

    answer = client.get("/v1/overdue", params={"cursor": cursor, "unit": "H44.100"}, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "page.cursor_invalid")


def test_outside_the_subtree_there_is_nothing(client: TestClient, make_key: MakeKey) -> None:
    sibling = as_key(make_key(scopes=["dossiers:read"], unit="H44.200"))

    own = client.get("/v1/overdue", headers=sibling).json()
    other = client.get("/v1/overdue?unit=H44.100", headers=sibling)

    assert [each["code"] for each in own["dossiers"]] == ["C"]
    assert (other.status_code, other.json()["code"]) == (404, "unit.unknown")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"as_of": local("2030-01-01").isoformat()}, "overdue.moment_to_come"),
        ({"as_of": "2026-08-10T01:00:00"}, "field.no_offset"),
        ({"reading": "guessed"}, "field.not_allowed"),
        ({"unit": "H99"}, "unit.unknown"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: TestClient, key: dict[str, str], query: dict[str, str], code: str
) -> None:
    answer = client.get("/v1/overdue", params=query, headers=key)

    assert answer.status_code in {404, 422}
    assert answer.json()["code"] == code


def test_another_scope_does_not_open_the_list(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key(scopes=["statistics:read"]))

    assert client.get("/v1/overdue", headers=key).status_code == 403
