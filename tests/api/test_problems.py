"""Refusals: one form for all, in two languages, without what was sent."""

import string
from datetime import date, timedelta
from typing import Annotated, ClassVar

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.doors import doors
from app.api.problems import (
    STATUS,
    Refused,
    document,
    each_at,
    every_error,
    pointer_of,
    problems,
    status_of,
)
from app.deps import Writing, needs, open_door
from app.domain.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.domain.faults import Fault
from app.domain.period import Period, PeriodReversed
from app.i18n import Language, catalogue
from app.store.session import StorageUnavailable, Trouble
from app.usecases.access import Principal
from tests.api.conftest import HandClock, MakeKey, as_key

LAST = date(2026, 7, 31)


@pytest.mark.parametrize(
    ("kind", "status"), [(NotFound, 404), (Conflict, 409), (Invalid, 422), (Forbidden, 403)]
)
def test_the_kind_of_an_error_decides_the_status(kind: type[AppError], status: int) -> None:
    assert status_of(kind) == status


def test_an_error_without_a_kind_is_a_fault_of_ours() -> None:
    assert status_of(AppError) == 500
    assert status_of(StorageUnavailable) == 503


def test_every_error_has_a_sentence_in_both_languages_whose_placeholders_it_fills() -> None:
    wanting: list[tuple[str, ...]] = []

    for code, error in every_error().items():
        fields = {field for field in getattr(error, "__dataclass_fields__", {}) if field != "code"}
        if "faults" in fields:  # what is wrong is listed place by place; the sentence counts them
            fields = {"count"}
        for language in Language:
            sentence = catalogue(language).get(code)
            if sentence is None:
                wanting.append((language.value, code))
                continue
            names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
            if not names <= fields:
                wanting.append((language.value, code, *sorted(names - fields)))

    assert wanting == []


def test_every_status_has_a_title_and_an_advice() -> None:
    for status in {*STATUS.values(), 500}:
        for language in Language:
            assert f"problem.title.{status}" in catalogue(language)
            assert f"problem.action.{status}" in catalogue(language)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "request.route_unknown"),
        ("POST", "/v1/nowhere", 404, "request.route_unknown"),
        ("PATCH", "/v1/units/H44", 405, "request.method_unsupported"),
        ("GET", "/v1/units", 401, "access.unauthenticated"),
        ("BREW", "/v1/units", 405, "request.method_unsupported"),
    ],
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_the_framework_refuses_is_a_problem_too(
    client: TestClient, method: str, path: str, status: int, code: str, language: str
) -> None:
    answer = client.request(method, path, headers={"Accept-Language": language})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    problem = answer.json()
    assert problem["code"] == code
    assert problem["type"] == f"/docs/problems/{code}"
    assert problem["status"] == status
    assert problem["instance"] == answer.headers["x-request-id"]
    assert client.get(problem["type"]).status_code == 200


def test_a_fault_of_ours_tells_nothing_of_itself(app: FastAPI) -> None:
    router = doors("/v1/test", tag="test")

    @router.get("/boom", dependencies=[open_door])
    def boom() -> None:
        raise ZeroDivisionError("secret of Nguyễn Văn A")

    app.include_router(router)
    answer = TestClient(app).get("/v1/test/boom")

    assert answer.status_code == 500
    assert answer.json()["code"] == "request.unexpected"
    assert "secret" not in answer.text
    assert "Zero" not in answer.text


def test_a_database_that_cannot_serve_is_503_with_the_time_to_wait(app: FastAPI) -> None:
    router = doors("/v1/test", tag="test")

    @router.get("/away", dependencies=[open_door])
    def away() -> None:
        raise StorageUnavailable(trouble=Trouble.FULL)

    app.include_router(router)
    answer = TestClient(app).get("/v1/test/away")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["code"] == "storage.unavailable"


def test_days_and_instants_of_a_sentence_are_written_the_way_of_the_language() -> None:
    fault = Fault("/x", "catalogue.validity_reversed", {"valid_from": "2026-08-31", "valid_to": ""})

    vi = document(Refused(faults=(fault,)), language=Language.VI, instance="i")
    en = document(Refused(faults=(fault,)), language=Language.EN, instance="i")

    assert "31/08/2026" in str(vi["detail"])
    assert "2026-08-31" in str(en["detail"])
    assert vi["params"] == en["params"] == {"valid_from": "2026-08-31", "valid_to": ""}


@pytest.mark.parametrize(
    ("path", "root", "pointer"),
    [
        (["name"], {"name": 1}, "/name"),
        (["limits", 0, "value"], {"limits": [{"value": 1}]}, "/limits/0/value"),
        (["limit", "working_days", "value"], {"limit": {"value": 1}}, "/limit/value"),
        (["missing"], {}, "/missing"),
        (["a/b", "c~d"], {"a/b": {}}, "/a~1b/c~0d"),
        ([], None, ""),
    ],
)
def test_a_pointer_names_a_place_of_the_body(
    path: list[str | int], root: object, pointer: str
) -> None:
    assert pointer_of(path, root) == pointer


def test_an_entry_that_cannot_be_is_named_by_its_place_in_the_list() -> None:
    good = each_at("/days", [(2026, 7, 1), (2026, 7, 2)], lambda day: Period(date(*day), LAST))

    with pytest.raises(Refused) as refused:
        each_at("/days", [(2026, 7, 1), (2026, 8, 1)], lambda day: Period(date(*day), LAST))

    assert [period.first.day for period in good] == [1, 2]
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/days/1", PeriodReversed.code)
    ]


def test_a_quota_used_up_is_429_with_the_time_to_wait(
    app: FastAPI, client: TestClient, make_key: MakeKey, clock: HandClock
) -> None:
    key = make_key()
    app.state.installation.quota.limit = 2

    first = client.get("/v1/units", headers=as_key(key))
    client.get("/v1/units", headers=as_key(key))
    third = client.get("/v1/units", headers=as_key(key))
    other = client.get("/v1/units", headers=as_key(make_key()))
    clock.advance(timedelta(minutes=1))
    later = client.get("/v1/units", headers=as_key(key))

    assert [first.status_code, third.status_code, other.status_code] == [200, 429, 200]
    assert first.headers["ratelimit"] == '"default";r=1;t=60'
    assert first.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert third.headers["retry-after"] == "60"
    assert third.json()["code"] == "request.quota_exceeded"
    assert later.status_code == 200


class Unfit(Invalid):
    """Nothing fits."""

    code: ClassVar[str] = "field.invalid"


def test_responses_of_a_route_name_their_codes() -> None:
    found = problems(StorageUnavailable, Unfit)

    assert set(found) == {503, 422}
    assert "`field.invalid`: Nothing fits." in found[422]["description"]


def test_a_writer_that_fails_leaves_no_trace(
    app: FastAPI, client: TestClient, make_key: MakeKey
) -> None:
    from app.store import access as rows

    router = doors("/v1/test", tag="test")

    @router.post("/half")
    def half(session: Writing, who: Annotated[Principal, needs("admin")]) -> None:
        rows.ensure_source(session, "half", name="half")
        raise Refused(faults=(Fault("/x", "field.missing"),))

    app.include_router(router)
    answer = client.post("/v1/test/half", headers=as_key(make_key()))

    assert answer.status_code == 422
    with app.state.installation.database.begin() as session:
        assert rows.ensure_source(session, "half", name="half")[1] is True
