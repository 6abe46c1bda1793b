"""Foreign text made safe."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_service.inspection.text import HTML_LIMIT, clean_html, clean_line, html_to_text, text_to_html


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<p onclick=x style=y class=z>a</p>", "<p>a</p>"),
        ("a<script>b</script><style>c</style><iframe src=d>e</iframe>", "a"),
        ('<img src="https://tracker.example/p.gif"><video src=x></video>', ""),
        (
            '<a href="https://x.example/">a</a>',
            '<a href="https://x.example/" rel="noopener noreferrer nofollow ugc">a</a>',
        ),
        ('<a href="javascript:x">a</a>', '<a rel="noopener noreferrer nofollow ugc">a</a>'),
        ('<a href="//x.example/">a</a>', '<a rel="noopener noreferrer nofollow ugc">a</a>'),
        ("<form action=x><input name=y>a</form>", "a"),
        ("a < b & c", "a &lt; b &amp; c"),
    ],
)
def test_clean_html(html: str, clean: str) -> None:
    assert clean_html(html) == clean


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\nb\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("a&nbsp;&amp;&lt;b&gt;  c", "a &<b> c"),
        ("a<!-- <b> -->b<script>if (a<b) {}</script>c", "abc"),
        ("1 < 2 and <b>3</b> > 2", "1 < 2 and 3 > 2"),
        ("a<script>no end", "a"),
    ],
)
def test_html_to_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_clean_line() -> None:
    assert clean_line(" a\r\nb\tc\x00\x07\x7f\x9f\u202e\u2066\ud800 é日\u200f ") == " a b c é日\u200f "
    assert len(clean_line("x" * 9999)) == 1500


def test_text_to_html() -> None:
    assert text_to_html('<b> & "\r\nx') == "&lt;b&gt; &amp; &quot;<br>x"


@pytest.mark.parametrize(
    "html",
    [
        "".join(f"<b id={n}><p>" for n in range(9000)),
        "</b>" * 4000 + "".join(f"<b id={n}><p>" for n in range(3000)),
        "".join(f"<font color={n}>" for n in range(4000)) + "<p>" * 5000,
        "<div>" * 20_000,
        "<!--" * 20_000,
        "<script>" * 20_000,
        "<" * 70_000,
        "\xa0 \n" * 30_000,
    ],
)
def test_floods_of_markup_are_answered_in_time(html: str) -> None:
    begin = time.perf_counter()
    assert len(clean_html(html)) < 1_000_000
    assert len(html_to_text(html)) <= 70_000
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    "html",
    [
        "&" * 27_000,
        "<" * 30_000,
        "'\"&\xa0\n" * 12_000,
        "<a>x" * 8000,
        '<a href="https://x.example/">x</a>' * 1900,
        "<br>" * 12_000,
        "".join(f"<b id={n}><p>x" for n in range(300)),
        "<table><p>a<tr><td><a><table><a>" * 100,
        "<pre>\n\n\na</pre>",
        "<p>a<div><b>c</p>d",
        "<a><table><td><a>b",
    ],
)
def test_clean_html_stays_what_it_is(html: str) -> None:
    """Here and wherever it is taken over."""
    clean = clean_html(html)
    assert clean
    assert len(clean) <= HTML_LIMIT
    assert clean_html(clean) == clean


_MARKUP = (
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<a>",
    "<table>",
    "<tr>",
    "<td>",
    "<li>",
    "<pre>",
    "\n",
    "&",
    "x",
    "<",
)


@given(st.lists(st.sampled_from(_MARKUP)).map("".join) | st.text())
def test_whatever_it_is_made_of(html: str) -> None:
    clean = clean_html(html)
    assert clean_html(clean) == clean


@given(st.text())
def test_text_never_holds_controls(text: str) -> None:
    for cleaned in (clean_line(text), html_to_text(text), clean_html(text)):
        assert not any(ord(character) < 32 and character not in "\n\t" for character in cleaned)
        cleaned.encode()
