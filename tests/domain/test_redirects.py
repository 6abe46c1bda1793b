"""Which addresses people may be sent back to."""

from __future__ import annotations

import pytest

from repo_service.domain.redirects import InsecureRedirects, csp_source_of, fault_of, host_of, is_loopback

NEVER, PRIVATE, ALWAYS = InsecureRedirects


@pytest.mark.parametrize(
    "uri",
    [
        "https://school.example/admin/oauth2callback.php",
        "https://school.example:8443/moodle/admin/oauth2callback.php",
        "https://xn--schler-3ya.example/a",
        "https://school.example/a?b=c&d=%20",
        "https://192.0.2.7/a",
        "https://[2001:db8::7]:8443/a",
        "https://school.example",
        "https://school.example/~anna/(x)",
        "http://localhost/a",
        "http://127.0.0.1:8045/admin/oauth2callback.php",
        "http://[::1]:8045/a",
    ],
)
def test_addresses_that_can_be_registered(uri: str) -> None:
    for insecure in InsecureRedirects:
        assert fault_of(uri, insecure=insecure) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/a",
        "//school.example/a",
        "school.example",
        "https:school.example",
        "https:/school.example/a",
        "https:///a",
        "https://",
        "https://?a",
        "https://:8443/a",
        "HTTPS://school.example/a",
        "https://school.example/a#b",
        "https://school.example/a#",
        "https://user@school.example/a",
        "https://user:word@school.example/a",
        "https://school.example@evil.example/a",
        "https://school.example\\@evil.example/a",
        "https://school.example/a b",
        "https://school.example/a\n",
        "https://school.example/\x00",
        "https://school.example/\u00fc",
        "https://sch\u00fcler.example/",
        "https://school.example:port/",
        "https://school.example:99999/",
        "https://[::1/a",
        "https://school..example/a",
        "https://-school.example/a",
        "https://*.example/a",
        "https://ex%61mple.org/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://127.1/a",
        "https://1.2.3.4.5/a",
        'https://school.example/"><script>',
        "https://school.example/?code=x",
        "https://school.example/?a=b&state=",
        "https://school.example/?iss=x",
        "https://school.example/" + "a" * 2000,
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://school.example/",
        "org.example.app:/back",
        "urn:ietf:wg:oauth:2.0:oob",
    ],
)
def test_addresses_that_cannot(uri: str) -> None:
    for insecure in InsecureRedirects:
        assert fault_of(uri, insecure=insecure) is not None


@pytest.mark.parametrize(
    ("uri", "kinds"),
    [
        ("http://moodle/a", {PRIVATE, ALWAYS}),
        ("http://moodle.local/a", {PRIVATE, ALWAYS}),
        ("http://moodle.home.arpa/a", {PRIVATE, ALWAYS}),
        ("http://10.1.2.3/a", {PRIVATE, ALWAYS}),
        ("http://192.168.178.20:8080/a", {PRIVATE, ALWAYS}),
        ("http://[fd00::7]/a", {PRIVATE, ALWAYS}),
        ("http://school.example/a", {ALWAYS}),
        ("http://local.example/a", {ALWAYS}),
        ("http://8.8.8.8/a", {ALWAYS}),
        ("http://0.0.0.0/a", {ALWAYS}),
        ("http://localhost.evil.example/a", {ALWAYS}),
    ],
)
def test_plain_http(uri: str, kinds: set[InsecureRedirects]) -> None:
    assert {kind for kind in InsecureRedirects if fault_of(uri, insecure=kind) is None} == kinds


@pytest.mark.parametrize(
    ("uri", "host", "source", "here"),
    [
        ("https://school.example/a", "school.example", "https://school.example", False),
        ("https://school.example:443/a", "school.example", "https://school.example", False),
        ("https://school.example:8443/a", "school.example:8443", "https://school.example:8443", False),
        ("http://127.0.0.1:8045/a", "127.0.0.1:8045", "http://127.0.0.1:8045", True),
        ("http://localhost/a", "localhost", "http://localhost", True),
        ("https://[2001:db8::7]:8443/a", "[2001:db8::7]:8443", "https:", False),
        ("https://a_b.example/a", "a_b.example", "https:", False),
    ],
)
def test_what_is_shown_and_what_a_form_may_lead_to(uri: str, host: str, source: str, here: bool) -> None:
    assert (host_of(uri), csp_source_of(uri), is_loopback(uri)) == (host, source, here)
