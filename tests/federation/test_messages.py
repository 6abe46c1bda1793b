"""Requests as they are on the wire."""

from __future__ import annotations

import pytest

from repo_service.federation.messages import Message


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://hq.example/inbox?a=%2F", "hq.example", "/inbox?a=%2F"),
        ("https://HQ.example:443", "hq.example", "/"),
        ("https://hq.example?", "hq.example", "/?"),
        ("http://hq.example:80/", "hq.example", "/"),
        ("http://127.0.0.1:8080//a", "127.0.0.1:8080", "//a"),
        ("https://hq.example:80/", "hq.example:80", "/"),
        ("https://[::1]:8443/", "[::1]:8443", "/"),
    ],
)
def test_host_and_target(url: str, authority: str, target: str) -> None:
    message = Message("GET", url)

    assert (message.authority, message.target) == (authority, target)


@pytest.mark.parametrize(
    "url",
    ["", "/inbox", "ftp://hq.example/", "https:///inbox", "https://hq.example/#a", "https://hq.example/a b"],
)
def test_what_is_no_address_of_a_request(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Message("GET", url)


@pytest.mark.parametrize("header", [("Date", "a\r\nHost: b"), ("Date", "a\nb"), ("Da\rte", "a")])
def test_a_header_with_another_in_it(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        Message("GET", "https://hq.example/", (header,))


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        (b"/users/a/inbox", "", "https://hq.example/users/a/inbox"),
        (b"/@a/;b=(c)", "page=%41&x", "https://hq.example/@a/;b=(c)?page=%41&x"),
        ("/b\u00fccher/a b?%".encode(), "", "https://hq.example/b%C3%BCcher/a%20b%3F%25"),
        (b"/\xff\r\n#", "", "https://hq.example/%FF%0D%0A%23"),
    ],
)
def test_as_a_server_hands_it_on(path: bytes, query: str, url: str) -> None:
    message = Message.received(
        method="POST",
        origin="https://hq.example",
        path=path,
        query=query,
        headers=[("Host", "x")],
        body=b"{}",
    )

    assert message == Message("POST", url, (("Host", "x"),), b"{}")


def test_headers_of_one_name() -> None:
    message = Message("GET", "https://hq.example/", (("Accept", " a\t"), ("X", "y"), ("ACCEPT", "b")))

    assert message.values("accept") == ["a", "b"]
    assert message.combined("Accept") == "a, b"
    assert message.combined("Date") is None
