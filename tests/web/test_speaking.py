"""Which language a page is in, and that everything on it is said in that one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from repo_service.domain.texts import counted, text
from repo_service.languages import LANGUAGES, SOURCE, language
from tests import translations
from tests.support.service import Service
from tests.web.visitor import Visitor

OTHERS = [tag for tag in LANGUAGES if tag != SOURCE]
_TEMPLATES = sorted(translations.ROOT.glob("*/**/templates/**/*.html"))
_PLACEHOLDER = re.compile(r"%\([a-z_]+\)s")


def _language(page_of: Visitor, url: str = "/") -> tuple[str, str]:
    root = page_of.get(url).one("/html")
    return root.get("lang"), root.get("dir")


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [
        ("de-AT,en;q=0.5", ("de", "ltr")),
        ("it,fr;q=0.7,en;q=0.5", ("fr", "ltr")),
        ("ar-EG", ("ar", "rtl")),
        ("en-US,de;q=0.9", ("en", "ltr")),
        ("tlh", ("en", "ltr")),
        ("*", ("en", "ltr")),
        ("", ("en", "ltr")),
        ("../../etc/passwd;q=x, \x00", ("en", "ltr")),
    ],
)
def test_a_browser_asks_for_languages(service: Service, accepted: str, spoken: tuple[str, str]) -> None:
    assert _language(Visitor(service, language=accepted)) == spoken


def test_a_visitor_chooses_and_it_is_remembered(service: Service) -> None:
    visitor = Visitor(service, language="de")
    links = visitor.get("/?q=a&module=quiz").links()
    assert links["Español"] == "/?q=a&module=quiz&lang=es"
    assert _language(visitor, links["Español"]) == ("es", "ltr")
    assert _language(visitor, "/sign-in") == ("es", "ltr")
    cookie = visitor.client.get_cookie("repo_language")
    assert cookie is not None
    assert cookie.value == "es"
    assert cookie.http_only
    assert cookie.same_site == "Lax"


@pytest.mark.parametrize("tag", ["xx", "de_DE", "../de", "<script>", ""])
def test_a_language_that_there_is_not_changes_nothing(service: Service, tag: str) -> None:
    visitor = Visitor(service)
    assert visitor.get("/", status=200).one("/html").get("lang") == "en"
    assert _language(visitor, f"/?lang={tag}") == ("en", "ltr")
    assert visitor.client.get_cookie("repo_language") is None


def test_errors_speak_too(service: Service) -> None:
    page = Visitor(service, language="ar").get("/nowhere", status=404)
    assert page.one("/html").get("lang") == "ar"
    assert page.one("/html").get("dir") == "rtl"


def test_the_api_says_no_cookies(service: Service) -> None:
    response = service.client().get("/api/v1/resources?lang=de")
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("tag", OTHERS)
def test_nothing_is_left_unsaid(tag: str) -> None:
    assert translations.missing(tag) == [], "make translations, then fill the catalogue in"


@pytest.mark.parametrize("tag", OTHERS)
def test_translations_hold_what_their_messages_hold(tag: str) -> None:
    """The same placeholders, no other tags, and nothing that ends an attribute early: translations are put
    into pages as they are."""
    for message in translations.read(tag):
        if not message.id:
            continue
        said = [message.id] if isinstance(message.id, str) else list(message.id)
        words = [message.string] if isinstance(message.string, str) else list(message.string or ())
        for translated in words:
            placeholders = {*_PLACEHOLDER.findall(translated)}
            allowed = {*_PLACEHOLDER.findall(" ".join(said))}
            assert placeholders <= allowed, said[0]
            assert len(words) > 1 or placeholders == allowed, said[0]
            assert re.findall(r"<[^>]*>", translated) == re.findall(r"<[^>]*>", said[-1]), said[0]
            if "<" not in said[0]:
                assert '"' not in translated, said[0]


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.name)
def test_templates_say_only_what_stands_in_them(template: Path) -> None:
    """What ``_()`` gives counts as safe markup, so nothing but a plain string may go into it."""
    source = template.read_text()
    for call in re.finditer(r"(?<![\w.])(?:_|gettext|ngettext)\(\s*(.)", source):
        assert call[1] == '"', source[call.start() : call.end() + 40]


def test_texts_are_english_and_can_be_said_elsewhere() -> None:
    said = text("%(what)s: %(names)s", what=counted("%(count)s file", "%(count)s files", 1200), names="Ada")
    assert said == "1,200 files: Ada"
    assert language("en").say(said) == "1,200 files: Ada"
    assert language("de").say(said) == "1.200 Dateien: Ada"
    assert language("ar").say(counted("%(count)s file", "%(count)s files", 2)) == "ملفان"


def test_a_percent_sign_in_a_value_is_a_percent_sign() -> None:
    assert language("de").say(text("Search: %(text)s", text="100% %(x)s")) == "Suche: 100% %(x)s"


def test_what_is_to_be_said_is_found_wherever_it_stands() -> None:
    source = """
from repo_service.domain.texts import counted, text
raise InvalidInput(errors=[FieldError("/a", text("within another")), ("/b", text("in a tuple"))])
raise Conflict("one end" if x else "the other")
counted("%(count)s file", "%(count)s files", count)
log.info("never said"); session.execute(select("no"))
"""
    assert sorted(str(message) for message in translations.of_source(source)) == sorted(
        [
            "('%(count)s file', '%(count)s files')",
            *("in a tuple", "one end", "the other", "within another"),
        ]
    )
    assert list(translations.of_source('session.execute(text("SELECT 1"))')) == []


def test_texts_are_plain_strings() -> None:
    """What is put together before ``text()`` sees it can be found by nobody who translates."""
    for path in [
        *translations.ROOT.glob("repo_service/**/*.py"),
        *translations.ROOT.glob("moodle_*/**/*.py"),
    ]:
        source = path.read_text()
        if "domain.texts import" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "text":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
