"""Alert settings through their door."""

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import MakeKey, as_key
from tests.factories import make_unit

OWN = {
    "stages": [{"offset": 3, "level": "parent"}, {"offset": -1, "level": "unit"}],
    "digest_at": ["14:00", "07:30"],
}


@pytest.fixture(autouse=True)
def units(installation: Installation) -> None:
    with installation.database.begin() as session:
        province = make_unit(session)
        make_unit(session, "H44.100", parent=province)
        make_unit(session, "H44.200", parent=province)


@pytest.fixture
def key(make_key: MakeKey) -> dict[str, str]:
    return as_key(make_key(unit="H44"))


def test_a_unit_that_set_up_nothing_has_the_ladder_as_shipped(
    client: TestClient, key: dict[str, str]
) -> None:
    answer = client.get("/v1/alert-settings/H44.100", headers=key).json()

    assert (answer["set_by"], answer["revision"], answer["digest_at"]) == (None, None, [])
    assert [(each["stage"], each["level"]) for each in answer["stages"]] == [
        ("due-2", "unit"),
        ("due", "unit"),
        ("overdue+1", "head"),
        ("overdue+5", "parent"),
        ("overdue+10", "province"),
    ]


def test_a_setting_holds_below_until_a_unit_has_its_own_and_can_be_taken_back(
    client: TestClient, key: dict[str, str]
) -> None:
    put = client.put("/v1/alert-settings/H44", json=OWN, headers=key)
    below = client.get("/v1/alert-settings/H44.100", headers=key).json()
    own = client.put("/v1/alert-settings/H44.100", json={"stages": []}, headers=key).json()
    beside = client.get("/v1/alert-settings/H44.200", headers=key).json()
    back = client.delete("/v1/alert-settings/H44.100", headers=key).json()

    assert put.status_code == 200, put.text
    assert [each["stage"] for each in below["stages"]] == ["due-1", "overdue+3"]
    assert (below["set_by"], below["digest_at"]) == ("H44", ["07:30", "14:00"])
    assert (own["set_by"], own["stages"]) == ("H44.100", [])
    assert beside["set_by"] == back["set_by"] == "H44"


def test_a_day_named_twice_is_refused_in_words(client: TestClient, key: dict[str, str]) -> None:
    twice = {"stages": [{"offset": 3, "level": "unit"}, {"offset": 3, "level": "head"}]}

    answer = client.put("/v1/alert-settings/H44", json=twice, headers=key)

    assert answer.status_code == 422
    assert answer.json()["code"] == "alert_settings.stage_twice"
    assert "overdue+3" in answer.json()["detail"]
