"""Where strangers may send us: which addresses, written how; and which hosts are on the open internet.

There is one reader of addresses. What it made of one is what is resolved, connected to and named to the other
side, so that no two readers can disagree about which host is meant.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.domain.texts import Text, text

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, float], Sequence[str]]
"""The addresses of a name, as text, within that many seconds. Raises OSError, and TimeoutError for time."""

_MOST_LENGTH: Final = 2000
_MOST_ADDRESSES: Final = 20
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9._-]{1,253})|\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<target>(?:/[!$-;=?-Z_a-z~]*)?(?:\?[!$-;=?-Z_a-z~]*)?)"
)
"""Printable ASCII that stands in addresses as it is (RFC 3986); no user, no zone of an IPv6 address, no
fragment."""
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""What browsers take a host for an address by (URL Standard, ends in a number checker)."""
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_PRIVATE_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers' customers (RFC 6598)
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and where clouds keep their secrets
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""IANA IPv4 Special-Purpose Address Registry, and multicast."""
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
"""All that IANA has given out as global unicast. Everything else is refused by that: loopback, link-local,
unique local, multicast, and those with an IPv4 address in them, mapped (::ffff:0:0/96) or by NAT64
(64:ff9b::/96)."""
_SPECIAL_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols, Teredo among them, which has an IPv4 address in it
        "2001:db8::/32",
        "2002::/16",  # 6to4, which has one, too
        "3fff::/20",
    )
)
"""IANA IPv6 Special-Purpose Address Registry, of what is within."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that was read. ``target`` is path and query as they are sent; ``host`` a name in lower case,
    or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address again."""
        return f"{self.scheme}://{self.authority}{self.target}"


def is_public(address: Address) -> bool:
    """Whether this is an address on the open internet, and nobody's own network."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _PRIVATE_IPV4)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _SPECIAL_IPV6)


@dataclass(frozen=True, slots=True)
class Rules:
    """Where one may go: https on ``ports``, on the open internet. With ``allow_loopback``, which is for
    tests, to any port of this very machine, too, and by http."""

    ports: Collection[int]
    allow_loopback: bool

    def read(self, url: str) -> Target:
        """Raises RemoteFailed for what is no address, or none that we go to whatever its name means."""
        parts = _URL.fullmatch(url) if len(url) <= _MOST_LENGTH else None
        if parts is None or _BROKEN_ESCAPE.search(parts["target"]):
            raise _refused(text("This is no address that we go to."))
        scheme, host = parts["scheme"], (parts["name"] or parts["ipv6"]).lower()
        if scheme != "https" and not self.allow_loopback:
            raise _refused(text("The address does not begin with https://."))
        if literal(host) is None and not _is_name(host):
            raise _refused(text("The address names no host."))
        port = int(parts["port"]) if parts["port"] else _DEFAULT_PORTS[scheme]
        if not 0 < port < 65536 or not (self.allow_loopback or port in self.ports):
            raise _refused(text("Port %(port)s is none that we go to.", port=str(port)))
        target = parts["target"]
        return Target(scheme, host, port, target if target.startswith("/") else f"/{target}")

    def check(self, addresses: Sequence[str], port: int) -> list[str]:
        """``addresses``, each as it has to be connected to. Raises RemoteFailed if one of them is none that
        we go to: a name that means our own network, too, is no accident."""
        found = [literal(address) for address in addresses[:_MOST_ADDRESSES]]
        if not found:
            raise RemoteFailed("The name has no address.", reason=RemoteFault.UNREACHABLE, temporary=True)
        if self.allow_loopback and all(address is not None and address.is_loopback for address in found):
            return [str(address) for address in found]
        if port not in self.ports or not all(address is not None and is_public(address) for address in found):
            raise _refused(text("It leads to where we do not go."))
        return [str(address) for address in found]


def literal(host: str) -> Address | None:
    """The IP address that ``host`` is, written as it has to be; None for a name, and for other ways to write
    one."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    """A number at its end is another way to write an IP address: decimal, octal, hexadecimal, short."""
    return bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(host.rpartition(".")[2])


def system_resolver(name: str, seconds: float) -> Sequence[str]:
    """The addresses of ``name`` by the system's resolver, which knows no limit of time by itself."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))
        except OSError as error:
            answers.put(error)
        except UnicodeError as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0))
    except queue.Empty:
        raise TimeoutError(f"{name} is not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _refused(detail: Text) -> RemoteFailed:
    return RemoteFailed(detail, reason=RemoteFault.ADDRESS)
