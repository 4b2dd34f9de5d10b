"""Every door says who may pass, what it does and how it refuses; the open ones are listed."""

import pytest
from fastapi import APIRouter, FastAPI

from app import api
from app.api.doors import Door, Unguarded, doors
from app.api.openapi import description, doors_of
from app.main import create_app, guarded
from app.store.session import Database

OPEN = {
    "getHealth",
    "getReadiness",
    "getMetrics",
    "getDescription",
    "getSwagger",
    "getReference",
    "getAsset",
    "listProblems",
    "getProblem",
    "signInNational",
    "postNationalEnvelope",
    "postNationalService",
    "askConfirmation",
    "confirmSubscription",
    "askRemoval",
    "leaveSubscription",
}
"""Doors that ask for no key in the header. A new one needs a reason here.

The national adapter's senders cannot set headers: their envelopes carry the key's session in the
body, and the routes check it themselves (tests/api/test_national.py). Who follows the link of a
mail has no key: the token of the link is checked instead (tests/api/test_subscriptions.py).
"""


@pytest.fixture(scope="module")
def bare_app() -> FastAPI:
    return create_app(Database("postgresql+psycopg://"), secret=b"", environment="test")


def test_a_route_that_does_not_say_who_may_pass_stops_the_start() -> None:
    router = doors("/v1/x", tag="x")

    with pytest.raises(Unguarded):

        @router.get("")
        def forgotten() -> None: ...


def test_a_router_of_another_kind_stops_the_start() -> None:
    router = APIRouter()

    @router.get("/v1/x")
    def forgotten() -> None: ...

    with pytest.raises(Unguarded):
        list(guarded(router))


def test_the_open_doors_are_these_and_no_others(bare_app: FastAPI) -> None:
    found = {door.operation_id for door in doors_of(bare_app) if door.guard.is_open}

    assert found == OPEN


def test_every_router_of_the_folder_is_served(bare_app: FastAPI) -> None:
    expected = sum(len(router.routes) for router in api.routers())

    assert len(list(doors_of(bare_app))) == expected
    assert expected > 20


def test_every_door_has_a_name_a_summary_a_text_in_both_languages_and_a_tag(
    bare_app: FastAPI,
) -> None:
    names = [door.operation_id for door in doors_of(bare_app)]
    wanting = [
        door.operation_id or door.path
        for door in doors_of(bare_app)
        if not (door.operation_id and door.summary and door.tags and _both(door))
    ]

    assert wanting == []
    assert len(names) == len(set(names))


def _both(door: Door) -> bool:
    """Tell whether the description has a Vietnamese and an English part."""
    return len(door.description.replace(" / ", "\n\n").split("\n\n")) > 1 and any(
        ord(letter) > 0x7F for letter in door.description
    )


def test_every_operation_documents_its_key_and_its_refusals(bare_app: FastAPI) -> None:
    document = description(bare_app)
    wanting = []

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = {"500"} | ({"401", "422", "429", "503"} if operation["security"] else set())
            if method in {"post", "put"}:
                needed |= {"413", "415", "422"}
            missing = needed - operation["responses"].keys()
            bare = [
                status
                for status, answer in operation["responses"].items()
                if status[0] in "45"
                and status != "503"
                and "application/problem+json" not in answer.get("content", {})
            ]
            if missing or bare:
                wanting.append((method, path, sorted(missing), bare))

    assert wanting == []


def test_the_frameworks_own_error_is_nowhere_in_the_description(bare_app: FastAPI) -> None:
    assert "HTTPValidationError" not in str(description(bare_app))
