"""The guard stands before the body: key, scope, bad keys by the dozen."""

from typing import Annotated

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.body import Raw
from app.api.doors import doors, guard_of
from app.deps import needs
from app.usecases.access import Keyring, Principal, Scope
from tests.api.conftest import SECRET, MakeKey, as_key


def test_a_guard_is_found_among_the_dependencies() -> None:
    router = doors("/v1/x", tag="x")

    @router.post("/y")
    def route(who: Annotated[Principal, needs("admin")]) -> str:
        return who.name

    found = guard_of(router.routes[0].dependant)  # type: ignore[attr-defined]  # a door has one
    assert found is not None
    assert found.scope is Scope.ADMIN


def test_a_route_that_reads_records_itself_gets_the_bytes(
    app: FastAPI, client: TestClient, make_key: MakeKey
) -> None:
    router = doors("/v1/test", tag="test")

    @router.post("/raw")
    def raw(body: Raw, who: Annotated[Principal, needs("admin")]) -> int:
        return len(body)

    app.include_router(router)
    answer = client.post("/v1/test/raw", content=b"{\n}\n", headers=as_key(make_key()))

    assert answer.json() == 4


def test_a_key_without_the_scope_is_refused_before_its_body_is_read(
    client: TestClient, make_key: MakeKey
) -> None:
    key = make_key(["dossiers:read"])

    answer = client.put("/v1/units/H44", content=b"not json", headers=as_key(key))

    assert answer.status_code == 403
    assert answer.json()["params"] == {"scope": "catalogue:write"}


def test_a_thousand_bad_keys_are_sent_away_and_a_good_sender_is_not_touched(
    app: FastAPI, client: TestClient, make_key: MakeKey
) -> None:
    app.state.installation.refusals.limit = 20
    ring = Keyring(secret=SECRET, environment="test")
    good = make_key()

    statuses = [
        client.get("/v1/units", headers=as_key(ring.mint())).status_code for _ in range(100)
    ]

    assert statuses == [401] * 20 + [429] * 80
    assert client.get("/v1/units", headers=as_key(good)).status_code == 200


def test_a_query_parameter_is_never_ignored(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())

    slip = client.get("/v1/units?levle=commune", headers=key)
    twice = client.get("/v1/units?level=commune&level=province", headers=key)
    good = client.get("/v1/units?level=commune&limit=3", headers=key)

    assert [slip.status_code, twice.status_code, good.status_code] == [422, 422, 200]
    fault = slip.json()["errors"][0]
    assert (fault["in"], fault["pointer"], fault["code"]) == ("query", "/levle", "field.unknown")
    assert twice.json()["code"] == "field.repeated"


def test_a_query_with_a_nul_is_refused_and_not_asked_of_the_database(
    client: TestClient, make_key: MakeKey
) -> None:
    query = "unit=H44%00&from=2026-08-01&to=2026-08-31"

    answer = client.get(f"/v1/statistics?{query}", headers=as_key(make_key()))

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["in"], error["pointer"], error["code"]) == ("query", "/unit", "field.bad_text")
