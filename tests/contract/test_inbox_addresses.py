"""Whoever sends something to the inbox names where its key is. Nobody has us ask in our own network that way,
with the settings of production: on the open internet, which is one machine at 8.8.8.8 here."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpcore
import pytest
from sqlalchemy import select

from repo_service.federation.outgoing import Outgoing
from repo_service.federation.signatures import Scheme, SigningKey
from repo_service.models import NetworkEntry
from tests.contract.federating import Peer, alice_of, approve, key_of
from tests.contract.support import count, problem_of
from tests.federation.hosts import Host, document, redirect, serving, tls_of, trusting
from tests.support.service import MakeService, Service

_PUBLIC: Final = "8.8.8.8"
_NAME: Final = "peer.example"

both_schemes = pytest.mark.parametrize("scheme", list(Scheme))
INSIDE: Final = (
    "https://127.0.0.1",
    "https://10.0.0.1",
    "https://169.254.169.254",
    "https://0.0.0.0",
    "https://localhost",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:a00:1]",
    "https://[64:ff9b::7f00:1]",
    "https://[2002:7f00:1::]",
    "https://[fe80::1]",
    "https://[fd12:3456::1]",
    "https://2130706433",
    "https://0x7f000001",
    "https://017700000001",
    "https://0177.0.0.1",
    "https://127.1",
    "http://127.0.0.1",
    "http://peer.example:443",
    "https://peer.example:22",
    "https://user@peer.example",
)
"""Loopback, private and link-local addresses in all notations; what is no https on its own port."""


@dataclass
class Internet(httpcore.SyncBackend):
    """``names`` mean what is in their list, one after the other and then the last for good; ``resolved`` and
    ``connected`` is what was asked for."""

    peer: Host
    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, name: str, seconds: float) -> Sequence[str]:
        self.resolved.append(name)
        if name == "localhost":
            return ["127.0.0.1", "::1"]
        answers = self.names[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.connected.append((host, port))
        if (host, port) != (_PUBLIC, 443):
            raise httpcore.ConnectError("there is nobody")
        return super().connect_tcp("127.0.0.1", self.peer.port, timeout, local_address, socket_options)


@pytest.fixture
def internet() -> Iterator[Internet]:
    """With Alice's server, and nobody else."""
    with serving(tls_of(_NAME)) as host:
        yield Internet(host, names={_NAME: [[_PUBLIC]]})


@pytest.fixture
def hq(make_service: MakeService, internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service on that internet."""
    outgoing = functools.partial(Outgoing, resolver=internet.resolve, network=internet, tls=trusting())
    monkeypatch.setattr("repo_service.app.Outgoing", outgoing)
    return make_service()


@pytest.fixture
def peer(internet: Internet) -> Peer:
    """Alice, whose document is served."""
    peer = _at(internet, f"https://{_NAME}")
    internet.peer.replies["/users/alice"] = document(alice_of(peer, peer.key))
    return peer


def _at(internet: Internet, origin: str) -> Peer:
    """Alice, by an id there."""
    alice = f"{origin}/users/alice"
    return Peer(internet.peer, SigningKey(f"{alice}#main-key", key_of().native), alice)


def _follow(hq: Service, peer: Peer) -> dict[str, Any]:
    asked = peer.activity("Follow", f"{hq.settings.base_url}/ap/service")
    return {**asked, "id": f"{peer.alice}/{uuid4()}"}


def _refused(hq: Service, peer: Peer, scheme: Scheme = Scheme.CAVAGE, **how: Any) -> None:
    problem = problem_of(peer.post(hq, _follow(hq, peer), scheme=scheme, **how), "invalid-signature")
    assert problem["reason"] in {"key-untrusted", "malformed"}
    assert count(hq.services, "received_activities") == 0


def test_a_key_on_the_open_internet_is_found(hq: Service, internet: Internet, peer: Peer) -> None:
    """Or the refusals below would prove nothing."""
    for scheme in Scheme:
        assert peer.post(hq, _follow(hq, peer), scheme=scheme).status_code == 202
    assert internet.connected == [(_PUBLIC, 443)]


@both_schemes
def test_a_key_inside(hq: Service, internet: Internet, scheme: Scheme) -> None:
    for origin in INSIDE:
        _refused(hq, _at(internet, origin), scheme)
        assert internet.connected == [], origin


def test_a_name_that_means_an_address_inside(hq: Service, internet: Internet, peer: Peer) -> None:
    """Also beside one outside."""
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.1.2.3", "fe80::1"):
        for addresses in ([address], [_PUBLIC, address]):
            internet.names[_NAME] = [addresses]
            _refused(hq, peer)
            assert internet.connected == [], addresses


def test_a_name_that_means_something_else_the_second_time(
    hq: Service, internet: Internet, peer: Peer
) -> None:
    """DNS rebinding: what was checked is what is connected to, and the next time it is checked anew."""
    internet.names[_NAME] = [[_PUBLIC], ["127.0.0.1"]]
    alice = internet.peer.replies["/users/alice"]
    assert isinstance(alice, bytes)
    internet.peer.replies["/users/alice"] = lambda connection: connection.sendall(alice)  # and hangs up
    assert peer.post(hq, _follow(hq, peer)).status_code == 202
    assert (internet.resolved, internet.connected) == ([_NAME], [(_PUBLIC, 443)])
    another = SigningKey(f"{peer.alice}#another-key", key_of(number=1).native)
    problem = problem_of(peer.post(hq, _follow(hq, peer), key=another), "invalid-signature")
    assert problem["reason"] == "key-untrusted"
    assert (internet.resolved, internet.connected) == ([_NAME, _NAME], [(_PUBLIC, 443)])


@both_schemes
def test_a_key_behind_a_redirect(hq: Service, internet: Internet, peer: Peer, scheme: Scheme) -> None:
    for origin in INSIDE:
        internet.peer.requests.clear()
        internet.peer.replies["/users/alice"] = redirect(f"{origin}/users/alice")
        _refused(hq, peer, scheme)
        assert len(internet.peer.requests) == 1, origin
    assert set(internet.connected) == {(_PUBLIC, 443)}


@pytest.mark.parametrize("type_", ["Create", "Announce", "Add"])
def test_an_object_behind_a_redirect(hq: Service, internet: Internet, peer: Peer, type_: str) -> None:
    """Of an approved server, by its id: it is read after the answer."""
    approve(hq, _NAME)
    hq.work()
    for number, origin in enumerate(INSIDE):
        path = f"/notes/{number}"
        internet.peer.replies[path] = redirect(origin + path)
        said = peer.activity(type_, f"https://{_NAME}{path}")
        assert peer.post(hq, {**said, "id": f"{peer.alice}/{uuid4()}"}).status_code == 202
        hq.work()
        assert f"GET {path} ".encode() in b"".join(internet.peer.requests), origin
    assert set(internet.connected) == {(_PUBLIC, 443)}
    with hq.services.database.read() as session:
        assert session.scalars(select(NetworkEntry)).all() == []
