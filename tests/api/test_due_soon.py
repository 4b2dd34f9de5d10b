"""What falls due soon, through its door."""

from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import MakeKey, as_key
from tests.factories import add_dossier, make_source, make_unit


def test_the_list_shows_what_an_officer_needs_and_pages_go_on(
    client: TestClient, installation: Installation, make_key: MakeKey
) -> None:
    with installation.database.begin() as session:  # it is Monday 2026-08-10
        commune = make_unit(session, "H44.100", parent=make_unit(session))
        source_id = make_source(session)
        for code, due_on in (("A/1", "2026-08-10"), ("B", "2026-08-12"), ("C", "2026-08-13")):
            add_dossier(session, commune, source_id, code, due_on=due_on)
    key = as_key(make_key(scopes=["dossiers:read"], unit="H44"))

    first = client.get("/v1/due-soon?days=2&limit=1", headers=key).json()
    second = client.get(
        "/v1/due-soon",
        params={"days": 2, "limit": 1, "cursor": first["next_cursor"]},
        headers=key,
    ).json()

    assert (first["total"], first["days"], first["reading"]) == (2, 2, "promised")
    assert first["dossiers"] == [
        {
            "code": "A/1",
            "source": "mot-cua",
            "unit": "H44.100",
            "procedure": "1.001193",
            "due_on": "2026-08-10",
            "due_at": "2026-08-10T10:00:00Z",
            "working_days_left": 0,
            "state": "open_in_time",
            "holder": {"unit": "H44.100", "leg": None},
            "links": {
                "dossier": "/v1/dossiers/A%2F1?source=mot-cua",
                "due_date": "/v1/dossiers/A%2F1/due-date?source=mot-cua",
            },
        }
    ]
    assert ([each["code"] for each in second["dossiers"]], second["next_cursor"]) == (["B"], None)
