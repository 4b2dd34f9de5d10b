"""Where webhooks may go."""

import threading
from collections.abc import Sequence

import pytest

from app.senders.guard import (
    NameUnknown,
    UrlAddressRefused,
    UrlMalformed,
    UrlNotHttps,
    UrlPortRefused,
    addresses_of,
    check_target,
    check_url,
    is_public,
    networks,
    plain,
    resolve,
)

INTERNAL = networks(["10.1.0.0/16", "127.0.0.0/8"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_no_address_that_is_not_of_the_open_internet_is_called(address: str) -> None:
    assert not is_public(plain(address))
    with pytest.raises(UrlAddressRefused):
        check_target("https", 443, [plain(address)], allowed=())


@pytest.mark.parametrize("address", ["113.160.1.1", "8.8.8.8", "2401:d800::1", "::ffff:8.8.8.8"])
def test_ordinary_addresses_are_called(address: str) -> None:
    check_target("https", None, [plain(address)], allowed=())


def test_one_bad_address_among_good_ones_is_enough_to_refuse() -> None:
    with pytest.raises(UrlAddressRefused):
        check_target("https", 443, [plain("8.8.8.8"), plain("10.0.0.1")], allowed=())


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1:443/",
        "https://192.168.0.1/",
    ],
)
def test_fifteen_spellings_of_inner_addresses_are_refused_when_registered(url: str) -> None:
    with pytest.raises(UrlAddressRefused):
        check_url(url, allowed=())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver.example",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@receiver.example/",
        "https://user:word@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example:0/",
        "https://receiver.example:99999/",
        "https://receiver.example/ a",
        "https://receiver.example/\n",
        "https://receiver.example\\@10.0.0.1/",
        "https://máy-chủ.example/",
        "https://[::1/",
        "https://receiver.example/" + "x" * 2000,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(UrlMalformed):
        check_url(url, allowed=INTERNAL)


def test_outside_the_operator_s_networks_only_https_on_its_own_port_goes() -> None:
    check_url("https://receiver.example/dung-han?x=1", allowed=())
    check_url("https://receiver.example:443/", allowed=())
    with pytest.raises(UrlNotHttps):
        check_url("http://receiver.example/", allowed=())
    with pytest.raises(UrlPortRefused):
        check_url("https://receiver.example:8443/", allowed=())
    with pytest.raises(UrlNotHttps):
        check_url("http://8.8.8.8/", allowed=INTERNAL)


def test_within_the_operator_s_networks_http_and_other_ports_go() -> None:
    check_url("http://10.1.2.3:8080/dung-han", allowed=INTERNAL)
    check_target("http", 8080, [plain("10.1.2.3"), plain("::ffff:10.1.2.4")], allowed=INTERNAL)
    with pytest.raises(UrlAddressRefused):
        check_target("http", 8080, [plain("10.2.0.1")], allowed=INTERNAL)


def test_a_name_may_lie_within_the_operator_s_networks_so_it_is_judged_when_called() -> None:
    check_url("http://noi-bo.example:8080/", allowed=INTERNAL)


def test_a_name_that_does_not_resolve_in_time_is_given_up() -> None:
    released = threading.Event()

    def never(host: str, port: int) -> Sequence[str]:
        released.wait(20)
        return ()

    try:
        with pytest.raises(NameUnknown):
            addresses_of("slow.example", 443, resolver=never, seconds=0.05)
    finally:
        released.set()


def test_a_name_without_addresses_is_unknown() -> None:
    with pytest.raises(NameUnknown):
        addresses_of("a" * 300, 443, resolver=resolve, seconds=5)
    with pytest.raises(NameUnknown):
        addresses_of("none.example", 443, resolver=lambda *_: (), seconds=5)
