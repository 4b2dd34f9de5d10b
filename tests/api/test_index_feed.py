"""The index feed through its door."""

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from app.store import units
from app.store.editions import Series
from app.store.session import Database
from app.usecases import editions, index
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.factories import add_dossier, make_source, make_unit


@pytest.fixture
def seeded(database: Database) -> None:
    with database.begin() as session:
        province = make_unit(session, "H44")
        commune = make_unit(session, "H44.100", parent=province)
        make_unit(session, "H44.101", parent=province)
        add_dossier(session, commune, make_source(session), "H44.100-260803-0001")


def test_the_feed_of_a_subtree_is_read_with_the_right_scope(
    client: TestClient, make_key: MakeKey, seeded: None
) -> None:
    key = make_key(["statistics:read"])

    answer = client.get("/v1/index-feed/2026?unit=H44", headers=as_key(key))

    assert answer.status_code == 200, answer.text
    feed = answer.json()
    assert [unit["unit"] for unit in feed["units"]] == ["H44", "H44.100", "H44.101"]
    assert feed["rule_set"] == "progress.feed-1"
    assert feed["hash"].startswith("sha256:")
    assert [c["id"] for c in feed["units"][1]["criteria"]] == ["on_time", "on_time_sum"]


def test_another_scope_does_not_open_it(client: TestClient, make_key: MakeKey) -> None:
    key = make_key(["dossiers:read"])

    assert client.get("/v1/index-feed/2026", headers=as_key(key)).status_code == 403


def test_a_feed_that_did_not_change_is_not_sent_again(
    client: TestClient, make_key: MakeKey, seeded: None
) -> None:
    key = as_key(make_key())

    first = client.get("/v1/index-feed/2026", headers=key)
    again = client.get(
        "/v1/index-feed/2026", headers=key | {"If-None-Match": first.headers["etag"]}
    )

    assert (first.status_code, again.status_code) == (200, 304)


def test_a_unit_outside_the_key_does_not_exist(
    client: TestClient, make_key: MakeKey, seeded: None
) -> None:
    key = make_key(["statistics:read"], unit="H44.100")

    answer = client.get("/v1/index-feed/2026?unit=H44.101", headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (404, "unit.unknown")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("2026?rule_set=nothing", 404, "rule_set.unknown"),
        ("2026?rule_set=tt01-2018.unit", 404, "rule_set.not_in_force"),
        ("2027", 422, "index.year_to_come"),
        ("2026?as_of=2026-08-11T00:00:00Z", 422, "index.moment_outside_year"),
        ("2026?known_at=2027-01-01T00:00:00Z", 422, "index.knowledge_to_come"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_in_both_languages(
    client: TestClient, make_key: MakeKey, query: str, status: int, code: str
) -> None:
    key = as_key(make_key())
    path = f"/v1/index-feed/{query}"

    vietnamese = client.get(path, headers=key)
    english = client.get(path, headers=key | {"Accept-Language": "en"})

    assert (vietnamese.status_code, vietnamese.json()["code"]) == (status, code)
    assert vietnamese.json()["detail"] != english.json()["detail"]


@pytest.mark.parametrize("rule_set", ["qd766.profile-2026", "par-tthc.template"])
def test_a_set_that_asks_for_more_than_dossiers_waits_for_it(
    client: TestClient, make_key: MakeKey, seeded: None, rule_set: str
) -> None:
    answer = client.get(f"/v1/index-feed/2026?rule_set={rule_set}", headers=as_key(make_key()))

    assert answer.status_code == 200, answer.text
    commune = answer.json()["units"][1]
    assert commune["status"] == "pending"
    assert commune["missing"]
    assert commune["rank"] is None


def test_an_edition_is_listed_and_read_byte_for_byte_and_only_within_its_units(
    client: TestClient, installation: Installation, make_key: MakeKey, clock: HandClock
) -> None:
    whole = as_key(make_key())
    for code, parent in (("H44", None), ("H44.1", "H44")):
        told = {"name": code, "level": "commune" if parent else "province", "parent": parent}
        assert client.put(f"/v1/units/{code}", json=told, headers=whole).is_success
    with installation.database.begin() as session:
        root = units.get(session, "H44")
        series = Series(root.id, index.DEFAULT_RULE_SET, clock().year)
        editions.issue(session, root, series, now=clock())
        kept = editions.document_of(session, series, 1)
    path, asked = f"/v1/index-feed/{clock().year}/editions", {"unit": "H44"}

    (listed,) = client.get(path, params=asked, headers=whole).json()["editions"]
    read = client.get(listed["links"]["edition"], headers=whole)

    assert (listed["number"], listed["is_final"]) == (1, False)
    assert read.content == kept
    assert client.get(f"{path}/2", params=asked, headers=whole).status_code == 404
    below = as_key(make_key(unit="H44.1"))
    assert client.get(f"{path}/1", params=asked, headers=below).status_code == 404
