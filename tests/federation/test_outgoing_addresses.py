"""Which addresses strangers may send us to, and in how many ways they can be written."""

from __future__ import annotations

import ipaddress
import socket
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.federation.outgoing.addresses import Rules, is_public, system_resolver

RULES = Rules(ports=frozenset({443}), allow_loopback=False)
TESTING = Rules(ports=frozenset({443}), allow_loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_on_the_open_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(RemoteFailed) as refused:
        RULES.check([address], 443)
    assert refused.value.reason is RemoteFault.ADDRESS
    assert address not in refused.value.detail  # nobody is told what a name means here


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_addresses_that_are(address: str) -> None:
    assert RULES.check([address], 443) == [address]


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
@example(ipaddress.ip_address("192.175.48.1"))
def test_none_is_public_that_python_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(RemoteFailed):
        RULES.check(["8.8.8.8", "10.0.0.1"], 443)
    with pytest.raises(RemoteFailed):
        TESTING.check(["127.0.0.1", "10.0.0.1"], 443)


def test_no_address() -> None:
    with pytest.raises(RemoteFailed) as failed:
        RULES.check([], 443)
    assert failed.value.temporary


class TestReading:
    @pytest.mark.parametrize(
        ("url", "read"),
        [
            ("https://peer.example/users/a?b=c", "https://peer.example/users/a?b=c"),
            ("https://PEER.example", "https://peer.example/"),
            ("https://peer.example?b", "https://peer.example/?b"),
            ("https://peer.example:443/", "https://peer.example/"),
            ("https://xn--bcher-kva.example/%C3%A9", "https://xn--bcher-kva.example/%C3%A9"),
            ("https://8.8.8.8/", "https://8.8.8.8/"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
            ("https://peer.example/@alice/;a=b&c=(d)", "https://peer.example/@alice/;a=b&c=(d)"),
        ],
    )
    def test_addresses(self, url: str, read: str) -> None:
        assert RULES.read(url).url == read

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "peer.example",
            "//peer.example/",
            "http://peer.example/",
            "http://peer.example:443/",
            "ftp://peer.example/",
            "file:///etc/passwd",
            "gopher://peer.example/",
            "https:/peer.example/",
            "https:///inbox",
            "https://user@peer.example/",
            "https://user:secret@peer.example/",
            "https://peer.example@127.0.0.1/",
            "https://peer.example\\@127.0.0.1/",
            "https://peer.example:80/",
            "https://peer.example:22/",
            "https://peer.example:0/",
            "https://peer.example:443443/",
            "https://peer.example:/",
            "https://peer.example:443:80/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.1.2/",
            "https://127.0.0.01/",
            "https://\uff11\uff12\uff17.0.0.1/",
            "https://127.0.0.1./",
            "https://localhost./",
            "https://[fe80::1%25eth0]/",
            "https://[fe80::1%eth0]/",
            "https://[::1/",
            "https://[peer.example]/",
            "https://::1/",
            "https://-peer.example/",
            "https://peer..example/",
            "https://" + "a" * 64 + ".example/",
            "https://bücher.example/",
            "https://peer%2eexample/",
            "https://peer.example/é",
            "https://peer.example/a b",
            "https://peer.example/%",
            "https://peer.example/%zz",
            "https://peer.example/\r\nHost: other",
            "https://peer.example/\x00",
            "https://peer.example/#main-key",
            " https://peer.example/",
            "https://peer.example/" + "a" * 2000,
            "https://peer.example/\n",
        ],
    )
    def test_what_is_none_that_we_go_to(self, url: str) -> None:
        with pytest.raises(RemoteFailed) as refused:
            RULES.read(url)
        assert refused.value.reason is RemoteFault.ADDRESS
        assert not refused.value.temporary

    @given(st.text(max_size=60) | st.text("https:/@[]:.%\\?#a0x-", max_size=40).map("https://".__add__))
    def test_whatever_it_is(self, url: str) -> None:
        try:
            target = RULES.read(url)
        except RemoteFailed:
            return
        assert RULES.read(target.url) == target
        assert target.port == 443

    def test_more_ports_by_setting(self) -> None:
        rules = Rules(ports=frozenset({443, 8443}), allow_loopback=False)

        assert rules.read("https://peer.example:8443/").authority == "peer.example:8443"

    def test_loopback_is_open_to_tests_only(self) -> None:
        assert TESTING.read("http://127.0.0.1:8080/a").url == "http://127.0.0.1:8080/a"
        assert TESTING.check(["127.0.0.1", "::1"], 8080) == ["127.0.0.1", "::1"]
        for address in ("10.0.0.1", "169.254.169.254", "0.0.0.0"):
            with pytest.raises(RemoteFailed):
                TESTING.check([address], 443)
        with pytest.raises(RemoteFailed):
            TESTING.check(["8.8.8.8"], 8080)
        for port in (0, 65536, 99999):
            with pytest.raises(RemoteFailed):
                TESTING.read(f"http://127.0.0.1:{port}/")


class TestResolving:
    def test_a_name_of_this_machine(self) -> None:
        assert {"127.0.0.1", "::1"} & set(system_resolver("localhost", 5))

    def test_a_resolver_that_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def hanging(*_: object, **__: object) -> list[object]:
            time.sleep(0.5)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", hanging)
        begun = time.monotonic()

        with pytest.raises(TimeoutError):
            system_resolver("slow.example", 0.1)

        assert time.monotonic() - begun < 0.4

    @pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
    def test_names_that_there_are_not(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", fail)

        with pytest.raises(OSError, match=str(error)):
            system_resolver("no.example", 5)
