"""Requests to addresses that strangers name, against real servers on this machine."""

from __future__ import annotations

import functools
import gzip
import json
import os
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpcore
import pytest

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.federation.documents import Fetched
from repo_service.federation.messages import Message
from repo_service.federation.outgoing import DocumentKind, Limits, Outgoing
from repo_service.federation.signatures import Scheme, sign
from tests.federation.hosts import Host, answer, document, dripping, redirect, serving, tls_of, trusting
from tests.federation.peers import ALICE, HOST, Receiver, Web, actor, key_of

ALICES = {"id": ALICE, "type": "Person"}
QUICK = Limits(seconds=1.5, size=100_000)


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as found:
        yield found


@pytest.fixture
def going() -> Iterator[Callable[..., Outgoing]]:
    """Ways out, closed in the end."""
    made: list[Outgoing] = []

    def make(**settings: Any) -> Outgoing:
        usual: dict[str, Any] = {"user_agent": "repo/1 (+https://hq.example)", "allow_loopback": True}
        made.append(Outgoing(**{**usual, "limits": QUICK, **settings}))
        return made[-1]

    yield make
    for outgoing in made:
        outgoing.close()


Going = Callable[..., Outgoing]


def fault(outgoing: Outgoing, url: str, **how: Any) -> RemoteFailed:
    with pytest.raises(RemoteFailed) as failed:
        outgoing.get(url, **how)
    return failed.value


class Recorder(httpcore.NetworkBackend):
    """Connects nowhere, and remembers where it should have."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.asked.append((host, port))
        raise httpcore.ConnectError("refused")


class Names:
    """A resolver with an answer for each time that it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str, seconds: float) -> Sequence[str]:
        self.asked.append(name)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class TestGetting:
    def test_a_document(self, host: Host, going: Going) -> None:
        host.replies["/alice?a=b"] = document(ALICES)

        found = going().get(host.url("/alice?a=b#main-key"))

        assert found == Fetched(host.url("/alice?a=b"), ALICES)
        (request,) = host.requests
        head = request.decode().lower()
        assert head.startswith("get /alice?a=b http/1.1\r\n")
        assert f"\r\nhost: 127.0.0.1:{host.port}\r\n" in head
        assert "\r\nuser-agent: repo/1 (+https://hq.example)\r\n" in head
        assert "\r\naccept: application/activity+json, application/ld+json; profile=" in head

    def test_one_connection_for_several(self, host: Host, going: Going) -> None:
        host.replies["/"] = document(ALICES)
        outgoing = going()

        for _ in range(3):
            outgoing.get(host.url())

        assert (len(host.requests), host.connections) == (3, 1)

    def test_one_that_was_closed_meanwhile(self, host: Host, going: Going) -> None:
        """A server may close what it kept open at any time: that is no answer to what is on its way then."""
        outgoing = going()

        def once(connection: socket.socket) -> None:
            connection.sendall(document(ALICES))
            connection.recv(65536)  # and it closes

        host.replies["/alice"] = once
        for number in range(1, 4):
            assert outgoing.get(host.url("/alice")).value == ALICES
            assert host.connections == number

    def test_a_new_one_that_is_closed(self, host: Host, going: Going) -> None:
        host.replies["/alice"] = socket.socket.close
        assert fault(going(), host.url("/alice")).reason is RemoteFault.UNREACHABLE
        assert host.connections == 1

    def test_a_signed_one(self, host: Host, going: Going) -> None:
        host.replies["/a"] = redirect("/b")
        host.replies["/b"] = document(ALICES)
        outgoing = going().signing(functools.partial(sign, key=key_of()))

        outgoing.get(host.url("/a"))

        assert len(host.requests) == 2
        for request in host.requests:
            assert _signer(request, host) == ALICE

    def test_cookies_are_not_kept(self, host: Host, going: Going) -> None:
        host.replies["/"] = document(ALICES, headers={"Set-Cookie": "a=b; Path=/"})
        outgoing = going()

        outgoing.get(host.url())
        outgoing.get(host.url())

        assert b"cookie" not in host.requests[1].lower()

    def test_proxies_of_the_environment_are_not_asked(
        self, host: Host, going: Going, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host.replies["/"] = document(ALICES)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")

        assert going().get(host.url()).value == ALICES

    @pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
    def test_gzip(self, host: Host, going: Going, encoding: str) -> None:
        packed = gzip.compress(json.dumps(ALICES).encode())
        host.replies["/"] = answer(packed, headers={"Content-Encoding": encoding})

        assert going().get(host.url()).value == ALICES

    @pytest.mark.parametrize(
        ("kind", "content_type"),
        [
            (DocumentKind.ACTIVITY, "application/activity+json"),
            (DocumentKind.ACTIVITY, "Application/Activity+JSON; charset=utf-8"),
            (DocumentKind.ACTIVITY, 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'),
            (
                DocumentKind.ACTIVITY,
                (
                    'application/ld+json;charset=utf-8; profile="http://www.w3.org/ns/json-ld#compacted '
                    'https://www.w3.org/ns/activitystreams"'
                ),
            ),
            (DocumentKind.JRD, "application/jrd+json; charset=utf-8"),
            (DocumentKind.JRD, "application/json"),
            (
                DocumentKind.JSON,
                'application/json; profile="http://nodeinfo.diaspora.software/ns/schema/2.1#"',
            ),
        ],
    )
    def test_media_types(self, host: Host, going: Going, kind: DocumentKind, content_type: str) -> None:
        host.replies["/"] = document(ALICES, content_type=content_type)

        assert going().get(host.url(), kind=kind).value == ALICES


class TestWhereItDoesNotGo:
    @pytest.mark.parametrize(
        "address",
        [
            "http://127.0.0.1:{port}/",
            "https://127.0.0.1:{port}/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://localhost/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[fe80::1%25eth0]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://0.0.0.0/",
            "https://user:secret@peer.example/",
            "https://peer.example:22/",
        ],
    )
    def test_to_this_machine_and_its_neighbours(self, host: Host, going: Going, address: str) -> None:
        network = Recorder()
        outgoing = going(allow_loopback=False, network=network)
        url = address.format(port=host.port)

        assert fault(outgoing, url).reason is RemoteFault.ADDRESS
        with pytest.raises(RemoteFailed) as refused:
            outgoing.post(url, body=b"{}")
        assert refused.value.reason is RemoteFault.ADDRESS
        assert not network.asked
        assert not host.connections

    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", "fe80::1%lo", "junk"]
    )
    def test_by_a_name_that_means_them(self, going: Going, address: str) -> None:
        network = Recorder()
        outgoing = going(allow_loopback=False, network=network, resolver=Names(["8.8.8.8", address]))

        assert fault(outgoing, "https://rebind.example/").reason is RemoteFault.ADDRESS
        assert not network.asked

    def test_it_connects_to_what_was_checked_and_asks_no_second_time(self, going: Going) -> None:
        """DNS rebinding: the second answer is another one."""
        network, names = Recorder(), Names(["8.8.8.8", "2606:4700::1111"], ["127.0.0.1"])
        outgoing = going(allow_loopback=False, network=network, resolver=names)

        assert fault(outgoing, "https://rebind.example/").reason is RemoteFault.UNREACHABLE

        assert network.asked == [("8.8.8.8", 443), ("2606:4700::1111", 443)]
        assert names.asked == ["rebind.example"]
        assert fault(outgoing, "https://rebind.example/").reason is RemoteFault.ADDRESS
        assert len(network.asked) == 2

    def test_an_open_connection_stays_where_it_was(self, host: Host, going: Going) -> None:
        host.replies["/"] = document(ALICES)
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        outgoing = going(resolver=names)

        for _ in range(2):
            assert outgoing.get(host.url(host="peer.example")).value == ALICES

        assert names.asked == ["peer.example"]
        assert f"host: peer.example:{host.port}".encode() in host.requests[1].lower()

    @pytest.mark.parametrize(
        "location",
        [
            "http://peer.example:443/",
            "http://127.0.0.1:{port}/",
            "https://10.0.0.1/",
            "https://localhost/",
            "//169.254.169.254/latest",
            "https://2130706433/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "https://user@peer.example/",
            "http://[broken",
            "",
        ],
    )
    def test_by_a_redirect(self, host: Host, going: Going, location: str) -> None:
        """The first server may be spoken to; where it leads is looked at as if it had been named at first."""
        with serving(tls_of("peer.example")) as peer:
            peer.replies["/"] = redirect(location.format(port=host.port))
            outgoing = _open_internet(going, peer)

            failed = fault(outgoing, "https://peer.example/")

            assert failed.reason in {RemoteFault.ADDRESS, RemoteFault.REDIRECTS}
            assert peer.requests
            assert not host.connections

    def test_a_name_that_does_not_resolve(self, going: Going) -> None:
        def nothing(name: str, seconds: float) -> Sequence[str]:
            raise OSError("no such name")

        failed = fault(going(resolver=nothing), "https://no.example/")

        assert (failed.reason, failed.temporary) == (RemoteFault.UNREACHABLE, True)


class TestTls:
    def test_the_name_is_asked_for_and_checked(self, host: Host, going: Going) -> None:
        with serving(tls_of("peer.example")) as peer:
            peer.replies["/"] = document(ALICES)
            outgoing = _open_internet(going, peer)

            assert outgoing.get("https://peer.example/").value == ALICES
            assert b"\r\nhost: peer.example\r\n" in peer.requests[0].lower()
            assert fault(outgoing, "https://other.example/").reason is RemoteFault.UNREACHABLE

    def test_a_stranger_s_certificate(self, host: Host, going: Going) -> None:
        with serving(tls_of("peer.example")) as peer:
            outgoing = _open_internet(going, peer, tls=ssl.create_default_context())

            assert fault(outgoing, "https://peer.example/").reason is RemoteFault.UNREACHABLE
            assert not peer.requests


class TestRedirects:
    def test_three_and_no_more(self, host: Host, going: Going) -> None:
        for number in range(5):
            host.replies[f"/{number}"] = redirect(f"/{number + 1}", "301 Moved")
        host.replies["/5"] = document(ALICES)
        outgoing = going()

        assert outgoing.get(host.url("/2")).url == host.url("/5")
        assert fault(outgoing, host.url("/1")).reason is RemoteFault.REDIRECTS

    def test_in_a_circle(self, host: Host, going: Going) -> None:
        host.replies["/"] = redirect("/")

        assert fault(going(), host.url()).reason is RemoteFault.REDIRECTS
        assert len(host.requests) == 4

    @pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
    def test_a_post_goes_nowhere_else(self, host: Host, going: Going, status: str) -> None:
        host.replies["/inbox"] = redirect("/other", status)

        with pytest.raises(RemoteFailed) as failed:
            going().post(host.url("/inbox"), body=b"{}")

        assert failed.value.reason is RemoteFault.REDIRECTS
        assert len(host.requests) == 1


class TestTime:
    """Each read is quick; all of it is not."""

    def _takes(self, outgoing: Outgoing, url: str) -> None:
        begun = time.monotonic()
        failed = fault(outgoing, url)
        assert (failed.reason, failed.temporary) == (RemoteFault.TIMEOUT, True)
        assert time.monotonic() - begun < 4

    def test_a_body_in_drips(self, host: Host, going: Going) -> None:
        host.replies["/"] = dripping(answer(b"[", headers={}).replace(b"h: 1", b"h: 999"), b" ", 0.1)

        self._takes(going(), host.url())

    def test_headers_in_drips(self, host: Host, going: Going) -> None:
        host.replies["/"] = dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.1)

        self._takes(going(), host.url())

    def test_early_hints_without_end(self, host: Host, going: Going) -> None:
        host.replies["/"] = dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.1)

        self._takes(going(), host.url())

    def test_redirects_that_take_their_time(self, host: Host, going: Going) -> None:
        def slow(connection: socket.socket) -> None:
            time.sleep(0.6)
            connection.sendall(redirect("/"))

        host.replies["/"] = slow

        self._takes(going(), host.url())

    def test_nothing_at_all(self, host: Host, going: Going) -> None:
        ended = threading.Event()

        def nothing(connection: socket.socket) -> None:
            ended.wait(10)

        host.replies["/"] = nothing

        self._takes(going(), host.url())
        ended.set()

    def test_a_handshake_that_never_ends(self, going: Going) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self._takes(going(), f"https://127.0.0.1:{silent.getsockname()[1]}/")

    def test_a_resolver_that_hangs(self, going: Going) -> None:
        def hanging(name: str, seconds: float) -> Sequence[str]:
            assert 0 < seconds <= QUICK.seconds
            raise TimeoutError

        self._takes(going(resolver=hanging), "https://slow.example/")

    def test_an_inbox_that_does_not_read(self, going: Going) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            begun = time.monotonic()
            with pytest.raises(RemoteFailed) as failed:
                going().post(f"http://127.0.0.1:{silent.getsockname()[1]}/", body=b" " * 30_000_000)
            assert failed.value.reason is RemoteFault.TIMEOUT
            assert time.monotonic() - begun < 4


class TestSize:
    def test_more_than_is_read(self, host: Host, going: Going) -> None:
        host.replies["/"] = answer(b'"' + b"a" * QUICK.size + b'"')

        failed = fault(going(), host.url())

        assert (failed.reason, failed.temporary) == (RemoteFault.TOO_LARGE, False)

    def test_without_end(self, host: Host, going: Going) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\n\r\n["
        host.replies["/"] = dripping(head, b" " * 65536, 0.001)

        assert fault(going(), host.url()).reason is RemoteFault.TOO_LARGE

    def test_headers_without_end(self, host: Host, going: Going) -> None:
        host.replies["/"] = dripping(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60000 + b"\r\n", 0.001)

        assert fault(going(), host.url()).reason is RemoteFault.UNREACHABLE

    def test_a_bomb(self, host: Host, going: Going) -> None:
        """Small on the wire: 200 MB in 195 KB, and again as one block of a few hundred bytes."""
        for size in (90_000_000, 300_000):
            packed = gzip.compress(b" " * size)
            assert len(packed) < QUICK.size
            host.replies["/"] = answer(packed, headers={"Content-Encoding": "gzip"})
            assert fault(going(), host.url()).reason is RemoteFault.TOO_LARGE

    def test_a_bomb_takes_no_memory(self, host: Host, going: Going) -> None:
        host.replies["/"] = answer(gzip.compress(b" " * 90_000_000), headers={"Content-Encoding": "gzip"})
        outgoing = going()
        tracemalloc.start()
        try:
            fault(outgoing, host.url())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 3_000_000

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", b"no gzip"),
            ("gzip", gzip.compress(b"{}", mtime=0)[:-4]),
            ("gzip", gzip.compress(b"{}", mtime=0) + b"more"),
            ("gzip", gzip.compress(b"[1", mtime=0) + gzip.compress(b"]", mtime=0)),
            ("gzip", b""),
            ("deflate", zlib.compress(b"{}")),
            ("br", b"{}"),
            ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0)),
            ("zstd", b"{}"),
        ],
    )
    def test_other_ways_to_pack(self, host: Host, going: Going, encoding: str, body: bytes) -> None:
        host.replies["/"] = answer(body, headers={"Content-Encoding": encoding})

        assert fault(going(), host.url()).reason is RemoteFault.ENCODING


class TestWhatItIs:
    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/html",
            "application/json",
            "application/octet-stream",
            "application/ld+json",
            'application/ld+json; profile="https://example.org/other"',
            'application/ld+json; x="; profile=https://www.w3.org/ns/activitystreams"',
            "text/plain; application/activity+json",
            "application/activity+json, text/html",
        ],
    )
    def test_other_media_types(self, host: Host, going: Going, content_type: str | None) -> None:
        host.replies["/"] = document(ALICES, content_type=content_type)

        assert fault(going(), host.url()).reason is RemoteFault.MEDIA_TYPE

    def test_an_activity_is_no_web_finger(self, host: Host, going: Going) -> None:
        host.replies["/"] = document(ALICES)

        for kind in (DocumentKind.JRD, DocumentKind.JSON):
            assert fault(going(), host.url(), kind=kind).reason is RemoteFault.MEDIA_TYPE

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[" * 5000,
            b"[" * 33 + b"]" * 33,
            b'"\\ud800"',
            b"[" + b"0," * 40_000 + b"0]",
            b"\xff",
            b"NaN",
        ],
    )
    def test_json_that_is_unfit(self, host: Host, going: Going, body: bytes) -> None:
        host.replies["/"] = answer(body)
        limits = Limits(seconds=5, size=200_000, values=30_000)

        assert fault(going(limits=limits), host.url()).reason is RemoteFault.JSON

    @pytest.mark.parametrize(
        ("status", "temporary", "gone"),
        [
            ("401 Unauthorized", False, False),
            ("404 Not Found", False, True),
            ("410 Gone", False, True),
            ("429 Too Many Requests", True, False),
            ("500 Internal Server Error", True, False),
            ("503 Service Unavailable", True, False),
            ("204 No Content", False, False),
            ("206 Partial Content", False, False),
            ("304 Not Modified", False, False),
        ],
    )
    def test_other_answers(self, host: Host, going: Going, status: str, temporary: bool, gone: bool) -> None:
        host.replies["/"] = document(ALICES, status=status, headers={"Retry-After": "120"})
        if status.startswith(("204", "304")):
            host.replies["/"] = f"HTTP/1.1 {status}\r\nRetry-After: 120\r\n\r\n".encode()

        failed = fault(going(), host.url())

        assert (failed.reason, failed.temporary, failed.is_gone) == (RemoteFault.STATUS, temporary, gone)
        assert (failed.status, failed.retry_after) == (int(status[:3]), 120)

    @pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 ", b"SSH-2.0-OpenSSH\r\n\r\n", os.urandom(200)])
    def test_what_is_no_http(self, host: Host, going: Going, reply: bytes) -> None:
        host.replies["/"] = lambda connection: connection.sendall(reply)

        failed = fault(going(), host.url())

        assert (failed.reason, failed.temporary) == (RemoteFault.UNREACHABLE, True)

    def test_a_body_that_breaks_off(self, host: Host, going: Going) -> None:
        whole = document(ALICES)
        host.replies["/"] = lambda connection: connection.sendall(whole[:-5])

        assert fault(going(), host.url()).reason is RemoteFault.UNREACHABLE


class TestPosting:
    BODY = json.dumps({"type": "Create", "actor": ALICE}).encode()

    @pytest.mark.parametrize("scheme", list(Scheme))
    def test_a_signed_activity(self, host: Host, going: Going, scheme: Scheme) -> None:
        host.replies["/inbox"] = answer(b"thanks", status="202 Accepted")

        said = going().post(
            host.url("/inbox"), body=self.BODY, sign=functools.partial(sign, key=key_of(), scheme=scheme)
        )

        assert (said.status, said.is_success, said.is_temporary, said.said) == (202, True, False, b"thanks")
        assert _signer(host.requests[0], host) == ALICE

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [("30", 30), ("99999999", 604_800), ("soon", None), ("-1", None), ("Mon, 99 Foo", None)],
    )
    def test_when_to_come_again(self, host: Host, going: Going, said: str, seconds: int | None) -> None:
        host.replies["/"] = answer(status="503 Busy", headers={"Retry-After": said})

        found = going().post(host.url(), body=b"{}")

        assert (found.is_success, found.is_temporary, found.retry_after) == (False, True, seconds)

    def test_when_to_come_again_as_a_date(self, host: Host, going: Going) -> None:
        moment = datetime.now(UTC) + timedelta(seconds=90)
        host.replies["/"] = answer(
            status="429 Slow", headers={"Retry-After": moment.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        )

        assert going().post(host.url(), body=b"{}").retry_after in range(80, 91)

    def test_a_long_answer_is_cut_off(self, host: Host, going: Going) -> None:
        host.replies["/"] = dripping(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 10_000, 0.001)

        assert len(going().post(host.url(), body=b"{}").said) == 65536

    def test_several_at_once(self, host: Host, going: Going) -> None:
        host.replies["/"] = answer(status="202 Accepted")
        outgoing = going(limits=Limits(seconds=10, connections=3))
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(outgoing.post(host.url(), body=b"{}").status))
            for _ in range(12)
        ]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [202] * 12
        assert host.connections <= 3


def _open_internet(going: Going, peer: Host, *, tls: ssl.SSLContext | None = None) -> Outgoing:
    """A way out as in production, on whose network 8.8.8.8 is ``peer``."""

    class Network(httpcore.SyncBackend):
        def connect_tcp(self, host: str, port: int, *args: Any, **settings: Any) -> httpcore.NetworkStream:
            assert (host, port) == ("8.8.8.8", 443)
            return super().connect_tcp("127.0.0.1", peer.port, *args, **settings)

    return going(
        allow_loopback=False,
        tls=tls or trusting(),
        network=Network(),
        resolver=lambda name, _: ["127.0.0.1"] if name == "localhost" else ["8.8.8.8"],
    )


def _signer(request: bytes, host: Host) -> str:
    """Who signed what came over the wire, as a peer finds out."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    message = Message(method, host.url(target), headers, body)
    here = Receiver(Web({ALICE: actor(key_of())}), now=datetime.now(UTC))
    return here.verify(message, hosts={f"127.0.0.1:{host.port}", HOST}).actor
