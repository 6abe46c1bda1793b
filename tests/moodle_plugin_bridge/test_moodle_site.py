"""Addresses of Moodles: what is taken, what is refused, and how they are shown."""

from __future__ import annotations

import pytest

from moodle_plugin_bridge.moodle_site import MoodleSite
from repo_service.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("address", "origin", "path"),
    [
        ("https://moodle.school.example", "https://moodle.school.example", ""),
        ("https://Moodle.School.Example:443/", "https://moodle.school.example", ""),
        ("http://127.0.0.1:8045", "http://127.0.0.1:8045", ""),
        ("https://school.example/lms/moodle//", "https://school.example", "/lms/moodle"),
        ("https://school.example/%7Eada", "https://school.example", "/%7Eada"),
        ("http://0x7f.1/", "http://127.0.0.1", ""),
        ("https://school.example/a/../b", "https://school.example", "/b"),
        ('https://school.example/"><script>', "https://school.example", "/%22%3E%3Cscript%3E"),
        ("https://my_school.example/m", "https://my_school.example", "/m"),
    ],
)
def test_addresses_are_read_as_browsers_read_them(address: str, origin: str, path: str) -> None:
    site = MoodleSite.parse(address)
    assert (site.origin, site.path, site.url) == (origin, path, origin + path)
    assert site.import_url == f"{origin}{path}/admin/tool/moodlenet/import.php"


def test_an_international_name_is_told_from_what_it_looks_like() -> None:
    cyrillic = "m\u043e\u043edle.example"
    site = MoodleSite.parse(f"https://{cyrillic}")
    assert site.host == "xn--mdle-55da.example"
    assert site.reading == cyrillic
    assert MoodleSite.parse("https://moodle.example").reading is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "moodle.school.example",
        "//moodle.school.example",
        "javascript:alert(1)",
        "javascript://moodle.school.example/%0aalert(1)",
        "data:text/html,x",
        "ftp://moodle.school.example",
        "file:///etc/passwd",
        "https:moodle.school.example",
        "https:///moodle.school.example",
        "https:\\\\moodle.school.example",
        "https://ada@moodle.school.example",
        "https://ada:secret@moodle.school.example",
        "https://moodle.school.example@evil.example",
        "https://moodle.school.example/?a=b",
        "https://moodle.school.example?",
        "https://moodle.school.example/#a",
        "https://moodle.school.example:99999",
        "https://moodle.school.example:0",
        "https://moodle.school.example:x",
        "https://a;script-src 'unsafe-inline'",
        "https://a;b",
        "https://a,b",
        "https://a'b",
        "https://*.example",
        "https://[::1]/",
        "https://moodle.school.example\r\nSet-Cookie: a=b",
        "https://moodle.school.example/\tx",
        "https://moodle.school.example/a;b",
        "https://moodle.school.example/" + "a" * 255,
        "https://xn--a/",
        "https://",
        "http://..",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        MoodleSite.parse(address)
    assert refused.value.errors[0].pointer == "/site"
    assert refused.value.detail


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (" moodle.school.example ", "https://moodle.school.example"),
        ("moodle.school.example/lms/", "https://moodle.school.example/lms"),
        ("https://school.example/course/view.php?id=7#section-2", "https://school.example"),
        ("https://school.example/lms/my/courses.php", "https://school.example/lms"),
        ("http://school.example:8045/login/index.php", "http://school.example:8045"),
        ("https://school.example/index.php", "https://school.example"),
        ("https://school.example/moodle/mod/quiz/view.php?id=9", "https://school.example/moodle"),
        ("https://school.example/mymoodle", "https://school.example/mymoodle"),
    ],
)
def test_people_copy_addresses_from_anywhere_in_their_moodle(typed: str, url: str) -> None:
    assert MoodleSite.typed(typed).url == url


@pytest.mark.parametrize(
    "typed", ["", "javascript:alert(1)", "ada@school.example", "a b", "ftp://school.example"]
)
def test_what_cannot_be_an_address_is_not_guessed_at(typed: str) -> None:
    with pytest.raises(InvalidInput):
        MoodleSite.typed(typed)
