"""Where a webhook may go: never into our own network, unless the operator named that network.

The form of an address is checked when a receiver is registered; what its name resolves to is
checked at every connection, which goes to the very address that was checked.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from queue import Empty, SimpleQueue
from typing import ClassVar, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from app.domain.errors import Invalid

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]

HTTPS_PORT: Final = 443
LONGEST_URL: Final = 2000

MISLEADING: Final = (
    ipaddress.IPv6Network("fec0::/10"),  # site-local of old, global for Python
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64, global for Python
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 within one network
    ipaddress.IPv6Network("2001::/32"),  # Teredo
    ipaddress.IPv6Network("2002::/16"),  # 6to4, global for Python
)
"""IPv6 networks that lead elsewhere than they seem to: most carry an IPv4 address."""


@dataclass(eq=False, kw_only=True)
class UrlMalformed(Invalid):
    """The address of the receiver is not a plain URL with a host."""

    code: ClassVar[str] = "webhook.url_malformed"


@dataclass(eq=False, kw_only=True)
class UrlNotHttps(Invalid):
    """The receiver lies outside the networks of the operator, so it must be reached by https."""

    code: ClassVar[str] = "webhook.url_not_https"


@dataclass(eq=False, kw_only=True)
class UrlPortRefused(Invalid):
    """The receiver lies outside the networks of the operator, where only port 443 is called."""

    code: ClassVar[str] = "webhook.url_port_refused"
    port: int


@dataclass(eq=False, kw_only=True)
class UrlAddressRefused(Invalid):
    """The receiver's address is private, local or otherwise not to be called."""

    code: ClassVar[str] = "webhook.url_address_refused"


class NameUnknown(OSError):
    """The name of the receiver does not resolve in time."""


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Read the networks that an operator allows.

    :raises ValueError: one is not a network.
    """
    return tuple(ipaddress.ip_network(name) for name in names)


def plain(address: str) -> Address:
    """Read an address; an IPv4 address in IPv6 clothes (``::ffff:…``) is shown as what it is.

    :raises ValueError: it is none.
    """
    read = ipaddress.ip_address(address)
    if isinstance(read, IPv6Address) and read.ipv4_mapped is not None:
        return read.ipv4_mapped
    return read


def is_within(address: Address, allowed: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address.version == net.version and address in net for net in allowed)


def is_public(address: Address) -> bool:
    """Tell whether an address is an ordinary one of the internet."""
    if isinstance(address, IPv6Address) and any(address in net for net in MISLEADING):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def check_url(url: str, *, allowed: Sequence[Network]) -> None:
    """Refuse a URL that could never be called, without resolving anything.

    A host that is a name passes here; its addresses are checked at every connection.

    :raises UrlMalformed: no host, a user, a fragment, blanks, too long, not http or https.
    :raises UrlNotHttps: http to where only https goes.
    :raises UrlPortRefused: another port than 443 to where only that goes.
    :raises UrlAddressRefused: the host is an address that is not to be called.
    """
    parts = _parts(url)
    host, port = parts.hostname, parts.port
    if host is None:
        raise UrlMalformed
    literal = _literal(host)
    if literal is None:
        if not allowed:
            _check_public_form(parts.scheme, port)
        return
    check_target(parts.scheme, port, [literal], allowed=allowed)


def check_target(
    scheme: str, port: int | None, addresses: Sequence[Address], *, allowed: Sequence[Network]
) -> None:
    """Refuse a target unless **every** address of it may be called in this way.

    :raises UrlNotHttps: http to where only https goes.
    :raises UrlPortRefused: another port than 443 to where only that goes.
    :raises UrlAddressRefused: an address is not to be called.
    """
    if not addresses:
        raise UrlAddressRefused
    outside = [address for address in addresses if not is_within(address, allowed)]
    if not all(is_public(address) for address in outside):
        raise UrlAddressRefused
    if outside:
        _check_public_form(scheme, port)


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name.

    :raises OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def addresses_of(
    host: str, port: int, *, resolver: Resolver, seconds: float
) -> tuple[Address, ...]:
    """Resolve a name once, within a time limit that the system's resolver does not know.

    :raises NameUnknown: no address came in time.
    """
    answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        answer = answers.get(timeout=max(seconds, 0.0))
    except Empty:
        raise NameUnknown from None
    if isinstance(answer, Exception) or not answer:
        raise NameUnknown
    return tuple(plain(address) for address in answer)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UrlMalformed from None
    odd = (
        len(url) > LONGEST_URL
        or not url.isascii()
        or not url.isprintable()
        or any(sign in url for sign in ' \\"<>^`{|}')
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
        or "#" in url
        or parts.port == 0
    )
    if odd:
        raise UrlMalformed
    return parts


def _literal(host: str) -> Address | None:
    """Read a host that is an address in any spelling that a resolver would take for one."""
    try:
        return plain(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _check_public_form(scheme: str, port: int | None) -> None:
    if scheme != "https":
        raise UrlNotHttps
    if port not in {None, HTTPS_PORT}:
        raise UrlPortRefused(port=port or 0)
