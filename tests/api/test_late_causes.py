"""Causes of lateness through their doors."""

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import MakeKey, as_key
from tests.factories import add_dossier, make_source, make_unit

OWN = {
    "unit": "H44.100",
    "causes": [{"code": "mat-dien", "group": "events", "vi": "Mất điện kéo dài"}],
}


@pytest.fixture
def key(make_key: MakeKey, installation: Installation, client: TestClient) -> dict[str, str]:
    with installation.database.begin() as session:
        province = make_unit(session)
        commune, other = (make_unit(session, f"H44.{n}00", parent=province) for n in (1, 2))
        source_id = make_source(session)
        for code in "AB":
            add_dossier(session, commune, source_id, code, due_on="2026-08-06")
        add_dossier(session, other, source_id, "C", due_on="2026-08-06")
    return as_key(make_key(unit="H44"))


def test_an_office_adds_a_cause_of_its_own(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    added = client.put("/v1/late-causes", json=OWN, headers=key)

    assert added.status_code == 200, added.text
    (cause,) = added.json()["late_causes"]
    assert (cause["id"], cause["en"]) == ("H44.100:mat-dien", "Mất điện kéo dài")
    shown = client.get("/v1/late-causes?unit=H44.100", headers=key).json()["late_causes"]
    assert shown[-1] == cause
    assert shown[0]["unit"] is None
    beside = as_key(make_key(unit="H44.200"))
    assert client.put("/v1/late-causes", json=OWN, headers=beside).status_code == 404
    seen = client.get("/v1/late-causes", headers=beside).json()["late_causes"]
    assert cause not in seen


def test_many_are_named_at_once_and_the_others_say_why_not(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    own = as_key(make_key(unit="H44.100"))
    body = {"cause": "applicant", "dossiers": [{"code": "A"}, {"code": "C"}, {"code": "B"}]}

    done = client.post("/v1/late-causes/assign", json=body, headers=own).json()

    assert (done["assigned"], done["unchanged"]) == (2, 0)
    (refused,) = done["refused"]
    assert (refused["index"], refused["problem"]) == (1, "dossier.unknown")
    assert "C" in refused["detail"]
    late = client.get("/v1/overdue?unit=H44", headers=key).json()["dossiers"]
    assert {one["code"]: one["late_cause"] for one in late} == {
        "A": "applicant",
        "B": "applicant",
        "C": None,
    }


def test_counts_by_cause_show_what_nobody_classified(
    client: TestClient, key: dict[str, str]
) -> None:
    client.put("/v1/dossiers/A/late-cause", json={"cause": "applicant"}, headers=key)
    asked = "/v1/late-causes/counts?unit=H44&from=2026-08-01&to=2026-08-31"

    found = client.get(asked, headers={**key, "Accept-Language": "en"}).json()

    lines = {line["cause"]: line for line in found["causes"]}
    assert lines["applicant"]["open_overdue"] == 1
    assert lines["unclassified"] == {
        "cause": "unclassified",
        "name": "Unclassified",
        "finished_late": 0,
        "open_overdue": 2,
        "total": 2,
    }
    statistics = "/v1/statistics?unit=H44&from=2026-08-01&to=2026-08-31"
    counts = client.get(statistics, headers=key).json()["total"]["counts"]
    assert found["total"]["open_overdue"] == counts["open_overdue"] == 3
    assert found["total"]["finished_late"] == counts["finished_late"]
