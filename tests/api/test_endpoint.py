"""A plan of a function gives it what FastAPI would, refuses what it cannot, and ends in time."""

import threading
from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import anyio
import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from app.api.endpoint import Endpoint, Unplain
from app.api.problems import refused


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Thing(BaseModel):
    name: str
    size: int = 1


def route_of(function: Callable[..., Any], path: str = "/x", **more: Any) -> APIRoute:
    router = APIRouter()
    router.add_api_route(path, function, **more)
    found = router.routes[0]
    assert isinstance(found, APIRoute)
    return found


def request_for(query: bytes = b"", **headers: str) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/x",
            "query_string": query,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "path_params": {"code": "H44"},
        }
    )


def answer(function: Callable[..., Any], request: Request | None = None, **more: Any) -> Response:
    plan = Endpoint.of(route_of(function, **more))

    async def asked() -> Response:
        return await plan.answer(request or request_for())

    return anyio.run(asked)


# ---------------------------------------------------------------- what it gives


async def paged(limit: Annotated[int, Query(ge=1, le=9)] = 5) -> int:
    return limit * 10


async def told(request: Request, tag: Annotated[str | None, Header(alias="X-Tag")] = None) -> str:
    return f"{request.method} {tag}"


def everything(
    code: Annotated[str, Path(max_length=5)],
    day: date,
    page: Annotated[int, Depends(paged)],
    word: Annotated[str, Depends(told)],
    colour: Colour = Colour.RED,
    years: Annotated[list[Annotated[int, Query(ge=1900)]] | None, Query(alias="year")] = None,
    is_open: Annotated[bool, Query(alias="open")] = False,
) -> dict[str, Any]:
    return {
        "code": code,
        "day": day,
        "page": page,
        "word": word,
        "colour": colour,
        "years": years,
        "open": is_open,
    }


class Planned(APIRoute):
    def get_route_handler(self) -> Any:
        return Endpoint.of(self).answer


def client_of(route_class: type[APIRoute]) -> TestClient:
    app = FastAPI()
    router = APIRouter(route_class=route_class)
    router.add_api_route("/x/{code}", everything)
    app.include_router(router)
    return TestClient(app)


VALUES = {
    "day": st.sampled_from(["2026-08-01", "2026-02-30", "", "x"]),
    "limit": st.sampled_from(["1", "9", "10", "-1", "x", ""]),
    "colour": st.sampled_from(["red", "blue", "green", ""]),
    "year": st.sampled_from(["1900", "1899", "2026", "x"]),
    "open": st.sampled_from(["true", "false", "1", "perhaps", ""]),
}
QUERIES = st.lists(
    st.one_of(*(st.tuples(st.just(name), value) for name, value in VALUES.items())), max_size=7
)


@settings(max_examples=150)
@given(st.sampled_from(["H44", "too long"]), QUERIES, st.sampled_from([None, "", "a"]))
def test_a_function_is_given_what_fastapi_would_give_it(
    code: str, query: list[tuple[str, str]], tag: str | None
) -> None:
    headers = {} if tag is None else {"X-Tag": tag}

    ours, theirs = (one.get(f"/x/{code}", params=tuple(query), headers=headers) for one in CLIENTS)

    assert ours.status_code == theirs.status_code
    if ours.status_code == 200:
        assert ours.json() == theirs.json()
    else:
        assert faults(ours.json()) == faults(theirs.json())


CLIENTS = (client_of(Planned), client_of(APIRoute))


def faults(body: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(one["type"], one["loc"]) for one in body["detail"]]


def test_what_is_missing_or_wrong_is_told_with_its_place() -> None:
    def asks(day: date, page: Annotated[int, Depends(paged)]) -> int:
        return page

    with pytest.raises(RequestValidationError) as caught:
        answer(asks, request_for(b"limit=99"))

    found = refused(caught.value.errors(), None)
    assert {(one.pointer, one.code) for one in found.faults} == {
        ("/limit", "field.too_great"),
        ("/day", "field.missing"),
    }
    assert found.place == "query"


# ---------------------------------------------------------------- how it runs


def test_a_session_is_opened_used_and_closed_on_one_thread_before_the_answer() -> None:
    seen: list[tuple[str, int]] = []

    def session(_request: Request) -> Iterator[str]:
        seen.append(("opened", threading.get_ident()))
        yield "session"
        seen.append(("closed", threading.get_ident()))

    def asks(opened: Annotated[str, Depends(session, scope="function")]) -> str:
        seen.append((opened, threading.get_ident()))
        return opened

    body = answer(asks).body

    assert body == b'"session"'
    assert [word for word, _ in seen] == ["opened", "session", "closed"]
    assert len({thread for _, thread in seen}) == 1
    assert threading.get_ident() not in {thread for _, thread in seen}


@pytest.mark.parametrize("fails", ["in the function", "in the answer"])
def test_a_session_learns_of_an_error_in_the_function_and_in_its_answer(fails: str) -> None:
    seen: list[type[BaseException]] = []

    def session(_request: Request) -> Iterator[str]:
        try:
            yield "session"
        except BaseException as error:
            seen.append(type(error))
            raise

    def asks(_: Annotated[str, Depends(session, scope="function")]) -> Thing:
        if fails == "in the function":
            raise ZeroDivisionError
        return {"size": "none"}  # type: ignore[return-value]  # the mistake that is looked for

    expected = ZeroDivisionError if fails == "in the function" else ResponseValidationError
    with pytest.raises(expected):
        answer(asks)

    assert seen == [expected]


def test_an_async_function_runs_where_the_request_is_served() -> None:
    async def asks() -> int:
        return threading.get_ident()

    assert int(bytes(answer(asks).body)) == threading.get_ident()


# ---------------------------------------------------------------- what it answers


def test_an_answer_of_a_model_has_the_status_and_the_headers_that_the_function_sets() -> None:
    def asks(response: Response) -> Thing:
        response.headers["Link"] = "<next>"
        response.status_code = 200
        return Thing(name="a")

    found = answer(asks, status_code=201)

    assert (found.status_code, found.body) == (200, b'{"name":"a","size":1}')
    assert found.headers["link"] == "<next>"
    assert found.headers["content-length"] == str(len(found.body))
    assert found.headers["content-type"] == "application/json"


def test_without_a_word_of_the_function_the_status_is_that_of_the_route() -> None:
    def asks() -> Thing:
        return Thing(name="a")

    assert answer(asks, status_code=201).status_code == 201


def test_an_answer_without_a_body_has_none() -> None:
    def asks() -> None: ...

    found = answer(asks, status_code=204)

    assert (found.status_code, found.body) == (204, b"")
    assert "content-length" not in found.headers


def test_an_answer_that_is_one_already_is_left_alone() -> None:
    made = Response(b"text", media_type="text/plain")

    def asks() -> Response:
        return made

    assert answer(asks) is made


# ---------------------------------------------------------------- what it refuses


async def nested(page: Annotated[int, Depends(paged)]) -> int:
    return page


def opened(_request: Request) -> Iterator[str]:
    yield "session"


def cookie(one: Annotated[str, Cookie()]) -> None: ...


def threaded(_: Annotated[int, Depends(lambda: 1)]) -> None: ...


def deep(_: Annotated[int, Depends(nested)]) -> None: ...


def changeable(one: Annotated[list[str], Query(default_factory=list)]) -> None: ...


def model(one: Annotated[Thing, Query()]) -> None: ...


def bodies(one: Thing, other: Thing) -> None: ...


async def with_session(_: Annotated[str, Depends(opened)]) -> None: ...


@pytest.mark.parametrize(
    "function", [cookie, threaded, deep, changeable, model, bodies, with_session]
)
def test_what_no_plan_knows_stops_the_start(function: Callable[..., Any]) -> None:
    route = route_of(function, methods=["POST"])

    with pytest.raises(Unplain):
        Endpoint.of(route)


def test_an_answer_in_a_part_of_its_model_stops_the_start() -> None:
    route = route_of(lambda: Thing(name="a"), response_model_exclude_none=True)

    with pytest.raises(Unplain):
        Endpoint.of(route)
