"""Asking iGate over a real socket: tokens, pages, pace, patience."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
import stamina

from app.domain.errors import AppError
from app.senders.guard import UrlNotHttps, networks
from app.senders.igate import (
    Account,
    AnswerInvalid,
    IgateClient,
    PullRefused,
    PullUnavailable,
    TokenRefused,
)
from tests.fakes import FakeIgate, deaf_port, igate_item

HERE = networks(["127.0.0.0/8"])


@pytest.fixture
def fake() -> Iterator[FakeIgate]:
    """Give an installation with five dossiers, and patience without waiting."""
    with (
        stamina.set_testing(True, attempts=4),
        FakeIgate([igate_item(n) for n in range(5)]).serve() as served,
    ):
        yield served


def account(fake: FakeIgate) -> Account:
    return Account(fake.url, fake.token_url, "dung-han", "right")


def client(fake: FakeIgate, **more: object) -> IgateClient:
    settings = {"allowed": HERE, "page_size": 2, "per_minute": 6_000, "pause": waits.append} | more
    return IgateClient(account(fake), **settings)  # type: ignore[arg-type]  # laid over by name


waits: list[float] = []


def test_pages_come_in_order_with_one_token(fake: FakeIgate) -> None:
    asking = client(fake)

    pages = [asking.page(number) for number in range(3)]

    assert [len(items) for items, _ in pages] == [2, 2, 1]
    assert [is_last for _, is_last in pages] == [False, False, True]
    assert fake.tokens == 1
    assert fake.asked[0] == {
        "page": "0",
        "size": "2",
        "spec": "page",
        "sort": "updatedDate,desc",
    }


def test_the_agency_is_asked_for_by_name(fake: FakeIgate) -> None:
    asking = IgateClient(replace(account(fake), agency="a1"), allowed=HERE)

    asking.page(0)

    assert fake.asked[0]["ancestor-agency-id"] == "a1"


def test_a_token_that_ends_early_is_asked_for_again(fake: FakeIgate) -> None:
    asking = client(fake)
    asking.page(0)
    fake.revoked.add("token-1")

    asking.page(1)

    assert fake.tokens == 2


@pytest.mark.parametrize("trouble", [429, 500, 502, 503, 504, (503, 1)])
def test_a_trouble_that_passes_is_waited_for(
    fake: FakeIgate, trouble: int | tuple[int, int]
) -> None:
    fake.troubles = [trouble, trouble]

    items, _ = client(fake).page(0)

    assert len(items) == 2


def test_a_trouble_that_stays_is_told(fake: FakeIgate) -> None:
    fake.troubles = [503] * 10

    with pytest.raises(PullUnavailable):
        client(fake).page(0)

    assert len(fake.troubles) == 6


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_for_good_is_not_tried_again(fake: FakeIgate, status: int) -> None:
    fake.troubles = [status, status]

    with pytest.raises(PullRefused) as refused:
        client(fake).page(0)

    assert refused.value.status == status
    assert len(fake.troubles) == 1


def test_a_wrong_secret_is_told_and_not_shown(fake: FakeIgate) -> None:
    fake.secret = "another"

    with pytest.raises(TokenRefused) as refused:
        client(fake).page(0)

    assert "right" not in str(refused.value)
    assert "right" not in repr(account(fake))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"content": 1}', b"\xff"])
def test_an_answer_that_is_no_page_is_told(fake: FakeIgate, body: bytes) -> None:
    fake.raw_answer = body

    with pytest.raises(AnswerInvalid):
        client(fake).page(0)


def test_requests_keep_their_pace(fake: FakeIgate) -> None:
    waited: list[float] = []
    asking = client(fake, per_minute=1, pause=waited.append)

    asking.page(0)
    asking.page(1)

    # the first goes at once; what each request itself took is taken off
    assert [round(seconds / 60) for seconds in waited] == [1, 2]


def test_a_server_that_is_not_there_is_told() -> None:
    with deaf_port() as port, stamina.set_testing(True, attempts=2):
        here = f"http://127.0.0.1:{port}"
        with pytest.raises(PullUnavailable):
            IgateClient(Account(here, here, "c", "s"), allowed=HERE).page(0)


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, stamina.set_testing(True, attempts=2):
        here = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asking = IgateClient(Account(here, here, "c", "s"), allowed=HERE, total_seconds=0.3)

        with pytest.raises(PullUnavailable):
            asking.page(0)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://127.0.0.1/", "http://example.org"])
def test_an_address_that_is_not_to_be_called_is_refused_at_once(url: str) -> None:
    with pytest.raises(AppError):
        IgateClient(Account(url, url, "c", "s"))


def test_outside_the_operators_networks_only_https_goes() -> None:
    with pytest.raises(UrlNotHttps):
        IgateClient(Account("http://8.8.8.8/", "https://8.8.8.8/", "c", "s"))
