"""The guard stands before the body: key, scope, bad keys by the dozen."""

import gc
import re
import tracemalloc
from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.api.body import Raw
from app.api.doors import Directory, Door, doors, guard_of
from app.api.openapi import doors_of
from app.deps import needs, open_door
from app.usecases.access import Keyring, Principal
from app.usecases.access import Scope as KeyScope
from tests.api.conftest import SECRET, MakeKey, as_key


def test_a_guard_is_found_among_the_dependencies() -> None:
    router = doors("/v1/x", tag="x")

    @router.post("/y")
    def route(who: Annotated[Principal, needs("admin")]) -> str:
        return who.name

    found = guard_of(router.routes[0].dependant)  # type: ignore[attr-defined]  # a door has one
    assert found is not None
    assert found.scope is KeyScope.ADMIN


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


def test_a_body_that_was_refused_is_let_go_before_garbage_is_looked_for(
    client: TestClient, make_key: MakeKey
) -> None:
    crowded = b'{"dossiers":[' + b"[]," * 2_000_000 + b"[]]}"
    headers = as_key(make_key(["dossiers:write"])) | {"Content-Type": "application/json"}
    gc.disable()
    try:
        answers = {
            client.post("/v1/dossiers/batch", content=crowded, headers=headers).status_code
            for _ in range(2)
        }
        tracemalloc.start()
        for _ in range(8):
            answer = client.post("/v1/dossiers/batch", content=crowded, headers=headers)
            answers.add(answer.status_code)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert answers == {413}
    assert most > len(crowded), "nothing was read"
    assert held < 3 * len(crowded), "more than the last ones, which threads may still hold"


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


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/things/7", "one 7"),
        ("DELETE", "/v1/things/batch", "batch"),
        ("DELETE", "/v1/things/7", "more 7"),
        ("GET", "/v1/things/7/parts", "parts 7"),
        ("GET", "/v1/things", "all"),
        ("PATCH", "/v1/things/7", None),
        ("GET", "/v1/things/", None),
        ("GET", "/v1/thing", None),
        ("GET", "/", None),
    ],
)
def test_the_directory_finds_the_first_door_that_fits(
    method: str, path: str, expected: str | None
) -> None:
    router = doors("/v1/things", tag="x")
    for verb, template, word in (
        ("GET", "", "all"),
        ("DELETE", "/batch", "batch"),
        ("DELETE", "/{number}", "more"),
        ("GET", "/{number}", "one"),
        ("GET", "/{number}/parts", "parts"),
    ):
        router.add_api_route(
            template, said(word), methods=[verb], dependencies=[open_door], name=word
        )

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("elsewhere")(scope, receive, send)

    routes = [route for route in router.routes if isinstance(route, Door)]
    client = TestClient(Directory(elsewhere, routes))

    assert client.request(method, path).text == (expected or "elsewhere")


def said(word: str) -> Callable[[Request], Response]:
    def say(request: Request) -> Response:
        return Response(" ".join([word, *request.path_params.values()]))

    return say


def test_a_door_whose_place_in_the_directory_varies_stops_the_start() -> None:
    router = doors("/v1/{things}", tag="x")

    @router.get("", dependencies=[open_door])
    def door() -> str:
        return ""

    with pytest.raises(ValueError, match="first two words"):
        Directory(Response(), [route for route in router.routes if isinstance(route, Door)])


def test_the_directory_and_the_framework_agree_on_every_door(app: FastAPI) -> None:
    inner = app.router
    directory = Directory(inner, doors_of(app))

    for door in doors_of(app):
        method = next(iter(door.methods or {"GET"}))
        path = re.sub(r"\{(\w+)(:\w+)?\}", "7", door.path)
        scope: Scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        ours = dict(scope)
        theirs = next(
            context
            for context in iter_route_contexts(inner.routes)
            if context.matches(dict(scope))[0] is Match.FULL
        )

        assert directory.find(ours) is theirs.original_route
        assert ours["route"] is theirs.original_route


def test_what_no_door_serves_is_refused_by_the_framework_as_before(client: TestClient) -> None:
    unknown, method, slash = (
        client.get("/v1/nothing"),
        client.delete("/v1/units"),
        client.get("/v1/units/"),
    )

    assert [one.json()["code"] for one in (unknown, method, slash)] == [
        "request.route_unknown",
        "request.method_unsupported",
        "request.route_unknown",
    ]
    assert method.headers["allow"] == "GET"
